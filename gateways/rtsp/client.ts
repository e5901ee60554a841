// Owns: pulling a stream from an RTSP server, usually a camera, as a MediaSource of core: RTP as it comes, untouched.
// May import: core.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import { dial } from '#wire/dial.ts';
import { ClientTrack } from './client-track.ts';
import { headerOf, type RtspResponse } from './message.ts';
import { RequestChannel } from './request-channel.ts';
import { aggregateControl, parseTracks, type RtspTrack } from './sdp.ts';
import { parseRtspUrl, parseSession, type RtspUrl } from './translate.ts';
import type { UdpPairOptions } from './udp-pair.ts';

export type RtspTransport = 'auto' | 'tcp' | 'udp';

export interface RtspPullOptions {
  /** rtsp(s)://user:password@host/path; never logged. */
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly authorities?: string | undefined;
  /** False takes any TLS certificate, as cameras have them. */
  readonly checksCertificate?: boolean | undefined;
  readonly log?: Logger | undefined;
  /** `auto`: TCP, and UDP where the server has no TCP. */
  readonly transport?: RtspTransport | undefined;
  readonly wantsAudio?: boolean | undefined;
  readonly wantsVideo?: boolean | undefined;
  /** From the beginning to the answer to PLAY. */
  readonly startTimeoutMs?: number | undefined;
  readonly requestTimeoutMs?: number | undefined;
  /** So long without a packet. */
  readonly stallTimeoutMs?: number | undefined;
  /** For media by UDP. */
  readonly udpPorts?: Pick<UdpPairOptions, 'firstPort' | 'lastPort'> | undefined;
}

const defaultStartTimeoutMs = 15_000;
const defaultRequestTimeoutMs = 10_000;
const defaultStallTimeoutMs = 5_000;
const maxRedirects = 3;
const maxKeepAliveMs = 25_000;
const reportIntervalMs = 5_000;

/** One attempt; another one is another object. */
export class RtspPull implements MediaSource {
  readonly #options: RtspPullOptions;
  readonly #url: RtspUrl;
  readonly #abort = new AbortController();
  readonly #done = Promise.withResolvers<SourceEnd>();
  readonly #tracks = new Map<number, ClientTrack>();
  readonly #reporterSsrc = randomBytes(4).readUInt32BE();
  #sink: SourceSink | undefined;
  #channel: RequestChannel | undefined;
  #controlUri = '';
  #hasSession = false;
  #publicMethods = '';
  #remoteAddress = '';
  #keepAliveMs = maxKeepAliveMs;
  #lastPacketMs = 0;
  #isPaused = false;
  #timers: NodeJS.Timeout[] = [];
  #ending: { readonly reason: CloseReason; readonly error: GatewayError | undefined } | undefined;

  /** @throws GatewayError `invalid_request` for the URL */
  constructor(options: RtspPullOptions) {
    this.#options = options;
    this.#url = parseRtspUrl(options.url);
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#sink || this.#ending) return;
    this.#sink = sink;
    const late = new GatewayError('timeout', 'The RTSP server did not start the stream in time.');
    const timer = setTimeout(() => this.#end('timeout', late), this.#options.startTimeoutMs ?? defaultStartTimeoutMs);
    this.#play()
      .catch((thrown) => this.#end('failed', toGatewayError(thrown)))
      .finally(() => clearTimeout(timer));
  }

  /** By RTCP, where the description says that the server listens. */
  requestKeyFrame(streamId: number): boolean {
    return this.#tracks.get(streamId)?.requestKeyFrame(this.#reporterSsrc) ?? false;
  }

  pause(): void {
    this.#isPaused = true;
    this.#channel?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#lastPacketMs = performance.now();
    this.#channel?.resume();
  }

  close(reason: CloseReason = 'requested'): void {
    this.#end(reason, undefined);
  }

  async #play(): Promise<void> {
    const { channel, tracks } = await this.#describe();
    for (const track of tracks) await this.#setup(channel, track);
    const response = await channel.request('PLAY', this.#controlUri, { Range: 'npt=0.000-' });
    assertOk(response, 'PLAY');
    if (this.#ending) return;
    this.#lastPacketMs = performance.now();
    this.#startTimers(channel);
    this.#options.log?.info({ host: this.#url.host, tracks: tracks.length }, 'rtsp pull started');
  }

  /** Connects and describes, following redirects as far as the policy and our patience let it. */
  async #describe(): Promise<{ channel: RequestChannel; tracks: readonly RtspTrack[] }> {
    let url = this.#url;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const channel = await this.#connect(url);
      const options = await channel.request('OPTIONS', url.uri);
      this.#publicMethods = headerOf(options, 'public') ?? '';
      const response = await channel.request('DESCRIBE', url.uri, { Accept: 'application/sdp' });
      const location = headerOf(response, 'location');
      if (response.status < 300 || response.status >= 400 || location === undefined) {
        assertOk(response, 'DESCRIBE');
        return { channel, tracks: this.#chooseTracks(response, url) };
      }
      this.#channel = undefined;
      void channel.close('requested');
      url = parseRtspUrl(location);
    }
    throw new GatewayError('upstream_failed', `The RTSP server redirects more than ${maxRedirects} times.`);
  }

  async #connect(url: RtspUrl): Promise<RequestChannel> {
    const socket = await dial(url, url.scheme === 'rtsps', { ...this.#options, signal: this.#abort.signal });
    // A password is for the server it was given for, not for wherever that one sends us.
    const isOwn = url.host === this.#url.host && url.port === this.#url.port;
    const channel = new RequestChannel(socket, {
      credentials: isOwn ? this.#url.credentials : undefined,
      requestTimeoutMs: this.#options.requestTimeoutMs ?? defaultRequestTimeoutMs,
      onFrame: ({ channel: id, payload }) => {
        for (const track of this.#tracks.values()) track.frame(id, payload);
      },
    });
    this.#remoteAddress = (socket as Socket).remoteAddress ?? '';
    this.#channel = channel;
    void channel.done.then((reason) => {
      if (this.#channel === channel) this.#end(reason, channel.failure ?? lost());
    });
    if (this.#ending) void channel.close('requested');
    return channel;
  }

  #chooseTracks(response: RtspResponse, url: RtspUrl): readonly RtspTrack[] {
    const base = headerOf(response, 'content-base') ?? headerOf(response, 'content-location') ?? url.uri;
    const sdp = response.body.toString('utf8');
    const { wantsAudio = true, wantsVideo = true } = this.#options;
    const known = parseTracks(sdp, base);
    // One of each: the first that a camera lists is its main one.
    const video = wantsVideo ? known.find(({ stream }) => stream.kind === 'video') : undefined;
    const audio = wantsAudio ? known.find(({ stream }) => stream.kind === 'audio') : undefined;
    const tracks = [video, audio].filter((track) => track !== undefined);
    if (tracks.length === 0) {
      throw new GatewayError('no_common_codec', 'The RTSP stream has no audio or video that we can take.');
    }
    this.#controlUri = aggregateControl(sdp, base);
    return tracks;
  }

  async #setup(channel: RequestChannel, track: RtspTrack): Promise<void> {
    const wish = this.#options.transport ?? 'auto';
    const hasUdp = [...this.#tracks.values()].some((one) => one.isUdp);
    const attempts = wish === 'auto' ? (hasUdp ? (['udp'] as const) : (['tcp', 'udp'] as const)) : ([wish] as const);
    for (const [i, transport] of attempts.entries()) {
      const pulled = await ClientTrack.create(track, {
        transport,
        isReceiving: true,
        channelId: 2 * this.#tracks.size,
        remoteAddress: this.#remoteAddress,
        udpPorts: this.#options.udpPorts,
        onPacket: (kind, data) => this.#packet(track.stream.id, kind, data),
      });
      if (this.#ending) return void pulled.close();
      const response = await channel.request('SETUP', track.control, { Transport: pulled.offer }).catch((thrown) => {
        pulled.close();
        throw thrown;
      });
      if (response.status === 461 && i < attempts.length - 1) {
        pulled.close();
        continue;
      }
      this.#tracks.set(track.stream.id, pulled);
      assertOk(response, 'SETUP');
      pulled.accept(headerOf(response, 'transport'), (id, data) => channel.sendFrame(id, data));
      const session = parseSession(headerOf(response, 'session') ?? '');
      channel.sessionId = session.id;
      this.#hasSession = true;
      this.#keepAliveMs = Math.min(session.timeoutMs / 2, maxKeepAliveMs);
      this.#sink?.describe(track.stream);
      return;
    }
  }

  #packet(streamId: number, kind: 'rtp' | 'rtcp', data: Buffer): void {
    if (this.#ending) return;
    if (kind === 'rtp') this.#lastPacketMs = performance.now();
    this.#sink?.deliver({ kind, streamId, data });
  }

  #startTimers(channel: RequestChannel): void {
    const stallTimeoutMs = this.#options.stallTimeoutMs ?? defaultStallTimeoutMs;
    const method =
      this.#publicMethods === '' || /GET_PARAMETER/.test(this.#publicMethods) ? 'GET_PARAMETER' : 'OPTIONS';
    const report = () => {
      for (const track of this.#tracks.values()) track.report(this.#reporterSsrc);
    };
    report();
    this.#timers = [
      setInterval(
        () => {
          if (this.#isPaused || performance.now() - this.#lastPacketMs < stallTimeoutMs) return;
          this.#end('timeout', new GatewayError('timeout', 'No media came from the RTSP server.'));
        },
        Math.max(20, stallTimeoutMs / 20),
      ),
      setInterval(() => {
        // A camera that does not answer is caught by the watchdog, if it does not send either.
        channel.request(method, this.#controlUri).catch(() => undefined);
      }, this.#keepAliveMs),
      setInterval(report, reportIntervalMs),
    ];
  }

  #end(reason: CloseReason, error: GatewayError | undefined): void {
    if (this.#ending) return;
    this.#ending = { reason, error };
    this.#abort.abort();
    for (const timer of this.#timers) clearInterval(timer);
    void this.#release();
  }

  async #release(): Promise<void> {
    const channel = this.#channel;
    if (channel && !channel.isClosed && this.#hasSession) channel.tell('TEARDOWN', this.#controlUri);
    await Promise.all([channel?.close('requested'), ...[...this.#tracks.values()].map((track) => track.close())]);
    const { reason, error } = this.#ending as { reason: CloseReason; error: GatewayError | undefined };
    const isFinal = error !== undefined && finalCodes.has(error.code);
    this.#done.resolve({
      reason,
      error: error && { code: error.code, message: error.message },
      mayReturn: !isFinal && reason !== 'requested',
    });
  }
}

/** Another attempt would end the same way. */
const finalCodes: ReadonlySet<string> = new Set([
  'upstream_refused',
  'forbidden',
  'no_common_codec',
  'invalid_request',
]);

function lost(): GatewayError {
  return new GatewayError('upstream_failed', 'The RTSP server closed the connection.');
}

function assertOk({ status }: RtspResponse, method: string): void {
  if (status >= 200 && status < 300) return;
  const isFinal = status >= 400 && status < 500 && ![408, 453, 454, 455].includes(status);
  const words = reasons[status] ?? `${method} was answered with ${status}`;
  throw new GatewayError(isFinal ? 'upstream_refused' : 'upstream_failed', `The RTSP server refused: ${words}.`);
}

const reasons: Readonly<Record<number, string>> = {
  403: 'access is forbidden',
  404: 'there is no such stream',
  453: 'it has no bandwidth left',
  461: 'it does not have this transport; try another',
  503: 'it is not available now',
};
