// Owns: which of a room's streams a WHEP player gets. Pure. May import: core types.
import type { MediaKind } from '#core/rtp.ts';
import type { TrackSource } from '#core/track.ts';

/** What the player asked for: the path's stream, `?participant=`, or nothing in particular. */
export type PlayTarget =
  | { readonly kind: 'room' }
  /** A publication's id, a participant's id, or the name of a user. */
  | { readonly kind: 'named'; readonly name: string };

export interface PlayCandidate {
  readonly publicationId: string;
  readonly participantId: string;
  readonly user: string;
  readonly kind: MediaKind;
  readonly source: TrackSource;
  readonly startedAtMs: number;
}

/** Who is being watched, kept so that the same user's next connection takes over. */
export interface PlayMemory {
  readonly participantId: string;
  readonly user: string;
  /** Set when one publication was asked for by its id: its kind and source. */
  readonly only?: { readonly kind: MediaKind; readonly source: TrackSource } | undefined;
}

export interface PlayChoice<Candidate> {
  readonly audio: Candidate | undefined;
  readonly video: Candidate | undefined;
  readonly memory: PlayMemory | undefined;
}

const videoOrder: readonly TrackSource[] = ['camera', 'screen', 'other'];
const audioOrder: readonly TrackSource[] = ['microphone', 'screen_audio', 'other'];

/**
 * One participant's streams: that of whom the player named, else whoever was watched before, else who speaks now, else
 * the first who has video, else the first who has anything. A target that was named waits for the same user to come
 * back; a room's player is given to whoever is there.
 */
export function choosePlay<Candidate extends PlayCandidate>(
  target: PlayTarget,
  candidates: readonly Candidate[],
  activeSpeakerId: string | null,
  memory: PlayMemory | undefined,
): PlayChoice<Candidate> {
  const inOrder = candidates.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
  if (target.kind === 'named') {
    const byId = inOrder.find(({ publicationId }) => publicationId === target.name);
    if (byId) return single(byId, inOrder);
    const isOf = (participant: string) => (candidate: Candidate) =>
      candidate.participantId === participant || candidate.user === participant;
    const named = inOrder.filter(isOf(target.name));
    if (named.length > 0 || !memory) return streamsOf(latest(named), named, memory);
    if (memory.only) return remembered(memory, inOrder);
    const back = inOrder.filter(isOf(memory.user));
    return streamsOf(latest(back), back, memory);
  }
  const watched = inOrder.find(({ participantId }) => participantId === memory?.participantId);
  const sameUser = inOrder.findLast(({ user }) => user === memory?.user);
  const speaker = inOrder.find(({ participantId }) => participantId === activeSpeakerId);
  const chosen = watched ?? sameUser ?? speaker ?? inOrder.find(({ kind }) => kind === 'video') ?? inOrder[0];
  return streamsOf(chosen?.participantId, inOrder, memory);
}

/** Of several connections of one user the newest: the one that died may not have been noticed yet. */
const latest = (candidates: readonly PlayCandidate[]): string | undefined => candidates.at(-1)?.participantId;

function single<Candidate extends PlayCandidate>(
  candidate: Candidate,
  all: readonly Candidate[],
): PlayChoice<Candidate> {
  const { participantId, user, kind, source } = candidate;
  const memory = { participantId, user, only: { kind, source } };
  if (kind === 'audio') return { audio: candidate, video: undefined, memory };
  // A screen's own sound belongs to it; a camera is played silent when asked for alone.
  const sound = all.find((other) => other.participantId === participantId && other.source === 'screen_audio');
  return { audio: source === 'screen' ? sound : undefined, video: candidate, memory };
}

function remembered<Candidate extends PlayCandidate>(
  memory: PlayMemory,
  candidates: readonly Candidate[],
): PlayChoice<Candidate> {
  const back = candidates.findLast(
    ({ user, kind, source }) => user === memory.user && kind === memory.only?.kind && source === memory.only.source,
  );
  return back ? single(back, candidates) : { audio: undefined, video: undefined, memory };
}

function streamsOf<Candidate extends PlayCandidate>(
  participantId: string | undefined,
  candidates: readonly Candidate[],
  memory: PlayMemory | undefined,
): PlayChoice<Candidate> {
  const own = candidates.filter((candidate) => candidate.participantId === participantId);
  const [first] = own;
  if (!first) return { audio: undefined, video: undefined, memory };
  return {
    audio: firstBySource(own, 'audio', audioOrder),
    video: firstBySource(own, 'video', videoOrder),
    memory: { participantId: first.participantId, user: first.user },
  };
}

function firstBySource<Candidate extends PlayCandidate>(
  candidates: readonly Candidate[],
  kind: MediaKind,
  order: readonly TrackSource[],
): Candidate | undefined {
  return candidates
    .filter((candidate) => candidate.kind === kind)
    .toSorted((a, b) => order.indexOf(a.source) - order.indexOf(b.source))[0];
}
