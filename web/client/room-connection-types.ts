// Owns: what a connection to a room is made with, and what it tells. Types only. May import: its siblings' types.
import type { ChatInfo, EventMap, ParticipantInfo, PublicationInfo } from '#signalling/protocol.ts';
import type { DataMessage } from './data-hub.ts';
import type { EndInfo, LocalPublicationView, SubscriptionView } from './room-state.ts';

export interface RoomConnectionOptions {
  readonly room: string;
  /** A join token of that room, or how to get one; a function is asked again whenever the room is joined anew. */
  readonly token: string | (() => string | Promise<string>);
  /** `wss://host/ws`; the server that this page came from if absent. */
  readonly url?: string;
  /** What others see; the token's name if absent. */
  readonly displayName?: string;
  /** Whoever joins has agreed to being recorded; without it a room that asks for that refuses with `consent_required`. */
  readonly hasConsented?: boolean;
  /** Which publications are received without being asked for: all (default), none, or those that it picks. */
  readonly autoSubscribe?: boolean | ((publication: PublicationInfo) => boolean);
  /**
   * Takes this view of the room, one picture, instead of the videos of everybody; voices still come one by one, so that
   * nobody hears himself. `state.viewPublicationId` is its subscription.
   */
  readonly view?: string;
  /** `relay` sends everything through TURN. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly maxAttempts?: number;
}

/** What a page tells of the element that shows a video. */
export interface VideoView {
  readonly isVisible: boolean;
  /** Device pixels. */
  readonly heightPx: number;
}

export type RoomConnectionEvents = {
  /** In the room; `isAgain` after the server had forgotten this client and it joined as somebody new. */
  joined: [isAgain: boolean];
  reconnecting: [];
  resumed: [];
  ended: [end: EndInfo];
  /** The media server was replaced; everything is being sent and received anew. */
  mediaRestarted: [];
  participantJoined: [participant: ParticipantInfo];
  participantLeft: [participant: ParticipantInfo, reason: EventMap['participantLeft']['reason']];
  trackAdded: [subscription: SubscriptionView];
  trackRemoved: [subscription: SubscriptionView];
  chat: [message: ChatInfo];
  /** Loudest first, dBov; empty when all fall silent. */
  levels: [levels: EventMap['levels']['levels']];
  /** The server ended a stream of ours: the role does not allow it any more, or the API took it down. */
  publicationEnded: [publication: LocalPublicationView];
  data: [message: DataMessage];
};
