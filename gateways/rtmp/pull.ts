// Owns: playing a stream from an RTMP server, as a MediaSource of core. May import: core.
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { AmfEcmaArray, objectOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import { ClientConnection } from './client-connection.ts';
import { messageType, parseData, splitAggregate, userControl, userControlMessage } from './messages.ts';
import { TagTranslator } from './translate.ts';
import { parseRtmpUrl } from './url.ts';

export interface RtmpPullOptions {
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly authorities?: string | undefined;
  readonly startTimeoutMs?: number | undefined;
  /** So long without anything from the server. */
  readonly stallTimeoutMs?: number | undefined;
}

const defaultTimeoutMs = 10_000;
const maxBrokenInARow = 50;

/** One attempt; another one is another object. */
export class RtmpPull implements MediaSource {
  readonly #client: ClientConnection;
  readonly #streamName: string;
  readonly #done = Promise.withResolvers<SourceEnd>();
  #translator: TagTranslator | undefined;
  #isPaused = false;
  #brokenInARow = 0;
  #ending: { readonly reason: CloseReason; readonly error?: GatewayError } | undefined;

  /** @throws GatewayError `invalid_request` for the URL */
  constructor(options: RtmpPullOptions) {
    const url = parseRtmpUrl(options.url);
    this.#streamName = url.streamName;
    this.#client = new ClientConnection({
      url,
      policy: options.policy,
      lookup: options.lookup,
      authorities: options.authorities,
      startTimeoutMs: options.startTimeoutMs ?? defaultTimeoutMs,
      stallTimeoutMs: options.stallTimeoutMs ?? defaultTimeoutMs,
      expectsMedia: true,
    });
    this.#client.onMessage = (message) => this.#message(message);
    this.#client.onStatus = ({ code }) => {
      if (code === 'NetStream.Play.UnpublishNotify' || code === 'NetStream.Play.Stop') this.#end('peer_left');
    };
    void this.#client.done.then((reason) => this.#settle(reason));
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#translator) return;
    this.#translator = new TagTranslator({
      describe: (stream) => !this.#client.isClosed && sink.describe(stream),
      deliver: (unit) => !this.#client.isClosed && sink.deliver(unit),
    });
    void this.#play().catch((thrown) => this.#end('failed', toGatewayError(thrown)));
  }

  requestKeyFrame(): boolean {
    return false;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#client.hold();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#client.release();
  }

  close(reason: CloseReason = 'requested'): void {
    this.#end(reason);
  }

  async #play(): Promise<void> {
    await this.#client.open([], { flashVer: 'LNX 9,0,124,2', fpad: false, capabilities: 15 });
    if (this.#isPaused) this.#client.hold();
    const { streamId } = this.#client;
    this.#client.send(userControlMessage(userControl.setBufferLength, streamId, 300));
    const args = [null, this.#streamName, -2_000]; // live, or recorded if there is no live one
    await this.#client.start({ name: 'play', transactionId: 0, args }, 'NetStream.Play.Start');
  }

  #message(message: RtmpMessage): void {
    try {
      const parts = message.type === messageType.aggregate ? splitAggregate(message) : [message];
      for (const part of parts) {
        if (part.type === messageType.audio || part.type === messageType.video) this.#translator?.message(part);
        else if (part.type === messageType.dataAmf0 || part.type === messageType.dataAmf3) this.#data(part);
      }
      this.#brokenInARow = 0;
    } catch (thrown) {
      if (toGatewayError(thrown).code !== 'invalid_request' || ++this.#brokenInARow > maxBrokenInARow) throw thrown;
    }
  }

  #data(message: RtmpMessage): void {
    const [name, value] = parseData(message);
    const values = value instanceof AmfEcmaArray ? value.values : objectOf(value);
    if (name === 'onMetaData' && values) this.#translator?.metadata(values);
  }

  #end(reason: CloseReason, error?: GatewayError): void {
    this.#ending ??= error ? { reason, error } : { reason };
    void this.#client.close(reason);
  }

  #settle(reason: CloseReason): void {
    const error = this.#ending?.error ?? this.#client.failure;
    const isRefused = error?.code === 'forbidden' || error?.code === 'unsupported_media_type';
    this.#done.resolve({
      reason: this.#ending?.reason ?? reason,
      error: error && { code: error.code, message: error.message },
      // A stream that is not there may come yet; only what our own rules forbid will not change by itself.
      mayReturn: !isRefused && this.#ending?.reason !== 'requested',
    });
  }
}
