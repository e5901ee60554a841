// Owns: what an RTSP session asks before somebody may push or play, and is answered. Types only. May import: core.
import type { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, RtpFormat, SourceStream } from '#core/media-source.ts';
import type { PlayerTransportOptions } from '#core/player-transport.ts';
import type { Logger } from '#core/ports.ts';
import type { MediaKind } from '#core/rtp.ts';

/** Somebody wants to push or play. The path may hold a stream key: it goes into no log. */
export interface RtspAccessRequest {
  /** Of the URL, without slashes at its ends and without `trackID=…`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Proved by password; undefined for who has not said who they are. */
  readonly username: string | undefined;
  readonly remoteAddress: string;
  readonly isEncrypted: boolean;
  readonly userAgent: string;
}

export interface RtspPublishGrant {
  /** What may be pushed once at a time: the id of the stream key, never its secret. */
  readonly publisherId: string;
  readonly whenBusy: 'reject' | 'take_over';
  /** Takes the stream into a room; throwing still refuses it. The caller starts and closes the source. */
  accept(source: MediaSource): void | Promise<void>;
}

export interface RtspPlayable {
  readonly name: string;
  /** One m-line each, in this order; an index into it names a track. */
  readonly tracks: readonly { readonly kind: MediaKind; readonly rtp: RtpFormat }[];
  /** Called for each player, at its first SETUP. */
  open(player: RtspPlayer): RtspPlayback;
}

/** Who plays, as its playback sees it. */
export interface RtspPlayer {
  /** It has given a sign of life that did not come through its session. */
  heard(): void;
  /** There is nothing more for it, or it does not keep up. */
  end(failure: GatewayError): void;
}

/** Where a track goes that is relayed. */
export interface RtspOutlet {
  send(kind: 'rtp' | 'rtcp', packet: Uint8Array): void;
  /** Written and not taken by the network yet; 0 where there is no telling. */
  readonly queuedBytes: number;
}

/** Where a track goes on from, for RTP-Info (RFC 2326 §12.33). */
export interface RtspPosition {
  readonly track: number;
  readonly sequenceNumber: number;
  readonly rtpTimestamp: number;
}

/** One player's share of a playable. Calls after `close` are ignored. */
export interface RtspPlayback {
  /**
   * Sends straight from the SFU to the player, so that media by UDP does not pass through here. Absent where it cannot.
   * Called before the first `play`; the ports are free then.
   */
  sendDirectly?(track: number, path: PlayerTransportOptions): Promise<void>;
  /** @param outlet takes packets from now until `close` */
  relay(track: number, outlet: RtspOutlet): Promise<{ readonly ssrc: number | undefined }>;
  /** Receiver reports and requests for key frames. */
  receiveRtcp(track: number, packet: Uint8Array): void;
  /** Before the answer to PLAY: what will come first, as far as that can be known soon. */
  begin?(): Promise<readonly RtspPosition[]>;
  /** Begin, with a key frame and a sender report as soon as they can be had. */
  play(): Promise<void>;
  pause(): Promise<void>;
  close(reason: CloseReason): void;
}

export interface RtspSessionPorts {
  readonly log: Logger;
  /** For Digest and Basic; undefined for a user that does not exist. */
  passwordOf(username: string): Promise<string | undefined>;
  /** @throws GatewayError; `unauthorized` makes the client ask for a password */
  authorizePublish(request: RtspAccessRequest, streams: readonly SourceStream[]): Promise<RtspPublishGrant>;
  /** As above. */
  authorizePlay(request: RtspAccessRequest): Promise<RtspPlayable>;
}

export interface RtspSessionOptions {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly isEncrypted: boolean;
  /** From the connection to a session that plays or records. */
  readonly setupTimeoutMs: number;
  /** Told to clients; without a sign of life for so long a session ends. */
  readonly sessionTimeoutMs: number;
  /** Inclusive; 0 for whatever the system gives. */
  readonly firstUdpPort: number;
  readonly lastUdpPort: number;
  /** Of one player in the connection; packets past it are dropped. */
  readonly maxQueuedBytes: number;
}
