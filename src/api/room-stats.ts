// Owns: live counters of one room, at bounded cost. May import: core, ./contract.
import type { Participant } from '#core/participant.ts';
import type { StreamStats, TransportStats } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Publication, Subscription } from '#core/track.ts';
import { answerWithin } from './answer-within.ts';
import type { RoomStats } from './contract.ts';
import { timeText } from './views.ts';

/** What has been measured is shown to everybody who asks so long. */
const cacheMs = 1_000;
/** Questions to the SFU for one reading: transports first, then what is published, then who receives it. */
const maxQuestions = 1_000;
/** So many are under way at once. */
const batchSize = 50;
const timeoutMs = 2_000;
/** One that hangs must not use up the time of all. */
const questionTimeoutMs = 500;

/** Undefined for what has ended in the meantime, or does not answer in time. */
type Ask = <T>(question: () => Promise<T>) => Promise<T | undefined>;

export class RoomStatsReader {
  readonly #readings = new WeakMap<Room, { readonly atMs: number; readonly stats: Promise<RoomStats> }>();

  /** @param room undefined when nobody is in it */
  read(room: Room | undefined): Promise<RoomStats> {
    if (!room) return Promise.resolve(empty(false));
    const last = this.#readings.get(room);
    if (last && performance.now() - last.atMs < cacheMs) return last.stats;
    const stats = measure(room);
    this.#readings.set(room, { atMs: performance.now(), stats });
    return stats;
  }
}

function empty(isPartial: boolean): RoomStats {
  return { measuredAt: timeText(Date.now()), isPartial, participants: [], streams: [] };
}

async function measure(room: Room): Promise<RoomStats> {
  const budget = new QuestionBudget();
  const present = await budget.askAll(room.visibleParticipants, participantStats);
  const publications = [...room.publications()];
  const streams = await budget.askAll(publications, streamStats);
  const receivers = publications.flatMap(({ subscriptions }) => [...subscriptions]);
  const sentBy = Map.groupBy(streams, ({ participantId }) => participantId);
  const subscriptions = Map.groupBy(await budget.askAll(receivers, subscriptionStats), ({ streamId }) => streamId);
  return {
    ...empty(budget.isSpent),
    participants: present.map(({ hasTransports, ...stats }) => ({
      ...stats,
      // Of encoders, cameras and phones, whose media comes by a media worker, what they publish is known.
      ...(!hasTransports && { receivedBitrateBps: bitrateOf(sentBy.get(stats.id) ?? []) }),
    })),
    streams: streams.map((stream) => ({
      ...stream,
      subscriptions: (subscriptions.get(stream.id) ?? []).map(({ streamId: _streamId, ...rest }) => rest),
    })),
  };
}

/** Counts questions and time for one reading; what does not fit any more is left out. */
class QuestionBudget {
  readonly #deadline = performance.now() + timeoutMs;
  #left = maxQuestions;
  #isSpent = false;

  get isSpent(): boolean {
    return this.#isSpent;
  }

  async askAll<T, R>(items: readonly T[], describe: (item: T, ask: Ask) => Promise<R>): Promise<R[]> {
    const described: R[] = [];
    for (let at = 0; at < items.length; at += batchSize) {
      const batch = items.slice(at, at + Math.min(batchSize, this.#left));
      this.#left -= batch.length;
      if (batch.length === 0 || performance.now() > this.#deadline) {
        this.#isSpent = true;
        break;
      }
      described.push(...(await Promise.all(batch.map((item) => describe(item, this.#ask)))));
    }
    return described;
  }

  /** @returns undefined for what has ended in the meantime, or does not answer in time */
  #ask: Ask = (question) => answerWithin(Math.min(questionTimeoutMs, this.#deadline - performance.now()), question);
}

const bitrateOf = (streams: readonly Pick<RoomStats['streams'][number], 'encodings'>[]) =>
  streams.flatMap(({ encodings }) => encodings).reduce((total, { bitrateBps }) => total + bitrateBps, 0);

async function participantStats(
  participant: Participant,
  ask: Ask,
): Promise<RoomStats['participants'][number] & { readonly hasTransports: boolean }> {
  const transports = await Promise.all(
    [...participant.transports.values()].map((transport) => ask(() => transport.getStats())),
  );
  const known = transports.filter((stats): stats is TransportStats => stats !== undefined);
  const sum = (pick: (stats: TransportStats) => number) => known.reduce((total, stats) => total + pick(stats), 0);
  const estimates = known.flatMap(({ availableOutgoingBps }) => availableOutgoingBps ?? []);
  return {
    id: participant.id,
    hasTransports: transports.length > 0,
    displayName: participant.displayName,
    quality: participant.quality,
    receivedBitrateBps: sum((stats) => stats.receivedBitrateBps),
    sentBitrateBps: sum((stats) => stats.sentBitrateBps),
    availableOutgoingBps: estimates.length > 0 ? Math.max(...estimates) : null,
    protocol: known.find(({ protocol }) => protocol)?.protocol ?? null,
    remoteAddress: known.find(({ remoteAddress }) => remoteAddress)?.remoteAddress ?? null,
  };
}

async function streamStats(
  publication: Publication,
  ask: Ask,
): Promise<Omit<RoomStats['streams'][number], 'subscriptions'>> {
  const encodings = (await ask(() => publication.producer.getStats())) ?? [];
  return {
    id: publication.id,
    participantId: publication.participant.id,
    kind: publication.kind,
    source: publication.source,
    mimeType: publication.mimeType,
    isMuted: publication.isMuted,
    encodings: encodings.map((stats) => ({ rid: stats.rid ?? null, ssrc: stats.ssrc, ...counters(stats) })),
  };
}

async function subscriptionStats(subscription: Subscription, ask: Ask) {
  const stats = (await ask(() => subscription.consumer.getStats()))?.[0];
  const { currentLayers } = subscription;
  return {
    streamId: subscription.publication.id as string,
    id: subscription.id as string,
    participantId: subscription.participant.id as string,
    isFlowing: subscription.isFlowing,
    isHeldBack: subscription.isHeldBack,
    currentLayers: currentLayers && { ...currentLayers },
    ...counters(stats),
  };
}

function counters(stats: StreamStats | undefined) {
  return {
    bitrateBps: stats?.bitrateBps ?? 0,
    byteCount: stats?.byteCount ?? 0,
    packetCount: stats?.packetCount ?? 0,
    packetsLost: stats?.packetsLost ?? 0,
    fractionLost: stats?.fractionLost ?? 0,
    jitterMs: stats?.jitterMs ?? 0,
    // mediasoup says 0 until it has measured.
    roundTripTimeMs: stats?.roundTripTimeMs || null,
    nackCount: stats?.nackCount ?? 0,
    pliCount: stats?.pliCount ?? 0,
    firCount: stats?.firCount ?? 0,
    score: stats?.score ?? 0,
  };
}
