// Owns: DESCRIBE, SETUP, PLAY, PAUSE: a client that plays. May import: core.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import { headerOf, type RtspRequest } from './message.ts';
import type { RtspPlayable, RtspPlayback, RtspPlayer, RtspPosition } from './ports.ts';
import { buildDescription } from './sdp.ts';
import type { RtspAnswer, RtspRole, RtspSessionContext } from './session.ts';
import { type ChosenTransport, chooseTransport, SessionTransport } from './session-transport.ts';
import { placeOf } from './translate.ts';
import { UdpLatch } from './udp-latch.ts';
import { plainAddress } from './udp-pair.ts';

export class PlayerSession extends Owned implements RtspRole {
  readonly #context: RtspSessionContext;
  readonly #transports = new Map<number, SessionTransport>();
  /** Tracks that the SFU is to send, until it does. */
  readonly #latches = new Map<number, UdpLatch>();
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
        return this.#playback ? this.#play(this.#playback, request.uri) : undefined;
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
    // Without its query: what is resolved against it by RFC 3986, as GStreamer does, would lose the path with it.
    const base = request.uri.replace(/\?.*$/, '').replace(/\/?$/, '/');
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
    this.#playback ??= playable.open(this.#player);
    const isDirect = !choice.spec.isTcp && this.#playback.sendDirectly;
    const transport = isDirect ? await this.#reserve(track, choice) : await this.#relay(this.#playback, track, choice);
    return { status: 200, fields: { Transport: `${transport};mode=play` } };
  }

  get #player(): RtspPlayer {
    return {
      heard: () => this.#context.heard(),
      end: (failure) => this.#context.end('failed', failure),
    };
  }

  /** Ports that the SFU sends from, once it is known from where the player has knocked on them. */
  async #reserve(track: number, { spec }: ChosenTransport): Promise<string> {
    const { remoteAddress: address, localAddress: host, firstUdpPort, lastUdpPort } = this.#context.options;
    const [rtpPort, rtcpPort] = spec.clientPorts ?? [0, 0];
    // The address of the connection, whatever `destination` says: nobody is flooded on somebody else's word.
    const named = { address, rtpPort, rtcpPort };
    const latch = await UdpLatch.create({ host, firstPort: firstUdpPort, lastPort: lastUdpPort }, named);
    if (this.isClosed) {
      await latch.release();
      throw new GatewayError('closed', 'The RTSP client left.');
    }
    this.#directTracks.add(track);
    this.#latches.set(track, latch);
    const ports = `client_port=${rtpPort}-${rtcpPort};server_port=${latch.localPort}-${latch.localPort + 1}`;
    return `RTP/AVP;unicast;${ports}`;
  }

  async #relay(playback: RtspPlayback, track: number, choice: ChosenTransport): Promise<string> {
    const transport = await SessionTransport.create(choice.spec, choice.channels, {
      ...this.#context.options,
      sendFrame: (channel, packet) => this.#context.sendFrame(channel, packet),
      queuedBytes: () => this.#context.queuedBytes(),
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
    const { ssrc } = await playback.relay(track, transport);
    return `${transport.answer}${ssrc === undefined ? '' : `;ssrc=${hex(ssrc)}`}`;
  }

  async #play(playback: RtspPlayback, uri: string): Promise<RtspAnswer> {
    const positions = (await playback.begin?.()) ?? [];
    return {
      status: 200,
      fields: { Range: 'npt=now-', ...(positions.length > 0 && { 'RTP-Info': rtpInfo(uri, positions) }) },
      // After the answer: some players take the first packet in the connection for a broken one.
      afterwards: () => {
        this.#isPlaying = true;
        this.#send(playback).catch((thrown) => this.#context.end('failed', toGatewayError(thrown)));
      },
    };
  }

  async #send(playback: RtspPlayback): Promise<void> {
    const { localAddress } = this.#context.options;
    for (const [track, latch] of this.#latches) {
      this.#latches.delete(track);
      const { localPort } = latch;
      const player = await latch.release();
      if (this.isClosed) return;
      await playback.sendDirectly?.(track, {
        ...{ localAddress: plainAddress(localAddress), localPort },
        ...player,
      });
    }
    // It may have said PAUSE meanwhile.
    if (this.#isPlaying) await playback.play();
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
    await Promise.all([
      ...[...this.#transports.values()].map((transport) => transport.close(reason)),
      ...[...this.#latches.values()].map((latch) => latch.release()),
    ]);
  }
}

/** RFC 2326 §12.33. */
function rtpInfo(uri: string, positions: readonly RtspPosition[]): string {
  const base = uri.replace(/\/$/, '');
  return positions
    .map(
      ({ track, sequenceNumber, rtpTimestamp }) =>
        `url=${base}/trackID=${track};seq=${sequenceNumber};rtptime=${rtpTimestamp}`,
    )
    .join(',');
}

function hex(ssrc: number): string {
  return ssrc.toString(16).toUpperCase().padStart(8, '0');
}
