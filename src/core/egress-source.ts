// Owns: where the media of an egress comes from, and how it is found in the room again and again. May import: core only.
import type { Leg } from './leg.ts';
import type { MixStream } from './mix-stream.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';
import type { MediaKind } from './rtp.ts';
import type { Publication } from './track.ts';
import type { ViewPort } from './view-port.ts';
import type { ViewRequest } from './view-settings.ts';

export type EgressSource =
  /** With the sound of everybody. */
  | { readonly kind: 'view'; readonly view: string }
  /** By its id, or by what the application calls its user, which stays when it comes back. */
  | { readonly kind: 'participant'; readonly participant: string }
  /** One publication. */
  | { readonly kind: 'stream'; readonly stream: string }
  /** The sound of everybody, without pictures. */
  | { readonly kind: 'mix' };

/** Also what the phone of a leg says and hears. */
export type EgressOrigin = EgressSource | { readonly kind: 'tap'; readonly leg: Pick<Leg, 'tap'> };

export interface EgressWishes {
  readonly audio: boolean;
  /**
   * `encoded`: of one size for as long as it lasts, with a slate where there are no pictures; copied from an encoder of
   * others where nothing is asked for that it does not give. `copied`: as the participant sends it, whose size may
   * change at any time. A view is always encoded.
   */
  readonly video: 'encoded' | 'copied' | 'off';
  /** How it is to be encoded. */
  readonly request: ViewRequest;
  /** A participant alone is composed in this size, where that is not what `request` says: several requests share it. */
  readonly canvas?: ViewRequest | undefined;
}

/** Finds one kind of media in the room. What it holds open is closed with it. */
export interface Finder {
  /** What is to be taken now. */
  readonly current: Publication | undefined;
  /** Opens what is needed; call again while there is nothing. @throws GatewayError */
  open(): Promise<void>;
  close(): void;
}

export function findersOf(
  source: EgressOrigin,
  wishes: EgressWishes,
  { room, views }: { readonly room: Room; readonly views: ViewPort },
): { readonly audio: Finder | undefined; readonly video: Finder | undefined } {
  if (source.kind === 'tap') return { audio: new InTap(source.leg), video: undefined };
  const isCopied = wishes.video === 'copied' && source.kind !== 'view';
  const hasVideo = wishes.video !== 'off' && source.kind !== 'mix';
  return {
    audio: wishes.audio ? soundFinder(source, room, views) : undefined,
    video: !hasVideo
      ? undefined
      : isCopied
        ? new InRoom(room, source, 'video')
        : mayPass(source, wishes)
          ? new Passed(room, source, new InView(room, source, wishes, views))
          : new InView(room, source, wishes, views),
  };
}

function soundFinder(source: EgressSource, room: Room, views: ViewPort): Finder {
  if (source.kind === 'view' || source.kind === 'mix') return new InMix(room, views);
  return new InRoom(room, source, 'audio');
}

/** Whether a participant, or one of its publications, is what a source means. */
export function isMeant(source: EgressSource, participant: Participant, publication?: Publication): boolean {
  if (source.kind === 'participant') {
    return participant.id === source.participant || participant.user === source.participant;
  }
  return source.kind === 'stream' && publication?.id === source.stream;
}

/** A participant's own: what speaks before what is shared. */
class InRoom implements Finder {
  readonly #room: Room;
  readonly #source: EgressSource;
  readonly #kind: MediaKind;

  constructor(room: Room, source: EgressSource, kind: MediaKind) {
    this.#room = room;
    this.#source = source;
    this.#kind = kind;
  }

  get current(): Publication | undefined {
    const meant = [...this.#room.publications()].filter(
      (publication) =>
        publication.kind === this.#kind &&
        !publication.isClosed &&
        !publication.participant.isHidden &&
        isMeant(this.#source, publication.participant, publication),
    );
    const isShared = ({ source }: Publication) => source === 'screen' || source === 'screen_audio';
    return meant.find((publication) => !isShared(publication)) ?? meant[0];
  }

  async open(): Promise<void> {
    // There is nothing to be done: it comes, or it does not.
  }

  close(): void {
    // Nothing is held.
  }
}

class InTap implements Finder {
  readonly #leg: Pick<Leg, 'tap'>;

  constructor(leg: Pick<Leg, 'tap'>) {
    this.#leg = leg;
  }

  get current(): Publication | undefined {
    const { tap } = this.#leg;
    return tap?.isClosed ? undefined : tap;
  }

  async open(): Promise<void> {
    // Whoever records has asked the leg for it.
  }

  close(): void {
    // That is the recording's to end.
  }
}

/** What is published anew under the same id after the room's media was lost. */
function alive(room: Room, publication: Publication | undefined): Publication | undefined {
  if (!publication?.isClosed) return publication;
  return [...room.publications()].find(({ id, isClosed }) => id === publication.id && !isClosed);
}

class InMix implements Finder {
  readonly #room: Room;
  readonly #views: ViewPort;
  #stream: MixStream | undefined;
  #isClosed = false;

  constructor(room: Room, views: ViewPort) {
    this.#room = room;
    this.#views = views;
  }

  get current(): Publication | undefined {
    return alive(this.#room, this.#stream?.publication);
  }

  async open(): Promise<void> {
    this.#stream?.close();
    this.#stream = undefined;
    const stream = await this.#views.soundOf(this.#room);
    if (this.#isClosed) stream.close();
    else this.#stream = stream;
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.close();
  }
}

/** Nothing is asked for that an encoder elsewhere would have to know. */
function mayPass({ kind }: EgressSource, { request }: EgressWishes): boolean {
  const { width, height, framerateHz, bitrateBps, profile, codec } = request;
  const isAlone = kind === 'participant' || kind === 'stream';
  return (
    isAlone && codec === 'h264' && [width, height, framerateHz, bitrateBps, profile].every((one) => one === undefined)
  );
}

/**
 * What RTMP, RTSP and SRT bring is H264 of one size without B-frames, or has been made so on its way in: it goes out as it
 * is, and costs next to nothing. While it is away a slate is made in its place.
 */
class Passed implements Finder {
  readonly #inRoom: InRoom;
  readonly #slate: InView;

  constructor(room: Room, source: EgressSource, slate: InView) {
    this.#inRoom = new InRoom(room, source, 'video');
    this.#slate = slate;
  }

  get current(): Publication | undefined {
    const passed = this.#passed;
    // Another one begins when it is needed again.
    if (passed) this.#slate.release();
    return passed ?? this.#slate.current;
  }

  async open(): Promise<void> {
    if (!this.#passed) await this.#slate.open();
  }

  close(): void {
    this.#slate.close();
  }

  get #passed(): Publication | undefined {
    const found = this.#inRoom.current;
    const { kind, isConnected } = found?.participant ?? {};
    const isPassable = kind === 'ingress' && isConnected && !found?.isMuted && found?.encodingCount === 1;
    return isPassable && /\/h264$/i.test(found.mimeType) ? found : undefined;
  }
}

type PictureStream = { readonly publication: Publication; close(): void };

class InView implements Finder {
  readonly #room: Room;
  readonly #source: EgressSource;
  readonly #wishes: EgressWishes;
  readonly #views: ViewPort;
  #stream: PictureStream | undefined;
  #isClosed = false;

  constructor(room: Room, source: EgressSource, wishes: EgressWishes, views: ViewPort) {
    this.#room = room;
    this.#source = source;
    this.#wishes = wishes;
    this.#views = views;
  }

  get current(): Publication | undefined {
    try {
      return alive(this.#room, this.#stream?.publication);
    } catch {
      return undefined; // it is being started again
    }
  }

  async open(): Promise<void> {
    this.#stream?.close();
    this.#stream = undefined;
    const { request, canvas = request } = this.#wishes;
    const source = this.#source;
    const view =
      source.kind === 'view'
        ? await this.#views.viewOf(this.#room, source.view)
        : await this.#views.soloOf(this.#room, source, canvas);
    const stream = await view.open(request);
    if (this.#isClosed) stream.close();
    else this.#stream = stream;
  }

  /** It is opened again when it is wanted again. */
  release(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.release();
  }
}
