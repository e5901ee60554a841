// Owns: what the domain offers of media for players that take RTP in their connection. src/jobs/rtp-feeds.ts is it.
// May import: core only.
import type { EventEmitter } from 'node:events';
import type { EgressSource, EgressWishes } from './egress-source.ts';
import type { CloseReason } from './lifecycle.ts';
import type { Room } from './room.ts';
import type { MediaKind } from './rtp.ts';

/** One picture, or one frame of sound, as RTP; or a sender report alone. */
export interface RtpUnit {
  readonly kind: MediaKind;
  /** Decoding may begin with it; always so for audio. */
  readonly isKey: boolean;
  /** RTP of one time stamp, or one RTCP packet. */
  readonly packets: readonly Uint8Array[];
}

/** RFC 5761 §4. */
export function isReport({ packets }: RtpUnit): boolean {
  const type = packets[0]?.[1] ?? 0;
  return type >= 192 && type <= 223;
}

export type RtpFeedEvents = {
  unit: [unit: RtpUnit];
  closed: [reason: CloseReason];
};

export interface RtpFeedOptions {
  readonly source: EgressSource;
  readonly wishes: EgressWishes;
  readonly audioCodec: 'aac' | 'opus';
  readonly payloadTypes: { readonly video: number; readonly audio: number };
}

/** H264 and sound of one source, packed once for all who play it. */
export interface RtpFeed {
  readonly events: EventEmitter<RtpFeedEvents>;
  readonly signal: AbortSignal;
  readonly isClosed: boolean;
  /** Why there is nothing yet, or no more, for people. */
  readonly state: string;
  requestKeyFrame(): void;
  close(reason?: CloseReason): Promise<CloseReason>;
}

export interface RtpFeedPort {
  /** @throws GatewayError `overloaded`, `draining`, `media_lost` */
  open(room: Room, options: RtpFeedOptions): Promise<RtpFeed>;
}
