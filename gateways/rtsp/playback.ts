// Owns: one player of a room: by UDP the SFU sends to it, in its connection it gets what a feed packs. May import: core.
import { type EgressSource, type EgressWishes, type Finder, findersOf } from '#core/egress-source.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { joinHidden } from '#core/hidden-participant.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Participant } from '#core/participant.ts';
import type { PlayerTransportOptions } from '#core/player-transport.ts';
import type { Room } from '#core/room.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { ViewPort } from '#core/view-port.ts';
import { DirectTrack } from './direct-track.ts';
import type { RtspOutlet, RtspPlayable, RtspPlayback, RtspPlayer, RtspPosition } from './ports.ts';
import { RelayedTracks } from './relayed-tracks.ts';
import { asksForKeyFrame } from './rtcp.ts';
import type { SharedFeed } from './shared-feed.ts';

export interface RoomPlaybackOptions {
  readonly room: Room;
  readonly source: EgressSource;
  readonly wishes: EgressWishes;
  readonly views: ViewPort;
  readonly tracks: RtspPlayable['tracks'];
  /** What is described is what the room sends, so that the SFU can send it. */
  readonly mayBeDirect: boolean;
  readonly feed: () => Promise<SharedFeed>;
  /** @throws GatewayError once it may not watch any more */
  readonly recheck: () => Promise<unknown>;
  readonly player: RtspPlayer;
}

/** A credential that is revoked or has run out stops a player after this; so often, too, its reports are looked for. */
const reviewIntervalMs = 10_000;

export class RoomPlayback extends Owned implements RtspPlayback {
  readonly sendDirectly: RtspPlayback['sendDirectly'];
  readonly #options: RoomPlaybackOptions;
  readonly #direct = new Map<number, DirectTrack>();
  readonly #review: NodeJS.Timeout;
  #self: Participant | undefined;
  #finders: { readonly audio: Finder | undefined; readonly video: Finder | undefined } | undefined;
  #relayed: RelayedTracks | undefined;
  #receivedBytes = 0;

  constructor(options: RoomPlaybackOptions) {
    super();
    this.#options = options;
    this.#review = setInterval(() => void this.#look(), reviewIntervalMs);
    if (options.mayBeDirect) this.sendDirectly = (track, path) => this.#sendDirectly(track, path);
  }

  async relay(track: number, outlet: RtspOutlet): Promise<{ ssrc: undefined }> {
    const feed = this.#relayed ? undefined : await this.#options.feed();
    this.#assertOpen();
    if (feed) this.#relayed ??= new RelayedTracks(feed, this.#options.player);
    this.#relayed?.add(this.#kindOf(track), track, outlet);
    return { ssrc: undefined };
  }

  receiveRtcp(_track: number, packet: Uint8Array): void {
    if (asksForKeyFrame(packet)) this.#relayed?.requestKeyFrame();
  }

  async begin(): Promise<readonly RtspPosition[]> {
    return (await this.#relayed?.begin()) ?? [];
  }

  async play(): Promise<void> {
    this.#relayed?.play();
    await Promise.all([...this.#direct.values()].map((track) => track.play()));
  }

  async pause(): Promise<void> {
    this.#relayed?.pause();
    await Promise.all([...this.#direct.values()].map((track) => track.pause()));
  }

  async #sendDirectly(track: number, path: PlayerTransportOptions): Promise<void> {
    this.#assertOpen();
    const { room, player, tracks } = this.#options;
    this.#self ??= this.#join(room);
    this.#finders ??= findersOf(this.#options.source, this.#options.wishes, this.#options);
    const kind = this.#kindOf(track);
    const finder = this.#finders[kind];
    const payloadType = tracks[track]?.rtp.payloadType;
    if (!finder || payloadType === undefined) throw new GatewayError('not_found', 'There is no such track.');
    const onEnd = () => player.end(new GatewayError('media_lost', `There is no ${kind} any more.`));
    const direct = await DirectTrack.create({ kind, self: this.#self, finder, path, payloadType, onEnd });
    if (this.isClosed) direct.close();
    else this.#direct.set(track, direct);
  }

  #join(room: Room): Participant {
    const self = joinHidden(room, 'player', 'player', false);
    void self.done.then(() => this.#options.player.end(new GatewayError('media_lost', 'The room was closed.')));
    return self;
  }

  #kindOf(track: number): MediaKind {
    return this.#options.tracks[track]?.kind ?? 'video';
  }

  #assertOpen(): void {
    if (this.isClosed) throw new GatewayError('closed', 'The RTSP client left.');
  }

  async #look(): Promise<void> {
    const { player, recheck } = this.#options;
    try {
      await recheck();
    } catch (thrown) {
      player.end(toGatewayError(thrown));
      return;
    }
    const counts = [...this.#direct.values()].map((track) => track.receivedBytes().catch(() => 0));
    const receivedBytes = (await Promise.all(counts)).reduce((sum, bytes) => sum + bytes, 0);
    if (receivedBytes > this.#receivedBytes) player.heard();
    this.#receivedBytes = receivedBytes;
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearInterval(this.#review);
    this.#relayed?.close();
    for (const track of this.#direct.values()) track.close();
    this.#finders?.audio?.close();
    this.#finders?.video?.close();
    await this.#self?.close('requested');
  }
}
