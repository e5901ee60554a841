// Owns: what every WebRTC peer of this gateway has: a participant, one transport, and deadlines for both.
// May import: core and its siblings here.
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, SfuWebRtcTransport } from '#core/ports.ts';

export interface SessionTimeouts {
  /** From the answer to the end of the DTLS handshake. */
  readonly connectTimeoutMs: number;
  /** From the loss of ICE, which the SFU notices after 30 s without consent checks, to the end of the session. */
  readonly disconnectTimeoutMs: number;
}

/**
 * ```
 *  connecting ──DTLS──▶ connected ──ICE lost──▶ disconnected ──ICE back──▶ connected
 *      │ connectTimeoutMs    │ DTLS closed            │ disconnectTimeoutMs
 *      └──────────────────── ▼ ◀──────────────────────┘
 *                          ended, with the transport (`onEnded`)
 * ```
 * Watches one transport; its owner decides what the end of it means.
 */
export class TransportWatch {
  readonly #timeouts: SessionTimeouts;
  readonly #onEnded: (reason: CloseReason, detail: string) => void;
  readonly #onConnected: () => void;
  readonly #unlisten: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isConnected = false;
  #isEnded = false;

  constructor(
    transport: SfuWebRtcTransport,
    timeouts: SessionTimeouts,
    on: { connected: () => void; ended: (reason: CloseReason, detail: string) => void },
  ) {
    this.#timeouts = timeouts;
    this.#onEnded = on.ended;
    this.#onConnected = on.connected;
    this.#unlisten = listen(transport.events, {
      closed: () => this.#end('failed', 'transport closed'),
      dtlsStateChanged: (state) => this.#dtlsChanged(state),
      iceStateChanged: (state) => this.#iceChanged(state),
    });
    this.#restartTimer(timeouts.connectTimeoutMs, 'not connected in time');
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  stop(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#unlisten();
  }

  #dtlsChanged(state: string): void {
    if (state === 'failed') this.#end('failed', 'DTLS failed');
    if (state === 'closed') this.#end('peer_left', 'DTLS closed by the peer');
    if (state !== 'connected' || this.#isConnected) return;
    this.#isConnected = true;
    clearTimeout(this.#timer);
    this.#onConnected();
  }

  #iceChanged(state: string): void {
    if (!this.#isConnected) return;
    if (state === 'disconnected') this.#restartTimer(this.#timeouts.disconnectTimeoutMs, 'ICE lost');
    else clearTimeout(this.#timer);
  }

  #restartTimer(timeoutMs: number, detail: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end('timeout', detail), timeoutMs).unref();
  }

  #end(reason: CloseReason, detail: string): void {
    if (this.#isEnded) return;
    this.stop();
    this.#onEnded(reason, detail);
  }
}

/** A peer with one transport for life: WHIP and WHEP. Ends with its transport, its participant or its room. */
export abstract class PeerSession extends Owned {
  readonly participant: Participant;
  readonly transport: SfuWebRtcTransport;
  readonly log: Logger;
  readonly #watch: TransportWatch;

  constructor(participant: Participant, transport: SfuWebRtcTransport, timeouts: SessionTimeouts, log: Logger) {
    super();
    this.participant = participant;
    this.transport = transport;
    this.log = log;
    this.#watch = new TransportWatch(transport, timeouts, {
      connected: () => this.onConnected(),
      ended: (reason, detail) => {
        this.log.info({ reason, detail }, 'peer connection ended');
        void this.close(reason);
      },
    });
    participant.events.on('closed', (reason) => void this.close(reason));
  }

  get isConnected(): boolean {
    return this.#watch.isConnected;
  }

  protected abstract onConnected(): void;

  protected override async onClose(reason: CloseReason): Promise<void> {
    this.#watch.stop();
    this.log.info({ reason }, 'session ended');
    await this.participant.close(reason);
  }
}
