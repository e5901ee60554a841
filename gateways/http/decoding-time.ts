// Owns: decoding times for packets that say only when they are to be shown. Pure.

/** What of mediabunny's packets is needed here. */
export interface TimedPacket {
  /** Presentation time, seconds. */
  readonly timestamp: number;
  readonly data: Uint8Array;
  readonly type: 'key' | 'delta';
}

export interface DatedPacket {
  readonly packet: TimedPacket;
  readonly dtsUs: number;
}

/** H.264 and H.265 reorder no more pictures than that. */
const maxReorder = 16;

/**
 * A picture has to be decoded before any that is shown later and comes after it: by the earliest time of presentation
 * among it and those that follow. Without reordering, that is its own.
 * @param packets in order of decoding
 */
export async function* inDecodingOrder(packets: AsyncIterable<TimedPacket>): AsyncGenerator<DatedPacket, undefined> {
  const held: TimedPacket[] = [];
  const first = (): DatedPacket => {
    const dtsUs = Math.round(Math.min(...held.map(({ timestamp }) => timestamp)) * 1_000_000);
    return { packet: held.shift() as TimedPacket, dtsUs };
  };
  for await (const packet of packets) {
    held.push(packet);
    if (held.length > maxReorder) yield first();
  }
  while (held.length > 0) yield first();
  return undefined;
}
