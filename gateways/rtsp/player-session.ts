// Owns: DESCRIBE, SETUP, PLAY, PAUSE: a client that plays. May import: core.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import { headerOf, type RtspRequest } from './message.ts';
import type { RtspPlayable, RtspPlayback } from './ports.ts';
import { buildDescription } from './sdp.ts';
import type { RtspAnswer, RtspRole, RtspSessionContext } from './session.ts';
import { type ChosenTransport, chooseTransport, SessionTransport } from './session-transport.ts';
import { placeOf } from './translate.ts';

export class PlayerSession extends Owned implements RtspRole {
  readonly #context: RtspSessionContext;
  readonly #transports = new Map<number, SessionTransport>();
  readonly #directTracks = new Set<number>();
  #playable: RtspPlayable | undefined;
  #path: string | undefined;
  #playback: RtspPlayback | undefined;
  #isPlaying = false;

  constructor(context: RtspSessionContext) {
    super();
    this.#context = context;
  }

  get isActive(): boolean {
    return this.#isPlaying;
  }

  async handle(request: RtspRequest): Promise<RtspAnswer | undefined> {
    switch (request.method) {
      case 'DESCRIBE':
        return this.#playback ? undefined : this.#describe(request);
      case 'SETUP':
        return this.#isPlaying ? undefined : this.#setup(request);
      case 'PLAY':
        return this.#playback ? this.#play(this.#playback) : undefined;
      case 'PAUSE':
        return this.#playback && this.#isPlaying ? this.#pause(this.#playback) : undefined;
      default:
        return undefined;
    }
  }

  frame(channel: number, packet: Buffer): void {
    for (const transport of this.#transports.values()) if (transport.frame(channel, packet)) return;
  }

  async #describe(request: RtspRequest): Promise<RtspAnswer> {
    const accept = headerOf(request, 'accept');
    if (accept !== undefined && !/application\/sdp|\*\/\*/i.test(accept)) return { status: 406 };
    const { name, tracks } = await this.#authorize(request);
    const ipVersion = this.#context.options.localAddress.includes(':') ? 6 : 4;
    const body = buildDescription({ name, tracks, ipVersion, sessionId: Date.now() });
    const base = request.uri.replace(/\/?$/, '/');
    return { status: 200, fields: { 'Content-Type': 'application/sdp', 'Content-Base': base }, body };
  }

  /** Once for each path: later requests of the same connection are believed. */
  async #authorize(request: RtspRequest): Promise<RtspPlayable> {
    const { path } = placeOf(request.uri);
    if (this.#playable && this.#path === path) return this.#playable;
    if (this.#playback) throw new GatewayError('conflict', 'This session plays something else.');
    const playable = await this.#context.ports.authorizePlay(await this.#context.access(request));
    this.#playable = playable;
    this.#path = path;
    return playable;
  }

  async #setup(request: RtspRequest): Promise<RtspAnswer> {
    const playable = await this.#authorize(request);
    const track = placeOf(request.uri).track ?? (playable.tracks.length === 1 ? 0 : undefined);
    if (track === undefined) return { status: 459 };
    if (!playable.tracks[track]) return { status: 404 };
    if (this.#transports.has(track) || this.#directTracks.has(track)) return { status: 455 };
    const choice = chooseTransport(headerOf(request, 'transport') ?? '', [...this.#transports.values()]);
    if (!choice) return { status: 461 };
    this.#playback ??= playable.open();
    const direct = await this.#sendDirectly(this.#playback, track, choice);
    const transport = direct ?? (await this.#relay(this.#playback, track, choice));
    return { status: 200, fields: { Transport: `${transport};mode=play` } };
  }

  async #sendDirectly(playback: RtspPlayback, track: number, { spec }: ChosenTransport): Promise<string | undefined> {
    const { clientPorts } = spec;
    if (spec.isTcp || !clientPorts || !playback.sendDirectly) return undefined;
    const [rtpPort, rtcpPort] = clientPorts;
    // The address of the connection, whatever `destination` says: nobody is flooded on somebody else's word.
    const player = { address: this.#context.options.remoteAddress, rtpPort, rtcpPort };
    const sender = await playback.sendDirectly(track, player);
    if (!sender) return undefined;
    this.#directTracks.add(track);
    const ports = `client_port=${rtpPort}-${rtcpPort};server_port=${sender.rtpPort}-${sender.rtcpPort}`;
    return `RTP/AVP;unicast;${ports};ssrc=${hex(sender.ssrc)}`;
  }

  async #relay(playback: RtspPlayback, track: number, choice: ChosenTransport): Promise<string> {
    const transport = await SessionTransport.create(choice.spec, choice.channels, {
      ...this.#context.options,
      sendFrame: (channel, packet) => this.#context.sendFrame(channel, packet),
      onPacket: (kind, packet) => {
        this.#context.heard();
        if (kind === 'rtcp') playback.receiveRtcp(track, packet);
      },
    });
    if (this.isClosed) {
      await transport.close('parent_closed');
      throw new GatewayError('closed', 'The RTSP client left.');
    }
    this.#transports.set(track, transport);
    const { ssrc } = await playback.relay(track, (kind, packet) => this.#isPlaying && transport.send(kind, packet));
    return `${transport.answer}${ssrc === undefined ? '' : `;ssrc=${hex(ssrc)}`}`;
  }

  #play(playback: RtspPlayback): RtspAnswer {
    return {
      status: 200,
      fields: { Range: 'npt=now-' },
      // After the answer: some players take the first packet in the connection for a broken one.
      afterwards: () => {
        this.#isPlaying = true;
        playback.play().catch((thrown) => this.#context.end('failed', toGatewayError(thrown)));
      },
    };
  }

  async #pause(playback: RtspPlayback): Promise<RtspAnswer> {
    this.#isPlaying = false;
    await playback.pause();
    return { status: 200 };
  }

  protected override async onClose(): Promise<void> {
    const { reason } = this.#context.ending();
    this.#isPlaying = false;
    this.#playback?.close(reason);
    await Promise.all([...this.#transports.values()].map((transport) => transport.close(reason)));
  }
}

function hex(ssrc: number): string {
  return ssrc.toString(16).toUpperCase().padStart(8, '0');
}
