// Owns: pushing RTP to an RTSP server (ANNOUNCE, RECORD): a media server, another gateway. May import: core.
import { randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { RtpFormat, SourceStream, SourceUnit } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { dial } from '#wire/dial.ts';
import { ClientTrack } from './client-track.ts';
import { headerOf, type RtspResponse } from './message.ts';
import { RequestChannel } from './request-channel.ts';
import { buildDescription, type RtspTrack, resolveControl } from './sdp.ts';
import { parseRtspUrl, parseSession, type RtspUrl } from './translate.ts';

export interface RtspPushOptions {
  /** rtsp(s)://user:password@host/path; never logged. */
  readonly url: string;
  readonly policy: NetPolicy;
  /** What the description says; `rtp` must be there, with the parameter sets of H264 and H265 in its sprop fields. */
  readonly streams: readonly SourceStream[];
  readonly transport?: 'tcp' | 'udp' | undefined;
  readonly lookup?: LookupAll | undefined;
  readonly authorities?: string | undefined;
  readonly checksCertificate?: boolean | undefined;
  readonly requestTimeoutMs?: number | undefined;
  /** Packets past it are left out; the receiver then asks for a key frame, or waits for one. */
  readonly maxQueuedBytes?: number | undefined;
  /** Reports of the server, and requests for key frames. */
  readonly onRtcp?: ((streamId: number, packet: Uint8Array) => void) | undefined;
}

const defaultRequestTimeoutMs = 10_000;
const defaultMaxQueuedBytes = 4 * 1_048_576;
const maxKeepAliveMs = 25_000;

export class RtspPush extends Owned {
  readonly #options: RtspPushOptions;
  readonly #url: RtspUrl;
  readonly #tracks = new Map<number, ClientTrack>();
  #channel: RequestChannel | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #droppedPackets = 0;
  #failure: GatewayError | undefined;

  constructor(options: RtspPushOptions) {
    super();
    this.#options = options;
    this.#url = parseRtspUrl(options.url);
  }

  /** Once closed: why, unless its owner closed it. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  get droppedPackets(): number {
    return this.#droppedPackets;
  }

  /** @internal by `pushRtsp` */
  async start(): Promise<void> {
    const { streams, requestTimeoutMs } = this.#options;
    const { uri, scheme, credentials } = this.#url;
    const socket = await dial(this.#url, scheme === 'rtsps', { ...this.#options, signal: this.signal });
    const channel = new RequestChannel(socket, {
      credentials,
      requestTimeoutMs: requestTimeoutMs ?? defaultRequestTimeoutMs,
      onFrame: ({ channel: id, payload }) => {
        for (const track of this.#tracks.values()) track.frame(id, payload);
      },
    });
    this.#channel = channel;
    void channel.done.then((reason) => this.#lost(reason));
    const remoteAddress = socket.remoteAddress ?? '';
    const tracks = streams.map((stream) => ({ kind: stream.kind, rtp: formatOf(stream) }));
    const ipVersion = remoteAddress.includes(':') ? 6 : 4;
    const sdp = buildDescription({ name: 'Switchyard', tracks, ipVersion, sessionId: randomBytes(4).readUInt32BE() });
    const announced = await channel.request('ANNOUNCE', uri, { 'Content-Type': 'application/sdp' }, sdp);
    assertOk(announced, 'ANNOUNCE');
    for (const [i, stream] of streams.entries()) await this.#setup(channel, stream, i, remoteAddress);
    assertOk(await channel.request('RECORD', uri, { Range: 'npt=0.000-' }), 'RECORD');
  }

  async #setup(channel: RequestChannel, stream: SourceStream, i: number, remoteAddress: string): Promise<void> {
    const control = resolveControl(`trackID=${i}`, this.#url.uri);
    const rtspTrack: RtspTrack = { control, stream: { ...stream, rtp: formatOf(stream) }, takesPli: false };
    const track = await ClientTrack.create(rtspTrack, {
      transport: this.#options.transport ?? 'tcp',
      isReceiving: false,
      channelId: 2 * i,
      remoteAddress,
      udpPorts: undefined,
      onPacket: (kind, packet) => kind === 'rtcp' && this.#options.onRtcp?.(stream.id, packet),
    });
    this.#tracks.set(stream.id, track);
    if (this.isClosed) await track.close();
    const response = await channel.request('SETUP', control, { Transport: `${track.offer};mode=record` });
    assertOk(response, 'SETUP');
    track.accept(headerOf(response, 'transport'), (id, data) => channel.sendFrame(id, data));
    const session = parseSession(headerOf(response, 'session') ?? '');
    channel.sessionId = session.id;
    if (this.#keepAlive || this.isClosed) return;
    this.#keepAlive = setInterval(
      () => {
        // One that does not answer is noticed when it stops reading, or by TCP.
        channel.request('GET_PARAMETER', this.#url.uri).catch(() => undefined);
      },
      Math.min(session.timeoutMs / 2, maxKeepAliveMs),
    );
  }

  /** RTP as it is to leave; RTCP with the same SSRC. */
  deliver(unit: SourceUnit): void {
    if (this.isClosed || unit.kind === 'access_unit') return;
    const queuedBytes = this.#channel?.unsentBytes ?? 0;
    if (queuedBytes > (this.#options.maxQueuedBytes ?? defaultMaxQueuedBytes)) this.#droppedPackets += 1;
    else this.#tracks.get(unit.streamId)?.send(unit.kind, unit.data);
  }

  #lost(reason: CloseReason): void {
    if (this.isClosed) return;
    this.#failure =
      this.#channel?.failure ?? new GatewayError('upstream_failed', 'The RTSP server closed the connection.');
    void this.close(reason);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearInterval(this.#keepAlive);
    const channel = this.#channel;
    if (channel && !channel.isClosed) channel.tell('TEARDOWN', this.#url.uri);
    await Promise.all([channel?.close(reason), ...[...this.#tracks.values()].map((track) => track.close())]);
  }
}

/**
 * Connects and resolves when the server records.
 * @throws GatewayError `invalid_request` for the URL or streams, `forbidden` by policy, `upstream_refused`,
 *   `upstream_failed`, `timeout`, `closed` when the signal fires
 */
export async function pushRtsp(options: RtspPushOptions, signal?: AbortSignal): Promise<RtspPush> {
  const push = new RtspPush(options);
  const onAbort = () => void push.close('requested');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await push.start();
    return push;
  } catch (error) {
    await push.close('failed');
    throw push.failure ?? error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function formatOf({ rtp }: SourceStream): RtpFormat {
  if (rtp) return rtp;
  throw new GatewayError('invalid_request', 'Only RTP can be pushed to an RTSP server.');
}

function assertOk({ status }: RtspResponse, method: string): void {
  if (status >= 200 && status < 300) return;
  const isFinal = status >= 400 && status < 500 && status !== 453;
  const code = isFinal ? 'upstream_refused' : 'upstream_failed';
  throw new GatewayError(code, `The RTSP server answered ${method} with ${status}.`);
}
