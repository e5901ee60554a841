// Owns: what a session asks before somebody may publish, and is answered. Types only. May import: core.
import type { MediaSource } from '#core/media-source.ts';
import type { Logger } from '#core/ports.ts';

/** Somebody wants to publish. The stream name is a credential: it goes into no log. */
export interface RtmpPublishRequest {
  /** `live` of rtmp://host/live/key. */
  readonly app: string;
  /** `key` of it, without the query. */
  readonly streamName: string;
  readonly query: URLSearchParams;
  readonly remoteAddress: string;
  readonly isEncrypted: boolean;
  /** What the encoder calls itself: `FMLE/3.0 (compatible; FMSc/1.0)`. */
  readonly encoder: string;
}

export interface RtmpPublishGrant {
  /** What may be published once at a time: the id of the stream key, never its secret. */
  readonly publisherId: string;
  readonly whenBusy: 'reject' | 'take_over';
  /**
   * Takes the stream into a room. Called when it is this publisher's turn and before it is told so, so that throwing
   * still refuses it with the reason. The caller starts and closes the source.
   */
  accept(source: MediaSource): void | Promise<void>;
}

export interface RtmpSessionPorts {
  readonly log: Logger;
  /**
   * Settles when the request may go on; the answer waits for it.
   * @throws GatewayError: the encoder is told its message
   */
  authorizePublish(request: RtmpPublishRequest): Promise<RtmpPublishGrant>;
}

export interface RtmpSessionTimeouts {
  /** From the connection to the end of the handshake. */
  readonly handshakeTimeoutMs: number;
  /** From there to the publish command; what the check of the key takes does not count. */
  readonly commandTimeoutMs: number;
  readonly authorizeTimeoutMs: number;
  /** Of a publisher that sends nothing at all. */
  readonly idleTimeoutMs: number;
}
