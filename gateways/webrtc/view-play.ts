// Owns: a view of a room as what a WHEP player plays, in the player's own format where it asks for one. May import: core
// and siblings.
import { GatewayError } from '#core/errors.ts';
import { listen } from '#core/listen.ts';
import type { MixStream } from '#core/mix-stream.ts';
import type { Room } from '#core/room.ts';
import { viewNamed, viewsOf } from '#core/room-views.ts';
import type { MediaKind, RtpCapabilities } from '#core/rtp.ts';
import type { FormatCodec, StreamFormat } from '#core/stream-format.ts';
import type { FormatControl, Publication } from '#core/track.ts';
import type { TranscodedStream } from '#core/transcode-port.ts';
import type { ViewStream } from '#core/view.ts';
import type { ViewPort } from '#core/view-port.ts';
import { codecForViewer, type ViewSettings } from '#core/view-settings.ts';
import type { Played, PlaySource } from './play-source.ts';

/** What has ended by itself is asked for again so long after. */
const retryDelayMs = 1_000;

/** The room as one picture, with the mix of everybody. */
export class ViewPlay implements PlaySource, FormatControl {
  readonly #room: Room;
  readonly #views: ViewPort;
  readonly #name: string;
  #format: StreamFormat | undefined;
  #capabilities: RtpCapabilities = {};
  #picture: ViewStream | undefined;
  /** The picture where it is in a format of the player's own. */
  #own: TranscodedStream | undefined;
  #sound: MixStream | undefined;
  #kinds: ReadonlySet<MediaKind> = new Set();
  #isChanging = false;
  #isClosed = false;
  #unlisten: () => void = () => undefined;
  #followTimer: NodeJS.Timeout | undefined;
  onChanged?: () => void;
  onEnded?: () => void;

  /**
   * @param format undefined: as the view is
   * @throws GatewayError `not_found` when the room has no such view
   */
  constructor(room: Room, views: ViewPort, name: string, format: StreamFormat | undefined) {
    this.#room = room;
    this.#views = views;
    this.#name = name;
    this.#format = format;
  }

  assertPlayable(): void {
    // A view is there as long as its room is: empty, it shows its background.
  }

  async becomesPlayable(): Promise<void> {
    // At once.
  }

  /** @throws GatewayError `unprocessable` where the view has nothing of what the player takes, and as `#show()` */
  async prepare(kinds: ReadonlySet<MediaKind>, capabilities: RtpCapabilities): Promise<void> {
    this.#capabilities = capabilities;
    this.#kinds = kinds;
    const has = partsOf(viewNamed(this.#room.record, this.#name));
    if (![...kinds].some((kind) => has[kind])) {
      const words = has.audio
        ? 'sound only, and the player takes pictures alone'
        : 'pictures only, and the player takes sound alone';
      throw new GatewayError('unprocessable', `The view "${this.#name}" has ${words}.`);
    }
    if (kinds.has('video') && has.video) await this.#show(this.#format);
    if (kinds.has('audio') && has.audio) this.#sound = await this.#views.soundOf(this.#room);
    // The player left while they were made.
    if (this.#isClosed) return this.close();
    this.#unlisten = listen(this.#room.events, {
      updated: () => this.#followSoon(0),
      publicationRemoved: ({ id }) => id === this.#picture?.publication.id && this.#followSoon(retryDelayMs),
    });
  }

  choose(without: WeakSet<Publication>): Played {
    const [video, audio] = [this.#picture?.publication, this.#sound?.publication];
    return { ...(video && !without.has(video) && { video }), ...(audio && !without.has(audio) && { audio }) };
  }

  /** The view has got or lost its picture or sound, or is no more; or its picture has ended by itself. */
  #followSoon(delayMs: number): void {
    clearTimeout(this.#followTimer);
    this.#followTimer = setTimeout(() => {
      this.#follow().catch(() => this.#followSoon(retryDelayMs));
    }, delayMs).unref();
  }

  async #follow(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isChanging) return this.#followSoon(retryDelayMs);
    const settings = viewsOf(this.#room.record).find(({ name }) => name === this.#name);
    if (!settings) return this.onEnded?.();
    const has = partsOf(settings);
    this.#isChanging = true;
    try {
      if (this.#kinds.has('video')) await this.#followPicture(has.video);
      if (this.#kinds.has('audio')) await this.#followSound(has.audio);
    } finally {
      this.#isChanging = false;
    }
    if (this.#isClosed) this.close();
  }

  async #followPicture(isWanted: boolean): Promise<void> {
    const past = this.#picture;
    if (isWanted === (past?.publication.isClosed === false)) return;
    if (isWanted) {
      await this.#show(this.#format);
      if (!past) this.onChanged?.();
      return;
    }
    this.#picture = undefined;
    this.#own = undefined;
    this.onChanged?.();
    past?.close();
  }

  async #followSound(isWanted: boolean): Promise<void> {
    const past = this.#sound;
    if (isWanted === (past !== undefined)) return;
    this.#sound = isWanted ? await this.#views.soundOf(this.#room) : undefined;
    this.onChanged?.();
    past?.close();
  }

  get formats(): FormatControl {
    return this;
  }

  get source(): undefined {
    return undefined;
  }

  get format(): StreamFormat | undefined {
    return this.#format;
  }

  async set(format: StreamFormat | null): Promise<void> {
    if (!this.#picture) throw new GatewayError('conflict', 'There is no picture now.', { retryAfterMs: 1_000 });
    if (this.#isChanging) {
      throw new GatewayError('conflict', 'Another change of this picture is under way.', { retryAfterMs: 1_000 });
    }
    this.#isChanging = true;
    try {
      // Where none is named it stays as it is: that is the least change.
      const past = this.#own?.request.codec as FormatCodec | undefined;
      const codec = format ? this.#codecFor(format.codec ?? past) : undefined;
      if (format && this.#own?.request.codec === codec) await this.#own?.change({ ...format, codec });
      else await this.#show(format ? { ...format, codec } : undefined);
      this.#format = format ?? undefined;
    } finally {
      this.#isChanging = false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#unlisten();
    clearTimeout(this.#followTimer);
    this.#picture?.close();
    this.#sound?.close();
    this.#picture = undefined;
    this.#own = undefined;
    this.#sound = undefined;
  }

  /** In place of what was shown, which goes on when it cannot be had. */
  async #show(format: StreamFormat | undefined): Promise<void> {
    const codec = this.#codecFor(format?.codec);
    // Sound alone, for a player that has none of the codecs that the room gives: nothing is encoded that it could not play.
    if (!codec) return;
    const view = await this.#views.viewOf(this.#room, this.#name);
    const own = format && (await view.openFormat({ ...format, codec }));
    const picture = own ?? (await view.open({ codec }));
    const past = this.#picture;
    this.#picture = picture;
    this.#own = own;
    if (this.#isClosed) this.close();
    else if (past) this.onChanged?.();
    past?.close();
  }

  /** The view's own where the player has it and nothing else is asked for. @throws GatewayError `no_common_codec` */
  #codecFor(wanted: FormatCodec | undefined): FormatCodec | undefined {
    const { codecs = [] } = this.#capabilities;
    const takes = (name: string) => codecs.some(({ mimeType }) => mimeType.toLowerCase() === `video/${name}`);
    if (wanted === undefined) return codecForViewer(viewNamed(this.#room.record, this.#name), this.#room.record, takes);
    if (takes(wanted)) return wanted;
    throw new GatewayError('no_common_codec', `The player has not offered ${wanted}.`);
  }
}

const partsOf = ({ hasVideo, hasAudio }: ViewSettings): Readonly<Record<MediaKind, boolean>> => ({
  video: hasVideo !== false,
  audio: hasAudio,
});
