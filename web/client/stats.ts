// Owns: the browser's WebRTC statistics as figures one can show. Pure.

/** One stream, as of the last two samples. Absent figures are those the browser does not give. */
export interface StreamSample {
  readonly publicationId: string;
  readonly kind: 'audio' | 'video';
  /** `video/VP8`. */
  readonly mimeType: string | undefined;
  readonly bitrateBps: number;
  /** 0..1 of the packets since the last sample. */
  readonly fractionLost: number;
  readonly jitterMs: number | undefined;
  readonly widthPx: number | undefined;
  readonly heightPx: number | undefined;
  readonly framesPerSecond: number | undefined;
  /** Cumulative: decoded of a stream received, encoded of a stream sent. */
  readonly frameCount: number | undefined;
  readonly freezeCount: number | undefined;
  /** Cumulative, W3C webrtc-stats §8.6: grows while anything is heard. */
  readonly totalAudioEnergy: number | undefined;
  /** Sent: why the encoder holds back (`none`, `cpu`, `bandwidth`, `other`). */
  readonly limitedBy: string | undefined;
}

export interface ConnectionStats {
  /** `performance.timeOrigin`-based, milliseconds. */
  readonly atMs: number;
  readonly sent: readonly StreamSample[];
  readonly received: readonly StreamSample[];
  readonly roundTripTimeMs: number | undefined;
  /** bit/s that the browser believes it may send. */
  readonly availableOutgoingBps: number | undefined;
  /** `udp`, `tcp`, or `relay` when a TURN server is between. */
  readonly path: string | undefined;
}

/** What is read of an RTCStats of any type. */
export type RawStat = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

interface Counters {
  readonly atMs: number;
  readonly bytes: number;
  readonly packets: number;
  readonly lost: number;
}

type Previous = Map<string, Counters>;

/** Keeps the counters of the last sample, so that the next one can be told as rates. */
export class StatsSampler {
  #previous: Previous = new Map();

  /**
   * @param sent     report of the sending connection
   * @param received report of the receiving connection
   * @param publicationOf which publication has that mid, by direction
   */
  sample(
    sent: Iterable<RawStat>,
    received: Iterable<RawStat>,
    publicationOf: (direction: 'sent' | 'received', mid: string) => string | undefined,
  ): ConnectionStats {
    const next: Previous = new Map();
    const sentStats = [...sent];
    const receivedStats = [...received];
    const pair = selectedPair(sentStats) ?? selectedPair(receivedStats);
    const result = {
      atMs: Math.max(0, ...[...sentStats, ...receivedStats].map(({ timestamp }) => num(timestamp) ?? 0)),
      sent: this.#streams(sentStats, 'outbound-rtp', (mid) => publicationOf('sent', mid), next),
      received: this.#streams(receivedStats, 'inbound-rtp', (mid) => publicationOf('received', mid), next),
      roundTripTimeMs: inMs(num(pair?.currentRoundTripTime)),
      availableOutgoingBps: num(selectedPair(sentStats)?.availableOutgoingBitrate),
      path: pathOf(sentStats, pair) ?? pathOf(receivedStats, pair),
    };
    this.#previous = next;
    return result;
  }

  #streams(
    stats: readonly RawStat[],
    type: 'outbound-rtp' | 'inbound-rtp',
    publicationOf: (mid: string) => string | undefined,
    next: Previous,
  ): StreamSample[] {
    const byId = new Map(stats.map((stat) => [stat.id, stat]));
    const groups = new Map<string, RawStat[]>();
    for (const stat of stats) {
      const publicationId = stat.type === type ? publicationOf(String(stat.mid)) : undefined;
      if (publicationId) groups.set(publicationId, [...(groups.get(publicationId) ?? []), stat]);
    }
    return [...groups].map(([publicationId, layers]) => this.#stream(publicationId, layers, byId, next));
  }

  /** Layers of simulcast are one stream to the reader: rates add up, the picture is that of the largest. */
  #stream(publicationId: string, layers: RawStat[], byId: Map<string, RawStat>, next: Previous): StreamSample {
    const top = layers.reduce((best, layer) =>
      (num(layer.frameHeight) ?? 0) > (num(best.frameHeight) ?? 0) ? layer : best,
    );
    const rates = layers.map((layer) => this.#rates(layer, byId, next));
    const packets = sum(rates.map((rate) => rate.packets));
    return {
      publicationId,
      kind: top.kind === 'audio' ? 'audio' : 'video',
      mimeType: text(byId.get(String(top.codecId))?.mimeType),
      bitrateBps: sum(rates.map((rate) => rate.bitrateBps)),
      fractionLost: packets > 0 ? Math.min(1, sum(rates.map((rate) => rate.lost)) / packets) : 0,
      jitterMs: inMs(num(top.jitter) ?? num(remoteOf(top, byId)?.jitter)),
      widthPx: num(top.frameWidth),
      heightPx: num(top.frameHeight),
      framesPerSecond: num(top.framesPerSecond),
      frameCount: num(top.framesDecoded) ?? num(top.framesEncoded),
      freezeCount: num(top.freezeCount),
      totalAudioEnergy: num(top.totalAudioEnergy),
      limitedBy: text(top.qualityLimitationReason),
    };
  }

  #rates(stat: RawStat, byId: Map<string, RawStat>, next: Previous) {
    const now: Counters = {
      atMs: num(stat.timestamp) ?? 0,
      bytes: num(stat.bytesReceived) ?? num(stat.bytesSent) ?? 0,
      packets: num(stat.packetsReceived) ?? num(stat.packetsSent) ?? 0,
      lost: num(stat.packetsLost) ?? num(remoteOf(stat, byId)?.packetsLost) ?? 0,
    };
    next.set(stat.id, now);
    const before = this.#previous.get(stat.id);
    const seconds = before ? (now.atMs - before.atMs) / 1_000 : 0;
    // Counters start anew with a new transport, whose ids may be those of the old one.
    if (!before || seconds <= 0 || now.bytes < before.bytes) return { bitrateBps: 0, packets: 0, lost: 0 };
    const lost = Math.max(0, now.lost - before.lost);
    return {
      bitrateBps: Math.round(((now.bytes - before.bytes) * 8) / seconds),
      packets: now.packets - before.packets + lost,
      lost,
    };
  }
}

function selectedPair(stats: readonly RawStat[]): RawStat | undefined {
  const transport = stats.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  const byTransport = stats.find(({ id }) => id === transport?.selectedCandidatePairId);
  // Firefox has no transport report and marks the pair itself.
  return (
    byTransport ??
    stats.find(({ type, selected, nominated, state }) => {
      return type === 'candidate-pair' && (selected === true || (nominated === true && state === 'succeeded'));
    })
  );
}

function pathOf(stats: readonly RawStat[], pair: RawStat | undefined): string | undefined {
  const local = stats.find(({ id }) => id === pair?.localCandidateId);
  if (!local) return undefined;
  return local.candidateType === 'relay' ? 'relay' : text(local.protocol);
}

function remoteOf(stat: RawStat, byId: Map<string, RawStat>): RawStat | undefined {
  return byId.get(String(stat.remoteId));
}

function num(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
