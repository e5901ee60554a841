// Owns: rooms as they are played by RTSP: who may, what an address means, and what all who play it share. May import: core.
import type { EgressWishes } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { PlayLoginPort } from '#core/play-login.ts';
import type { Logger } from '#core/ports.ts';
import type { Room, RoomRecord } from '#core/room.ts';
import { assertGivesAudio } from '#core/room-media.ts';
import type { Rooms } from '#core/rooms.ts';
import type { RtpFeedOptions, RtpFeedPort } from '#core/rtp-feed.ts';
import { StartedOnce } from '#core/started-once.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { ViewerDoor } from '#core/viewer-door.ts';
import { parsePlayPath, playFormatOf, playFormats, playSourceOf } from './play-target.ts';
import { RoomPlayback } from './playback.ts';
import type { RtspAccessRequest, RtspPlayable, RtspPlayer } from './ports.ts';
import { SharedFeed } from './shared-feed.ts';

export interface RtspPlaysOptions {
  readonly rooms: Rooms;
  readonly views: ViewPort;
  readonly door: ViewerDoor;
  readonly logins: PlayLoginPort;
  readonly feeds: RtpFeedPort;
  readonly maxPlayers: number;
  readonly log: Logger;
}

/** Players that miss a packet by UDP ask for nothing: so long at the most a picture is broken. */
const keyFrameIntervalS = 2;

export class RtspPlays extends Owned {
  readonly #options: RtspPlaysOptions;
  readonly #feeds = new StartedOnce<string, SharedFeed>();
  readonly #playing = new Set<RoomPlayback>();

  constructor(options: RtspPlaysOptions) {
    super();
    this.#options = options;
  }

  /** Now, for metrics. */
  get playerCount(): number {
    return this.#playing.size;
  }

  async passwordOf(username: string): Promise<string | undefined> {
    return this.#options.logins.passwordOf(username);
  }

  /** @throws GatewayError `unauthorized`, `forbidden`, `not_found`, `no_common_codec`, `overloaded`, `draining`, `media_lost` */
  async authorize(request: RtspAccessRequest): Promise<RtspPlayable> {
    const { room: name, target } = parsePlayPath(request.path);
    const format = playFormatOf(request.query);
    const record = await this.#admit(request, name, false);
    this.#assertRoomForMore();
    const room = await this.#options.rooms.open(record.id);
    const { source, kinds } = playSourceOf(room, this.#options.views, target, format);
    const audioCodec = format.audio === 'aac' ? 'aac' : 'opus';
    if (kinds.includes('audio')) assertGivesAudio(record, audioCodec);
    const formats = playFormats(room.media.rtpCapabilities, format.audio);
    const hasVideo = kinds.includes('video');
    const wishes: EgressWishes = {
      audio: kinds.includes('audio'),
      video: hasVideo ? 'encoded' : 'off',
      request: { codec: 'h264', keyFrameIntervalS },
    };
    const payloadTypes = { video: formats.video.payloadType, audio: formats.audio.payloadType };
    return {
      name: record.name,
      tracks: kinds.map((kind) => ({ kind, rtp: formats[kind] })),
      open: (player) =>
        this.#open(player, request, {
          room,
          ...{
            source,
            wishes,
            views: this.#options.views,
            tracks: kinds.map((kind) => ({ kind, rtp: formats[kind] })),
          },
          mayBeDirect: audioCodec === 'opus',
          feed: () => this.#feedOf(room, { source, wishes, audioCodec, payloadTypes }),
          recheck: () => this.#admit(request, record.id, true),
        }),
    };
  }

  /** By the login that was proved, or by the token in the address. */
  async #admit(request: RtspAccessRequest, room: string, isThere: boolean): Promise<RoomRecord> {
    const { door, logins } = this.#options;
    const { username, query, remoteAddress: address } = request;
    if (username === undefined) {
      const credential = query.get('token') ?? undefined;
      if (credential !== undefined) return door.admit({ room, credential, address }, isThere);
      throw new GatewayError('unauthorized', 'A player needs a login, or ?token=… in its address.');
    }
    const grant = logins.grantOf(username);
    if (!grant) throw new GatewayError('unauthorized', 'This login has expired.');
    const found = await this.#options.rooms.find(room);
    // The same answer for a room that is another and for one that is not.
    if (found?.record.id !== grant.room) throw new GatewayError('forbidden', 'This login is for another room.');
    return door.admitGrant(grant, room, isThere);
  }

  #open(
    player: RtspPlayer,
    { remoteAddress }: RtspAccessRequest,
    options: Omit<ConstructorParameters<typeof RoomPlayback>[0], 'player'>,
  ): RoomPlayback {
    const { log } = this.#options;
    this.#assertRoomForMore();
    const playback = this.own(new RoomPlayback({ ...options, player }));
    this.#playing.add(playback);
    void playback.done.then(() => this.#playing.delete(playback));
    log.info({ room: options.room.name, source: options.source, address: remoteAddress }, 'rtsp player came');
    return playback;
  }

  #assertRoomForMore(): void {
    const { maxPlayers } = this.#options;
    if (this.isClosed) throw new GatewayError('draining', 'This server is shutting down.');
    if (this.#playing.size >= maxPlayers) {
      throw new GatewayError('overloaded', `This server has ${maxPlayers} RTSP players already (rtsp.maxPlayers).`);
    }
  }

  #feedOf(room: Room, options: RtpFeedOptions): Promise<SharedFeed> {
    const key = JSON.stringify([room.id, options]);
    return this.#feeds.of(key, async () => {
      if (this.isClosed) throw new GatewayError('draining', 'This server is shutting down.');
      return this.own(new SharedFeed(await this.#options.feeds.open(room, options)));
    });
  }

  protected override onClose(): void {
    // Players and feeds were children and have gone.
  }
}
