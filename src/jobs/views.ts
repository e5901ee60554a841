// Owns: ViewPort: the views of all rooms, made with the first who watches.
import { EventEmitter } from 'node:events';
import { type EgressSource, isMeant } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Mix } from '#core/mix.ts';
import { type MixStream, openMixStream } from '#core/mix-stream.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { Room, RoomRecord } from '#core/room.ts';
import { RoomViews, viewNamed, viewsOf } from '#core/room-views.ts';
import type { Rooms } from '#core/rooms.ts';
import { StartedOnce } from '#core/started-once.ts';
import type { StorePort } from '#core/store-port.ts';
import type { Publication } from '#core/track.ts';
import { View, type ViewOptions } from '#core/view.ts';
import { ViewChoices } from '#core/view-choices.ts';
import { ViewImages } from '#core/view-images.ts';
import type { ViewPort, ViewPortEvents } from '#core/view-port.ts';
import { commonView, type ViewRequest, type ViewSettings } from '#core/view-settings.ts';
import { soloDelayMs } from '#core/voice-delay.ts';
import { Transcodes } from './transcodes.ts';

export interface ViewsOptions {
  readonly rooms: Rooms;
  /** Of background images. */
  readonly store: StorePort;
  readonly media: MediaPort;
  /** The room's mix, made if need be. */
  readonly mixOf: (room: Room) => Promise<Mix>;
  readonly log: Logger;
}

export class Views extends Owned implements ViewPort {
  readonly #options: ViewsOptions;
  /** By room id and name. */
  readonly #running = new StartedOnce<string, View>();
  readonly #images: ViewImages;
  readonly #choices = new WeakMap<Room, Map<string, ViewChoices>>();
  readonly events = new EventEmitter<ViewPortEvents>();
  readonly ofRooms: RoomViews;
  /** Of single streams; drained and closed with the views. */
  readonly transcodes: Transcodes;
  #isDraining = false;

  constructor(options: ViewsOptions) {
    super();
    this.#options = options;
    const { rooms, store, media, log } = options;
    this.transcodes = this.own(new Transcodes({ media, log, viewMaking: (publication) => this.#making(publication) }));
    this.#images = new ViewImages(store);
    this.ofRooms = new RoomViews({ rooms, images: this.#images, log });
    const follow = ({ id }: RoomRecord) => this.#follow(id);
    rooms.events.on('updated', follow);
    this.signal.addEventListener('abort', () => rooms.events.off('updated', follow), { once: true });
  }

  get running(): Iterable<View> {
    return this.#running.live.values();
  }

  settingsOf(record: RoomRecord): readonly ViewSettings[] {
    return viewsOf(record);
  }

  roomOf({ id }: RoomRecord): Room | undefined {
    return this.#options.rooms.live(id);
  }

  choicesOf(room: Room, name: string): ViewChoices {
    const known = this.#choices.get(room) ?? new Map<string, ViewChoices>();
    const choices = known.get(name) ?? new ViewChoices();
    this.#choices.set(room, known.set(name, choices));
    return choices;
  }

  find({ id }: RoomRecord, name: string): View | undefined {
    return this.#running.live.get(`${id}/${name}`);
  }

  viewOf(room: Room, name: string): Promise<View> {
    return this.#open(`${room.id}/${name}`, room, () => this.#named(room, name));
  }

  viewWithout(room: Room, name: string, who: Participant): Promise<View> {
    const only: ViewOptions['only'] = (participant) => participant !== who;
    const key = `${room.id}/${name} without ${who.id}`;
    return this.#open(key, room, () => ({ ...this.#named(room, name), only }));
  }

  soloOf(room: Room, source: EgressSource, size: ViewRequest): Promise<View> {
    const settings = soloSettings(size);
    const { width, height, framerateHz } = settings.video;
    const key = `${room.id}${soloMark}${JSON.stringify(source)} ${width}x${height}@${framerateHz}`;
    const only: ViewOptions['only'] = (participant, publication) => isMeant(source, participant, publication);
    return this.#open(key, room, () => ({ settings, choices: new ViewChoices(), only, delayMs: soloDelayMs }));
  }

  /** @throws GatewayError `not_found`, `unprocessable` (it has sound only) */
  #named(room: Room, name: string): Pick<ViewOptions, 'settings' | 'choices'> {
    return { settings: assertSeen(viewNamed(room.record, name)), choices: this.choicesOf(room, name) };
  }

  async #open(
    key: string,
    room: Room,
    describe: () => Pick<ViewOptions, 'settings' | 'choices' | 'only' | 'delayMs'>,
  ): Promise<View> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    const described = describe();
    const { media, log } = this.#options;
    return this.#running.of(key, async () => {
      const settings = await this.#withImage(described.settings);
      const view = this.own(await View.start({ room, media, log, ...described, settings }));
      // Its room may have been told otherwise meanwhile.
      if (!isSolo(key)) await this.#refresh(view);
      return view;
    });
  }

  #making(publication: Publication): View | undefined {
    return [...this.running].find((view) => view.isOwn(publication));
  }

  async soundOf(room: Room): Promise<MixStream> {
    return openMixStream(await this.#options.mixOf(room));
  }

  drain(): void {
    this.#isDraining = true;
    this.transcodes.drain();
  }

  undrain(): void {
    this.#isDraining = false;
    this.transcodes.undrain();
  }

  /** A room's record has changed, and what runs of its views with it, those without one participant too. */
  #follow(roomId: RoomId): void {
    const room = this.#options.rooms.live(roomId);
    const choices = room && this.#choices.get(room);
    const names = room ? viewsOf(room.record).map(({ name }) => name) : [];
    // One of that name that is made later is another.
    for (const name of choices?.keys() ?? []) if (!names.includes(name)) choices?.delete(name);
    for (const [key, view] of this.#running.live) {
      if (view.room.id !== roomId || isSolo(key)) continue;
      this.#refresh(view).catch((err: unknown) => {
        this.#options.log.error({ err, room: view.room.name, view: view.name }, 'view not changed');
      });
    }
  }

  /** To what its room's record says now, which may be another once an image has been read. */
  async #refresh(view: View): Promise<void> {
    const wanted = () => viewsOf(view.room.record).find(({ name }) => name === view.name);
    for (let settings = wanted(); !view.isClosed; settings = wanted()) {
      if (!settings || settings.hasVideo === false) {
        await view.close('requested');
        return;
      }
      const whole = await this.#withImage(settings, view.settings);
      if (wanted() !== settings) continue;
      if (!view.isClosed) view.apply(whole);
      return;
    }
  }

  /** @param past has the image already, if it is the same */
  async #withImage(settings: ViewSettings, past?: ViewSettings): Promise<ViewSettings> {
    const { imageId, look } = settings;
    if (imageId === undefined) return settings;
    const known = past?.imageId === imageId ? past.look.backgroundImage : undefined;
    return { ...settings, look: { ...look, backgroundImage: known ?? (await this.#images.get(imageId)) } };
  }

  protected override onClose(): void {
    // What ran were children, and have gone.
  }
}

/** No name of a view has a space in it. */
const soloMark = '/ ';
const isSolo = (key: string): boolean => key.includes(soloMark);

/** The picture fills the view; the initials of who shows none are its slate. */
function soloSettings({ width = 1_280, height = 720, framerateHz = 30 }: ViewRequest): ViewSettings {
  const { video, look } = commonView;
  return {
    ...{ name: 'solo', autoMix: 'all', hasAudio: true },
    video: { ...video, width, height, framerateHz },
    look: { ...look, hasLabels: false, hasSpeakerBorder: false },
  };
}

function assertSeen(settings: ViewSettings): ViewSettings {
  if (settings.hasVideo !== false) return settings;
  throw new GatewayError('unprocessable', `The view "${settings.name}" has sound only.`);
}
