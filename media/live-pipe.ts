// Owns: how fragments and packets for viewers travel from a media worker to the control process: back over the pipe of media, and bounded.
// Shared by both ends. May import: its neighbours, core types.
import type { Writable } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { z } from 'zod';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import type { RtpUnit } from '#core/rtp-feed.ts';
import { FrameReader } from './frame-reader.ts';

export type LiveMessage =
  | { readonly feed: number; readonly init: LiveInit }
  | { readonly feed: number; readonly fragment: LiveFragment }
  /** Feeds of RTP are numbered by themselves. */
  | { readonly feed: number; readonly unit: RtpUnit };

/*
 * A frame: length of what follows (4), feed (4), flags (1), and either an initialisation as V8 writes it, or a fragment:
 * start (8), duration (8), data; or packets of RTP, each after its length (2).
 */
const flags = { init: 1, isKey: 2, isAudio: 4, isRtp: 8 } as const;
const headBytes = 4 + 4 + 1;
const timesBytes = 16;
/** What waits for a control process that does not read; more is thrown away. */
const maxQueuedBytes = 8 * 1024 * 1024;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const liveInit = z.object({
  muxed: bytes,
  tracks: z
    .array(
      z.object({
        kind: z.enum(['audio', 'video']),
        codecs: z.string().max(64),
        init: bytes,
        width: z.number().optional(),
        height: z.number().optional(),
        sampleRateHz: z.number().optional(),
        channels: z.number().optional(),
      }),
    )
    .min(1)
    .max(2)
    .readonly(),
});

/** The worker's end. */
export class LiveOutlet {
  readonly #pipe: Writable;

  constructor(pipe: Writable) {
    this.#pipe = pipe;
  }

  /** Small, and nothing can be made of fragments without it: never thrown away. */
  init(feed: number, init: LiveInit): void {
    this.#write(feed, flags.init, serialize(init));
  }

  /** @returns false when it was thrown away: the next has to be a key picture */
  fragment(feed: number, { kind, isKey, startUs, durationUs, data }: LiveFragment): boolean {
    if (this.#pipe.writableLength > maxQueuedBytes) return false;
    const times = Buffer.allocUnsafe(timesBytes);
    times.writeDoubleBE(startUs, 0);
    times.writeDoubleBE(durationUs, 8);
    this.#write(feed, (isKey ? flags.isKey : 0) | (kind === 'audio' ? flags.isAudio : 0), times, data);
    return true;
  }

  /** @returns false when it was thrown away, as above */
  unit(feed: number, { kind, isKey, packets }: RtpUnit): boolean {
    if (this.#pipe.writableLength > maxQueuedBytes) return false;
    const parts = packets.flatMap((packet) => {
      const length = Buffer.allocUnsafe(2);
      length.writeUInt16BE(packet.byteLength);
      return [length, packet];
    });
    this.#write(feed, flags.isRtp | (isKey ? flags.isKey : 0) | (kind === 'audio' ? flags.isAudio : 0), ...parts);
    return true;
  }

  #write(feed: number, flag: number, ...parts: readonly Uint8Array[]): void {
    const head = Buffer.allocUnsafe(headBytes);
    head.writeUInt32BE(
      parts.reduce((sum, { byteLength }) => sum + byteLength, headBytes - 4),
      0,
    );
    head.writeUInt32BE(feed, 4);
    head.writeUInt8(flag, 8);
    this.#pipe.cork();
    for (const part of [head, ...parts]) this.#pipe.write(part);
    this.#pipe.uncork();
  }
}

/** The control process's end. */
export class LivePipeReader {
  readonly #frames = new FrameReader();

  /** @throws Error for what the other end never sends */
  push(piece: Buffer, onMessage: (message: LiveMessage) => void): void {
    this.#frames.push(piece, (frame) => onMessage(decode(frame)));
  }
}

function decode(frame: Buffer): LiveMessage {
  if (frame.length < 5) throw new Error('a live frame that is cut off');
  const feed = frame.readUInt32BE(0);
  const flag = frame.readUInt8(4);
  const body = frame.subarray(5);
  if ((flag & flags.init) !== 0) return { feed, init: liveInit.parse(deserialize(body)) };
  if ((flag & flags.isRtp) !== 0) return { feed, unit: { ...kindOf(flag), packets: packetsOf(body) } };
  if (body.length < timesBytes) throw new Error('a live frame that is cut off');
  return {
    feed,
    fragment: {
      ...kindOf(flag),
      startUs: body.readDoubleBE(0),
      durationUs: body.readDoubleBE(8),
      // A copy of its own: what is kept for minutes must not hold on to all that came in the same piece.
      data: Buffer.from(body.subarray(timesBytes)),
    },
  };
}

function kindOf(flag: number) {
  return { kind: (flag & flags.isAudio) === 0 ? 'video' : 'audio', isKey: (flag & flags.isKey) !== 0 } as const;
}

/** Sent at once and not kept: no copies. */
function packetsOf(body: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + 2 > body.length) throw new Error('a unit that is cut off');
    const end = at + 2 + body.readUInt16BE(at);
    if (end > body.length) throw new Error('a unit that is cut off');
    packets.push(body.subarray(at + 2, end));
    at = end;
  }
  return packets;
}
