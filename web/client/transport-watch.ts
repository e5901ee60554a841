// Owns: bringing one transport's ICE back when the network under it changes. May import: mediasoup-client (types).
import type { Transport } from 'mediasoup-client/types';
import type { ResultMap } from '#signalling/protocol.ts';
import { asIceParameters } from './mediasoup-shapes.ts';

export interface TransportWatchOptions {
  readonly restartIce: () => Promise<ResultMap['restartIce']>;
  /** Without signalling there is nobody to restart with; `review()` is called when it is back. */
  readonly isOnline: () => boolean;
  readonly onStateChanged: () => void;
  /** Restarts did not help: the transport has to be made anew. */
  readonly onFailed: (why: string) => void;
}

/** ICE heals short losses by itself (RFC 7675 consent checks); a restart sooner would only disturb it. */
const disconnectedGraceMs = 2_000;
const restartTimeoutMs = 6_000;
const maxRestarts = 3;
/** Of what never was connected: that something is in the way is not to be told after a minute only. */
const maxFirstRestarts = 1;
/** A first handshake that takes longer than this is not going to finish. */
const connectTimeoutMs = 15_000;

export class TransportWatch {
  readonly #transport: Transport;
  readonly #options: TransportWatchOptions;
  #restarts = 0;
  #hasBeenConnected = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRestarting = false;

  constructor(transport: Transport, options: TransportWatchOptions) {
    this.#transport = transport;
    this.#options = options;
    transport.on('connectionstatechange', () => {
      this.review();
      options.onStateChanged();
    });
  }

  /** Looks at the state as it is now; also after signalling has come back. */
  review(): void {
    clearTimeout(this.#timer);
    if (this.#transport.closed) return;
    switch (this.#transport.connectionState) {
      case 'connected':
        this.#restarts = 0;
        this.#hasBeenConnected = true;
        break;
      case 'connecting':
        this.#timer = setTimeout(() => void this.#restart('was not set up in time'), connectTimeoutMs);
        break;
      case 'disconnected':
        this.#timer = setTimeout(() => void this.#restart('was lost'), disconnectedGraceMs);
        break;
      case 'failed':
        void this.#restart('failed');
        break;
      default:
        break;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #restart(why: string): Promise<void> {
    if (this.#isRestarting || this.#transport.closed || !this.#options.isOnline()) return;
    if (this.#transport.connectionState === 'connected') return;
    if (this.#restarts >= (this.#hasBeenConnected ? maxRestarts : maxFirstRestarts)) {
      this.#options.onFailed(`The media connection ${why} and did not come back.`);
      return;
    }
    this.#restarts += 1;
    this.#isRestarting = true;
    try {
      const { iceParameters } = await this.#options.restartIce();
      if (this.#transport.closed) return;
      await this.#transport.restartIce({ iceParameters: asIceParameters(iceParameters) });
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#restart(why), restartTimeoutMs);
    } catch (thrown) {
      if (this.#transport.closed || !this.#options.isOnline()) return;
      const detail = thrown instanceof Error ? thrown.message : String(thrown);
      this.#options.onFailed(`The media connection ${why} and could not be restarted: ${detail}`);
    } finally {
      this.#isRestarting = false;
    }
  }
}
