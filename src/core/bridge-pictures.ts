// Owns: what each of two bridged rooms shows the other: its view without the picture that comes from there. May import:
// core only.
import { GatewayError } from './errors.ts';
import type { Leg } from './leg.ts';
import type { LegDirection } from './leg-media.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import type { Room, RoomRecord } from './room.ts';
import { usualMedia } from './room-media.ts';
import type { VideoLeg } from './video-leg.ts';
import type { VideoLegCodec, VideoLegFormat, VideoLimits } from './video-leg-media.ts';
import type { VideoPhonePort } from './video-phone-port.ts';
import type { ViewPort } from './view-port.ts';

/** VP8 first: every browser shows it. */
const formats: readonly VideoLegFormat[] = [
  { codec: 'vp8', payloadType: 96, packetizationMode: 1 },
  { codec: 'h264', payloadType: 97, packetizationMode: 1 },
];
/** 1280×720 at 30 pictures a second: macroblocks of 16×16. */
const limits: VideoLimits = { maxMacroblocks: 3_600, maxMacroblocksPerS: 108_000, maxBitrateBps: 2_500_000 };

export interface PicturedSide {
  readonly room: Room;
  readonly leg: Leg;
  readonly participant: Participant;
}

export interface BridgePicturesOptions {
  readonly sides: readonly [PicturedSide, PicturedSide];
  readonly phones: VideoPhonePort;
  readonly views: ViewPort;
  readonly log: Logger;
}

/**
 * What `from` may show and `to` may take.
 * @throws GatewayError `no_common_codec`, `unprocessable` (no view with a picture)
 */
export function pictureCodec(from: RoomRecord, to: RoomRecord, views: Pick<ViewPort, 'settingsOf'>): VideoLegCodec {
  if (!views.settingsOf(from).some(({ hasVideo }) => hasVideo !== false)) {
    throw new GatewayError('unprocessable', `The room "${from.name}" has no view with a picture to be shown.`);
  }
  const given: readonly string[] = (from.mediaOut ?? usualMedia.mediaOut).video.format;
  const taken: readonly string[] = (to.mediaIn ?? usualMedia.mediaIn).video;
  const found = formats.find(({ codec }) => given.includes(codec) && taken.includes(codec));
  if (found) return found.codec;
  throw new GatewayError(
    'no_common_codec',
    `Of vp8 and h264, there is none that the room "${from.name}" gives (mediaOut) and "${to.name}" takes (mediaIn).`,
  );
}

/** The picture of a bridge: a pair of video legs that send to each other, as two video phones do. */
export class BridgePictures {
  readonly #options: BridgePicturesOptions;
  #legs: readonly [VideoLeg, VideoLeg] | undefined;

  constructor(options: BridgePicturesOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#legs !== undefined;
  }

  /**
   * @param sees whether the first room sees the second; @param isSeen the other way round
   * @throws GatewayError as `pictureCodec()`, `overloaded`, `media_lost`, `closed`
   */
  async show({ sees, isSeen }: { readonly sees: boolean; readonly isSeen: boolean }): Promise<void> {
    const { sides, views } = this.#options;
    const [one, other] = sides;
    if (!sees && !isSeen) {
      await this.close();
      return;
    }
    const records = [one.room.record, other.room.record] as const;
    const shownTo = isSeen ? pictureCodec(records[0], records[1], views) : 'vp8';
    const shownBy = sees ? pictureCodec(records[1], records[0], views) : 'vp8';
    const [here, there] = await this.#open();
    describe(here, there, shownTo, isSeen ? (sees ? 'sendrecv' : 'sendonly') : 'recvonly');
    describe(there, here, shownBy, sees ? (isSeen ? 'sendrecv' : 'sendonly') : 'recvonly');
  }

  async close(): Promise<void> {
    const legs = this.#legs;
    this.#legs = undefined;
    await Promise.all((legs ?? []).map((leg) => leg.close('requested')));
  }

  async #open(): Promise<readonly [VideoLeg, VideoLeg]> {
    const known = this.#legs;
    if (known && !known[0].isClosed && !known[1].isClosed) return known;
    await this.close();
    const [one, other] = this.#options.sides;
    const here = await this.#openSide(one);
    try {
      this.#legs = [here, await this.#openSide(other)];
      return this.#legs;
    } catch (error) {
      await here.close('failed');
      throw error;
    }
  }

  #openSide({ leg, participant }: PicturedSide): Promise<VideoLeg> {
    const { phones, views, log } = this.#options;
    const shown: Pick<ViewPort, 'settingsOf' | 'viewOf'> = {
      settingsOf: (record) => views.settingsOf(record),
      viewOf: (room, name) => views.viewWithout(room, name, participant),
    };
    return phones.openVideo(leg, { views: shown, viewNameIn: ({ record }) => record.sip?.view, log });
  }
}

function describe(leg: VideoLeg, to: VideoLeg, codec: VideoLegCodec, direction: LegDirection): void {
  const send = formats.find((format) => format.codec === codec) as VideoLegFormat;
  const parameters = {
    ...{ remoteAddress: '127.0.0.1', remotePort: to.localPort, direction, send, receive: formats },
    ...{ parameterSets: [], feedback: { pli: true, fir: false, nack: true } },
  };
  leg.negotiate(parameters, limits);
}
