// Owns: pulling FLV over HTTP, as SRS, nginx-http-flv and IP cameras serve it, as a MediaSource of core. May import: core.
import { type IncomingMessage, request } from 'node:http';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { dial } from '#wire/dial.ts';
import { AmfEcmaArray, objectOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import { FlvReader } from './flv-reader.ts';
import { messageType, parseData } from './messages.ts';
import { TagTranslator } from './translate.ts';

export interface FlvPullOptions {
  /** http(s)://user:password@host/path.flv; never logged. */
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly startTimeoutMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
}

const defaultTimeoutMs = 10_000;
const maxRedirects = 3;
const maxBrokenInARow = 50;
/** Another attempt would end the same way. */
const finalCodes: ReadonlySet<string> = new Set(['forbidden', 'upstream_refused', 'unsupported_media_type']);

/** One attempt; another one is another object. */
export class FlvPull implements MediaSource {
  readonly #options: FlvPullOptions;
  readonly #url: URL;
  readonly #abort = new AbortController();
  readonly #done = Promise.withResolvers<SourceEnd>();
  readonly #reader = new FlvReader();
  #translator: TagTranslator | undefined;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isPaused = false;
  #brokenInARow = 0;
  #isOver = false;

  /** @throws GatewayError `invalid_request` for the URL */
  constructor(options: FlvPullOptions) {
    this.#options = options;
    this.#url = parseUrl(options.url);
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#translator || this.#isOver) return;
    this.#translator = new TagTranslator({
      describe: (stream) => !this.#isOver && sink.describe(stream),
      deliver: (unit) => !this.#isOver && sink.deliver(unit),
    });
    this.#expectSomething(this.#options.startTimeoutMs, 'The server did not start the stream in time.');
    void this.#get(this.#url, maxRedirects).catch((thrown) => this.#end('failed', toGatewayError(thrown)));
  }

  requestKeyFrame(): boolean {
    return false;
  }

  pause(): void {
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.#response?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#response?.resume();
    this.#expectMedia();
  }

  close(reason: CloseReason = 'requested'): void {
    this.#end(reason);
  }

  async #get(url: URL, redirectsLeft: number): Promise<void> {
    const isEncrypted = url.protocol === 'https:';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const target = { scheme: url.protocol.slice(0, -1), host, port: Number(url.port || (isEncrypted ? 443 : 80)) };
    const { policy, lookup } = this.#options;
    const socket = await dial(target, isEncrypted, { policy, lookup, signal: this.#abort.signal });
    // A password is for the server it was given for, not for wherever that one sends us.
    const auth = url.host === this.#url.host && this.#url.username !== '' ? credentialsOf(this.#url) : undefined;
    const headers = { host: url.host, accept: '*/*', ...(auth && { authorization: auth }) };
    const asked = request({
      // Without an agent: one would connect by itself, to wherever the name leads then.
      createConnection: () => socket,
      path: url.pathname + url.search,
      headers,
      signal: this.#abort.signal,
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    asked.once('response', resolve);
    asked.on('error', (cause) => reject(new GatewayError('upstream_failed', 'The HTTP server hung up.', { cause })));
    asked.end();
    const response = await promise;
    const { statusCode = 0, headers: answered } = response;
    if (statusCode >= 300 && statusCode < 400 && answered.location) {
      response.destroy();
      if (redirectsLeft === 0) throw new GatewayError('upstream_failed', `More than ${maxRedirects} redirects.`);
      return this.#get(parseUrl(URL.parse(answered.location, url.href)?.href ?? ''), redirectsLeft - 1);
    }
    this.#assertOk(response, statusCode);
    this.#read(response);
  }

  #assertOk(response: IncomingMessage, status: number): void {
    if (status === 200) return;
    response.destroy();
    if (status === 401 || status === 403) {
      throw new GatewayError('upstream_refused', `The HTTP server refused the user name or password (${status}).`);
    }
    throw new GatewayError('upstream_failed', `The HTTP server answered ${status}.`);
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    response.on('data', (data: Buffer) => {
      if (this.#isOver) return;
      this.#expectMedia();
      try {
        this.#reader.push(data, (message) => this.#message(message));
      } catch (thrown) {
        this.#end('failed', toGatewayError(thrown));
      }
    });
    // `close` follows either way.
    response.on('error', () => undefined);
    response.on('close', () =>
      this.#end('peer_left', new GatewayError('upstream_failed', 'The HTTP server ended the stream.')),
    );
    if (this.#isPaused) response.pause();
    this.#expectMedia();
  }

  #message(message: RtmpMessage): void {
    try {
      if (message.type === messageType.audio || message.type === messageType.video) this.#translator?.message(message);
      else if (message.type === messageType.dataAmf0) this.#data(message);
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

  #expectMedia(): void {
    if (!this.#isPaused) this.#expectSomething(this.#options.stallTimeoutMs, 'No media came from the HTTP server.');
  }

  #expectSomething(timeoutMs = defaultTimeoutMs, message: string): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => this.#end('timeout', new GatewayError('timeout', message)), timeoutMs);
  }

  #end(reason: CloseReason, error?: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#response?.destroy();
    this.#done.resolve({
      reason,
      error: error && { code: error.code, message: error.message },
      mayReturn: reason !== 'requested' && !(error && finalCodes.has(error.code)),
    });
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new GatewayError('invalid_request', 'An HTTP-FLV URL looks like http://user:password@host/live/stream.flv');
}

function credentialsOf({ username, password }: URL): string {
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % belongs to the password
  }
}
