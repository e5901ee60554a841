// Owns: what the domain offers of media for players that are no WebRTC. src/jobs/live-feeds.ts is it. May import: core only.
import type { EventEmitter } from 'node:events';
import type { CloseReason } from './lifecycle.ts';
import type { LiveFragment, LiveInit } from './live-media.ts';
import type { Room } from './room.ts';

export type LiveTarget =
  /** A composed view with the sound of everybody. */
  | { readonly kind: 'view'; readonly view: string }
  /** A publication's id, a participant's id, or the name of a user; `mix` where nobody is called so: the sound of everybody. */
  | { readonly kind: 'named'; readonly name: string };

export type LiveFeedEvents = {
  /** Before its first fragment, and again when a codec or size changes or another worker goes on. */
  init: [init: LiveInit];
  fragment: [fragment: LiveFragment];
  closed: [reason: CloseReason];
};

/** One target of one room as it is made now, once for all who watch. */
export interface LiveFeed {
  readonly events: EventEmitter<LiveFeedEvents>;
  /** Why there is nothing yet, or no more, for people. */
  readonly state: string;
  close(reason?: CloseReason): Promise<CloseReason>;
}

export interface LiveFeedPort {
  /** @throws GatewayError `not_found`, `overloaded`, `draining`, `media_lost` */
  open(room: Room, target: LiveTarget): Promise<LiveFeed>;
}
