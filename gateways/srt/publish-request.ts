// Owns: what a session asks before somebody may publish, and is answered. Types only. May import: core.
import type { MediaSource } from '#core/media-source.ts';
import type { Logger } from '#core/ports.ts';

/** Somebody wants to publish. The stream key is a credential: it goes into no log. */
export interface SrtPublishRequest {
  readonly streamKey: string;
  readonly remoteAddress: string;
}

export interface SrtPublishGrant {
  /** What may be published once at a time: the id of the stream key, never its secret. */
  readonly publisherId: string;
  readonly whenBusy: 'reject' | 'take_over';
  /** What its media must be encrypted with; the server's own when absent. */
  readonly passphrase?: string | undefined;
  /** Takes the stream into a room, before the publisher is told that it is accepted. The caller starts the source. */
  accept(source: MediaSource): void | Promise<void>;
}

export interface SrtSessionPorts {
  readonly log: Logger;
  /** @throws GatewayError: the caller is told its reason */
  authorizePublish(request: SrtPublishRequest): Promise<SrtPublishGrant>;
  /** The caller has shown that it knows the passphrase too: it is its turn. @throws GatewayError `conflict` */
  claim(grant: SrtPublishGrant): Promise<void>;
}

export interface SrtSessionOptions {
  /** How long lost packets are waited for, unless the other side wants longer. */
  readonly latencyMs: number;
  /** For everybody whose stream key has none of its own. */
  readonly passphrase?: string | undefined;
  /** Less than callers wait (3 s), so that they are told the reason. */
  readonly authorizeTimeoutMs: number;
  /** Of a peer from which nothing comes at all. */
  readonly idleTimeoutMs: number;
}
