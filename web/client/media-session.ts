// Owns: one pair of transports, from their making to their loss. May import: mediasoup-client.
import type { Device } from 'mediasoup-client';
import type { AppData, RtpParameters, SctpStreamParameters, Transport } from 'mediasoup-client/types';
import { Emitter } from './emitter.ts';
import { toClientError } from './errors.ts';
import { asTransportOptions } from './mediasoup-shapes.ts';
import type { MediaState } from './room-state.ts';
import type { Requester } from './signalling-socket.ts';
import { TransportWatch } from './transport-watch.ts';

export interface MediaSessionOptions {
  /** Loaded with what the room speaks. */
  readonly device: Device;
  readonly requester: Requester;
  readonly isOnline: () => boolean;
  readonly canSend: boolean;
  readonly canReceive: boolean;
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined;
}

export type MediaSessionEvents = {
  stateChanged: [state: MediaState];
  /** This pair is no use any more; its owner makes another. */
  failed: [why: string];
};

/** What `transport.produce({ appData })` carries: how the server is told, and its answer kept. */
export interface ProduceAppData extends AppData {
  readonly announce: (transportId: string, rtpParameters: RtpParameters) => Promise<{ producerId: string }>;
}

export interface ProduceDataAppData extends AppData {
  readonly announce: (transportId: string, parameters: SctpStreamParameters) => Promise<{ dataProducerId: string }>;
}

export class MediaSession {
  readonly events = new Emitter<MediaSessionEvents>();
  readonly device: Device;
  readonly #options: MediaSessionOptions;
  readonly #watches: TransportWatch[] = [];
  #send: Transport | undefined;
  #recv: Transport | undefined;
  #isClosed = false;
  #state: MediaState = 'off';

  private constructor(options: MediaSessionOptions) {
    this.#options = options;
    this.device = options.device;
  }

  /** @throws ClientError the server's refusal, `timeout`, `disconnected` */
  static async create(options: MediaSessionOptions): Promise<MediaSession> {
    const session = new MediaSession(options);
    const settled = await Promise.allSettled([
      options.canSend &&
        session.#createTransport('send').then((transport) => {
          session.#send = transport;
        }),
      options.canReceive &&
        session.#createTransport('recv').then((transport) => {
          session.#recv = transport;
        }),
    ]);
    const failure = settled.find((result) => result.status === 'rejected');
    if (!failure) return session;
    for (const transport of [session.#send, session.#recv]) {
      // One of the two is no pair; gone at the server already is as good.
      if (transport) options.requester.request('closeTransport', { transportId: transport.id }).catch(() => undefined);
    }
    session.close();
    throw toClientError(failure.reason);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Absent where the role may not publish. */
  get sendTransport(): Transport | undefined {
    return this.#send;
  }

  /** Absent where the role may not receive. */
  get recvTransport(): Transport | undefined {
    return this.#recv;
  }

  get state(): MediaState {
    return this.#state;
  }

  /** After signalling has come back: the network may have changed meanwhile. */
  review(): void {
    for (const watch of this.#watches) watch.review();
  }

  /** @param why said by whoever found that this pair does not work */
  fail(why: string): void {
    if (!this.#isClosed) this.events.emit('failed', why);
  }

  /** Tracks that were sent live on; they belong to the publisher. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    this.#send?.close();
    this.#recv?.close();
    this.events.clear();
  }

  async #createTransport(direction: 'send' | 'recv'): Promise<Transport> {
    const { device, requester, iceTransportPolicy } = this.#options;
    const result = await requester.request('createTransport', {
      direction,
      hasData: true,
      ...(direction === 'recv' && { rtpCapabilities: device.recvRtpCapabilities }),
    });
    const options = asTransportOptions(result, iceTransportPolicy);
    const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
    if (this.#isClosed) {
      transport.close();
      return transport;
    }
    this.#wire(transport);
    return transport;
  }

  #wire(transport: Transport): void {
    const { requester } = this.#options;
    transport.on('connect', ({ dtlsParameters }, done, refuse) => {
      requester.request('connectTransport', { transportId: transport.id, dtlsParameters }).then(done, (thrown) => {
        refuse(toClientError(thrown));
        // mediasoup-client asks once in a transport's life; half-connected it stays for ever.
        this.fail(`The media connection could not be set up: ${toClientError(thrown).message}`);
      });
    });
    transport.on('produce', ({ rtpParameters, appData }, done, refuse) => {
      const { announce } = appData as ProduceAppData;
      announce(transport.id, rtpParameters).then(({ producerId }) => done({ id: producerId }), refuse);
    });
    transport.on('producedata', ({ sctpStreamParameters, appData }, done, refuse) => {
      const { announce } = appData as ProduceDataAppData;
      announce(transport.id, sctpStreamParameters).then(({ dataProducerId }) => done({ id: dataProducerId }), refuse);
    });
    this.#watches.push(
      new TransportWatch(transport, {
        restartIce: () => requester.request('restartIce', { transportId: transport.id }),
        isOnline: this.#options.isOnline,
        onStateChanged: () => this.#reviewState(),
        onFailed: (why) => this.fail(why),
      }),
    );
  }

  #reviewState(): void {
    const states = [this.#send, this.#recv].flatMap((transport) => transport?.connectionState ?? []);
    const state = mediaStateOf(states);
    if (state === this.#state || this.#isClosed) return;
    this.#state = state;
    this.events.emit('stateChanged', state);
  }
}

/** The worse of the two says how it is; a transport that carries nothing yet says nothing. */
export function mediaStateOf(states: readonly RTCPeerConnectionState[]): MediaState {
  if (states.includes('failed') || states.includes('disconnected')) return 'disconnected';
  if (states.includes('connecting')) return 'connecting';
  return states.includes('connected') ? 'connected' : 'off';
}
