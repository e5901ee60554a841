// Owns: what a client knows of its room, as one immutable value, and how each event changes it. Pure.
import type {
  ChatInfo,
  EventMap,
  EventName,
  JoinResult,
  ParticipantInfo,
  PublicationInfo,
  RoomInfo,
  WaitingInfo,
} from '#signalling/protocol.ts';
import type { ClientErrorCode } from './errors.ts';

/**
 * ```
 *   idle ──join()──► joining ──► joined ◄──────► reconnecting
 *                       │           │                  │
 *                       └───────────┴──────► ended ◄───┘
 * ```
 */
export type Phase = 'idle' | 'joining' | 'joined' | 'reconnecting' | 'ended';

/** Why it is over. `refused` carries the server's code, the others speak for themselves. */
export interface EndInfo {
  readonly kind: 'left' | 'kicked' | 'replaced' | 'room_closed' | 'refused' | 'gave_up';
  readonly message: string;
  readonly code?: ClientErrorCode | undefined;
  readonly retryAfterMs?: number | undefined;
}

export interface ReconnectInfo {
  /** 1 for the first. */
  readonly attempt: number;
  /** When the next try starts, by `Date.now()`. */
  readonly nextAttemptAtMs: number;
  /** When the socket went, by `Date.now()`. */
  readonly sinceMs: number;
}

/** `off`: nothing to send or receive yet. */
export type MediaState = 'off' | 'connecting' | 'connected' | 'disconnected' | 'failed';

/** What this client sends. */
export interface LocalPublicationView {
  /** Stays the same for the life of the object; the server's id may not be known yet. */
  readonly key: string;
  readonly publicationId: string | undefined;
  readonly source: PublicationInfo['source'];
  readonly kind: 'audio' | 'video';
  readonly label: string;
  readonly track: MediaStreamTrack | null;
  readonly isMuted: boolean;
  readonly isMutedByModerator: boolean;
  /** False while nobody receives it and nothing is sent. */
  readonly isWatched: boolean;
  readonly isPublished: boolean;
}

/** What this client receives of one publication. */
export interface SubscriptionView {
  readonly publicationId: string;
  readonly participantId: string;
  readonly kind: 'audio' | 'video';
  readonly source: PublicationInfo['source'];
  readonly subscriptionId: string;
  readonly track: MediaStreamTrack;
  readonly isPaused: boolean;
  /** Last-N has put it aside. */
  readonly isHeldBack: boolean;
  readonly isPinned: boolean;
  /** That this client, or somebody by the API, has asked for; null for what its publisher sends. */
  readonly format: EventMap['subscriptionUpdated']['format'];
  readonly currentLayers: EventMap['subscriptionUpdated']['currentLayers'];
  /** 0..10. */
  readonly score: number | undefined;
}

export interface RoomState {
  readonly phase: Phase;
  readonly end: EndInfo | undefined;
  readonly reconnect: ReconnectInfo | undefined;
  readonly room: RoomInfo | undefined;
  readonly selfId: string | undefined;
  readonly participants: ReadonlyMap<string, ParticipantInfo>;
  readonly activeSpeaker: string | null;
  readonly chat: readonly ChatInfo[];
  readonly mediaState: MediaState;
  /** By `LocalPublicationView.key`, in the order they were published. */
  readonly local: ReadonlyMap<string, LocalPublicationView>;
  /** By publication id. */
  readonly subscriptions: ReadonlyMap<string, SubscriptionView>;
  /** Publications that this client could not receive, by id, with the reason. */
  readonly failedSubscriptions: ReadonlyMap<string, string>;
  /** Of the room as one picture, where that is taken instead of everybody's. */
  readonly viewPublicationId: string | undefined;
  /** Why there is none, in the server's words; it is asked for again when that may have changed. */
  readonly viewProblem: string | undefined;
  /** Who is seen where in that picture; undefined until it is composed. */
  readonly viewArrangement: EventMap['viewArranged'] | undefined;
  /** bit/s that the server believes this client can receive. */
  readonly availableOutgoingBps: number | undefined;
  /** Not in yet: why, and how many are before. */
  readonly waiting: EventMap['waiting'] | undefined;
  /** For moderators: who waits to be let in. */
  readonly lobby: readonly WaitingInfo[];
  /** The server goes away at the latest then, by `Date.now()`. */
  readonly closesAtMs: number | undefined;
}

export const initialState: RoomState = {
  phase: 'idle',
  end: undefined,
  reconnect: undefined,
  room: undefined,
  selfId: undefined,
  participants: new Map(),
  activeSpeaker: null,
  chat: [],
  mediaState: 'off',
  local: new Map(),
  subscriptions: new Map(),
  failedSubscriptions: new Map(),
  viewPublicationId: undefined,
  viewProblem: undefined,
  viewArrangement: undefined,
  availableOutgoingBps: undefined,
  waiting: undefined,
  lobby: [],
  closesAtMs: undefined,
};

/** Chat kept in memory, private messages included. */
const chatLength = 500;

/** The room as `join` tells it. Chat that only this client has, private messages, stays after joining again. */
export function enterRoom(state: RoomState, result: JoinResult): RoomState {
  const known = new Set(result.chat.map((message) => message.id));
  const kept = state.chat.filter((message) => message.to !== 'all' && !known.has(message.id));
  return {
    ...state,
    phase: 'joined',
    end: undefined,
    reconnect: undefined,
    room: result.room,
    selfId: result.participantId,
    participants: new Map(result.participants.map((participant) => [participant.id, participant])),
    activeSpeaker: result.activeSpeaker,
    chat: [...kept, ...result.chat].sort((a, b) => a.sentAtMs - b.sentAtMs).slice(-chatLength),
    failedSubscriptions: new Map(),
    waiting: undefined,
    lobby: [],
    closesAtMs: undefined,
  };
}

/** @returns the same object when the event changes nothing that is shown */
export function applyEvent<Name extends EventName>(
  state: RoomState,
  event: Name,
  data: EventMap[Name],
  nowMs: number,
): RoomState {
  const reducer = reducers[event];
  return reducer ? { ...state, ...reducer(state, data, nowMs) } : state;
}

type Reducers = { [E in EventName]?: (state: RoomState, data: EventMap[E], nowMs: number) => Partial<RoomState> };

const reducers: Reducers = {
  participantJoined: (state, { participant }) => ({ participants: withParticipant(state, participant) }),
  participantUpdated: (state, { participant }) => ({ participants: withParticipant(state, participant) }),
  participantLeft: (state, { participantId }) => {
    const participants = new Map(state.participants);
    participants.delete(participantId);
    const activeSpeaker = state.activeSpeaker === participantId ? null : state.activeSpeaker;
    return { participants, activeSpeaker };
  },
  publicationAdded: (state, { publication }) => withPublication(state, publication),
  publicationUpdated: (state, { publication }) => withPublication(state, publication),
  publicationRemoved: (state, { participantId, publicationId }) =>
    changeParticipant(state, participantId, (participant) => ({
      publications: participant.publications.filter((publication) => publication.id !== publicationId),
    })),
  dataPublicationAdded: (state, { publication }) =>
    changeParticipant(state, publication.participantId, (participant) => ({
      dataPublications: replaceById(participant.dataPublications, publication),
    })),
  dataPublicationRemoved: (state, { participantId, publicationId }) =>
    changeParticipant(state, participantId, (participant) => ({
      dataPublications: participant.dataPublications.filter((publication) => publication.id !== publicationId),
    })),
  subscriptionUpdated: (state, { subscriptionId, isHeldBack, currentLayers, score, format }) => {
    const found = [...state.subscriptions.values()].find((view) => view.subscriptionId === subscriptionId);
    if (!found) return {};
    return {
      subscriptions: new Map(state.subscriptions).set(found.publicationId, {
        ...found,
        isHeldBack,
        currentLayers,
        score,
        format,
      }),
    };
  },
  activeSpeaker: (_state, { participantId }) => ({ activeSpeaker: participantId }),
  chat: (state, message) =>
    state.chat.some((known) => known.id === message.id) ? {} : { chat: [...state.chat, message].slice(-chatLength) },
  viewArranged: (_state, viewArrangement) => ({ viewArrangement }),
  roomUpdated: (_state, { room }) => ({ room }),
  waiting: (_state, waiting) => ({ waiting }),
  lobby: (_state, { waiting }) => ({ lobby: waiting }),
  draining: (_state, { closesInMs }, nowMs) => ({ closesAtMs: closesInMs === null ? undefined : nowMs + closesInMs }),
  bandwidth: (_state, { availableOutgoingBps }) => ({ availableOutgoingBps }),
};

function withParticipant(state: RoomState, participant: ParticipantInfo): ReadonlyMap<string, ParticipantInfo> {
  return new Map(state.participants).set(participant.id, participant);
}

function withPublication(state: RoomState, publication: PublicationInfo): Partial<RoomState> {
  return changeParticipant(state, publication.participantId, (participant) => ({
    publications: replaceById(participant.publications, publication),
  }));
}

/** An event about somebody unknown says nothing: hidden participants are in no list. */
function changeParticipant(
  state: RoomState,
  participantId: string,
  change: (participant: ParticipantInfo) => Partial<ParticipantInfo>,
): Partial<RoomState> {
  const participant = state.participants.get(participantId);
  if (!participant) return {};
  return { participants: withParticipant(state, { ...participant, ...change(participant) }) };
}

function replaceById<T extends { readonly id: string }>(list: readonly T[], item: T): readonly T[] {
  const index = list.findIndex(({ id }) => id === item.id);
  return index < 0 ? [...list, item] : list.with(index, item);
}
