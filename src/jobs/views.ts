// Owns: ViewPort: the views of all rooms, made with the first who watches.
import { type EgressSource, isMeant } from '#core/egress-source.ts';
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Mix } from '#core/mix.ts';
import { type MixStream, openMixStream } from '#core/mix-stream.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { Room, RoomRecord } from '#core/room.ts';
import { View, type ViewOptions } from '#core/view.ts';
import type { ViewPort } from '#core/view-port.ts';
import { changeView, commonView, type ViewChange, type ViewRequest, type ViewSettings } from '#core/view-settings.ts';

export interface ViewsOptions {
  readonly media: MediaPort;
  /** The room's mix, made if need be. */
  readonly mixOf: (room: Room) => Promise<Mix>;
  readonly log: Logger;
}

export class Views extends Owned implements ViewPort {
  readonly #options: ViewsOptions;
  /** By room id and name. */
  readonly #running = new Map<string, Promise<View>>();
  readonly #live = new Map<string, View>();
  /** What was changed, by room id. */
  readonly #changed = new Map<string, readonly ViewSettings[]>();
  #isDraining = false;

  constructor(options: ViewsOptions) {
    super();
    this.#options = options;
  }

  get running(): Iterable<View> {
    return this.#live.values();
  }

  settingsOf({ id }: RoomRecord): readonly ViewSettings[] {
    return this.#changed.get(id) ?? [commonView];
  }

  find({ id }: RoomRecord, name: string): View | undefined {
    return this.#live.get(`${id}/${name}`);
  }

  viewOf(room: Room, name: string): Promise<View> {
    return this.#open(`${room.id}/${name}`, room, () => ({ settings: this.#named(room.record, name) }));
  }

  soloOf(room: Room, source: EgressSource, size: ViewRequest): Promise<View> {
    const settings = soloSettings(size);
    const { width, height, framerateHz } = settings.video;
    const key = `${room.id}/ ${JSON.stringify(source)} ${width}x${height}@${framerateHz}`;
    const only: ViewOptions['only'] = (participant, publication) => isMeant(source, participant, publication);
    return this.#open(key, room, () => ({ settings, only }));
  }

  async #open(key: string, room: Room, describe: () => Pick<ViewOptions, 'settings' | 'only'>): Promise<View> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    const described = describe();
    const known = await this.#running.get(key)?.catch(() => undefined);
    if (known && !known.isClosed) return known;
    const starting = this.#running.get(key);
    // Somebody else was as quick while we waited for the one that has ended.
    if (starting && (await starting.catch(() => undefined)) !== known) return this.#open(key, room, describe);
    const { media, log } = this.#options;
    const pending = View.start({ room, media, log, ...described });
    this.#running.set(key, pending);
    const forget = () => {
      if (this.#running.get(key) !== pending) return;
      this.#running.delete(key);
      this.#live.delete(key);
    };
    pending.catch(forget);
    const view = await pending;
    this.own(view);
    this.#live.set(key, view);
    void view.done.then(forget);
    return view;
  }

  change(record: RoomRecord, name: string, change: ViewChange): ViewSettings {
    const changed = changeView(this.#named(record, name), change);
    const others = this.settingsOf(record).filter((settings) => settings.name !== name);
    this.#changed.set(record.id, [...others, changed]);
    this.find(record, name)?.apply(changed);
    return changed;
  }

  async soundOf(room: Room): Promise<MixStream> {
    return openMixStream(await this.#options.mixOf(room));
  }

  drain(): void {
    this.#isDraining = true;
  }

  #named(record: RoomRecord, name: string): ViewSettings {
    const found = this.settingsOf(record).find((settings) => settings.name === name);
    if (!found) {
      throw new GatewayError('not_found', `The room "${record.name}" has no view "${name.slice(0, 64)}".`);
    }
    return found;
  }

  protected override onClose(): void {
    this.#running.clear();
    this.#live.clear();
  }
}

/** The picture fills the view; the initials of who shows none are its slate. */
function soloSettings({ width = 1_280, height = 720, framerateHz = 30 }: ViewRequest): ViewSettings {
  const { video, look } = commonView;
  return {
    ...{ name: 'solo', autoMix: 'all', hasAudio: true },
    video: { ...video, width, height, framerateHz },
    look: { ...look, hasLabels: false, hasSpeakerBorder: false },
  };
}
