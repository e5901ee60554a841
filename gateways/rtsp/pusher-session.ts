// Owns: ANNOUNCE, SETUP, RECORD: a client that pushes. May import: core.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import { headerOf, type RtspRequest } from './message.ts';
import type { RtspPublishGrant } from './ports.ts';
import { PushedStream } from './pushed-stream.ts';
import { parseTracks, type RtspTrack } from './sdp.ts';
import type { RtspAnswer, RtspRole, RtspSessionContext } from './session.ts';
import { chooseTransport, SessionTransport } from './session-transport.ts';
import { placeOf } from './translate.ts';

const reportIntervalMs = 5_000;

/** fresh ──ANNOUNCE──> announced ──SETUP …──> announced ──RECORD──> recording */
export class PusherSession extends Owned implements RtspRole {
  readonly #context: RtspSessionContext;
  #announced: { readonly grant: RtspPublishGrant; readonly stream: PushedStream } | undefined;
  #isRecording = false;
  #isPaused = false;
  #reports: NodeJS.Timeout | undefined;

  constructor(context: RtspSessionContext) {
    super();
    this.#context = context;
  }

  get isActive(): boolean {
    return this.#isRecording;
  }

  async handle(request: RtspRequest): Promise<RtspAnswer | undefined> {
    switch (request.method) {
      case 'ANNOUNCE':
        return this.#announced ? undefined : this.#announce(request);
      case 'SETUP':
        return this.#announced && !this.#isRecording ? this.#setup(request, this.#announced.stream) : undefined;
      case 'RECORD':
        return this.#announced && !this.#isRecording ? this.#record() : undefined;
      default:
        return undefined;
    }
  }

  frame(channel: number, packet: Buffer): void {
    for (const transport of this.#announced?.stream.transports.values() ?? []) {
      if (transport.frame(channel, packet)) return;
    }
  }

  async #announce(request: RtspRequest): Promise<RtspAnswer> {
    const access = await this.#context.access(request);
    const tracks = parseTracks(request.body.toString('utf8'), request.uri.replace(/\/$/, ''));
    if (tracks.length === 0) {
      throw new GatewayError('no_common_codec', 'None of the announced streams has a codec that we know.');
    }
    const streams = tracks.map(({ stream }) => stream);
    const grant = await this.#context.ports.authorizePublish(access, streams);
    const stream = new PushedStream(tracks, {
      pause: () => this.#setPaused(true),
      resume: () => this.#setPaused(false),
      dismiss: (reason) => this.#context.end(reason),
    });
    this.#announced = { grant, stream };
    return { status: 200 };
  }

  async #setup(request: RtspRequest, stream: PushedStream): Promise<RtspAnswer> {
    const track = trackOf(request.uri, stream.tracks);
    if (!track || stream.transports.has(track.stream.id)) return { status: track ? 455 : 404 };
    const taken = [...stream.transports.values()];
    const choice = chooseTransport(headerOf(request, 'transport') ?? '', taken);
    if (!choice) return { status: 461 };
    const transport = await SessionTransport.create(choice.spec, choice.channels, {
      ...this.#context.options,
      queuedBytes: () => this.#context.queuedBytes(),
      sendFrame: (channel, packet) => this.#context.sendFrame(channel, packet),
      onPacket: (kind, packet) => {
        this.#context.heard();
        stream.packet(track.stream.id, kind, packet);
      },
    });
    if (this.isClosed) {
      await transport.close('parent_closed');
      throw new GatewayError('closed', 'The RTSP client left.');
    }
    stream.transports.set(track.stream.id, transport);
    return { status: 200, fields: { Transport: `${transport.answer};mode=record` } };
  }

  async #record(): Promise<RtspAnswer> {
    const { grant, stream } = this.#announced as { grant: RtspPublishGrant; stream: PushedStream };
    if (stream.transports.size === 0) return { status: 455 };
    // Packets before the room has taken it are dropped: a pusher begins with the answer.
    await grant.accept(stream);
    this.#isRecording = true;
    this.#reports = setInterval(() => stream.report(), reportIntervalMs);
    this.#context.log.info({ publisher: grant.publisherId, tracks: stream.transports.size }, 'rtsp publisher accepted');
    return { status: 200 };
  }

  #setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#context.hold();
    else this.#context.release();
  }

  protected override async onClose(): Promise<void> {
    clearInterval(this.#reports);
    const { stream } = this.#announced ?? {};
    if (!stream) return;
    const { reason, failure } = this.#context.ending();
    const mayReturn =
      reason === 'timeout' || reason === 'failed' || (reason === 'peer_left' && !this.#context.isTornDown());
    stream.end({ reason, error: failure && { code: failure.code, message: failure.message }, mayReturn });
    await Promise.all([...stream.transports.values()].map((transport) => transport.close(reason)));
  }
}

/** By the control that the description gave it, which encoders send back in one form or another. */
function trackOf(uri: string, tracks: readonly RtspTrack[]): RtspTrack | undefined {
  const path = (text: string) => text.replace(/^rtsps?:\/\/[^/]*/i, '').replace(/\/$/, '');
  const byControl = tracks.find(({ control }) => path(control) === path(uri));
  const { track } = placeOf(uri);
  return byControl ?? tracks.find(({ stream }) => stream.id === track) ?? (tracks.length === 1 ? tracks[0] : undefined);
}
