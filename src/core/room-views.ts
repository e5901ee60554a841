// Owns: which views a room has, as its record keeps them. May import: core only.
import { GatewayError, toGatewayError } from './errors.ts';
import type { Logger } from './ports.ts';
import type { Room, RoomRecord } from './room.ts';
import { usualMedia } from './room-media.ts';
import type { Rooms } from './rooms.ts';
import type { ViewImages } from './view-images.ts';
import { changeView, commonView, maxViews, usualView, type ViewChange, type ViewSettings } from './view-settings.ts';

/** Two who change a room at once: the second does it again on what the first has left. */
const maxTries = 5;

type WithViews = Pick<RoomRecord, 'views' | 'mediaOut'>;

export function viewsOf({ views, mediaOut }: WithViews): readonly ViewSettings[] {
  return views ?? [usualView({ mediaOut })];
}

/** @throws GatewayError `not_found` */
export function viewNamed(record: WithViews & Pick<RoomRecord, 'name'>, name: string): ViewSettings {
  const found = viewsOf(record).find((settings) => settings.name === name);
  if (found) return found;
  throw new GatewayError('not_found', `The room "${record.name}" has no view "${name.slice(0, 64)}".`);
}

/**
 * For who shows or records a view for long: it is over once the room has it no more, or not as it has to be.
 * @param isStill whether it is of use as it is now
 * @returns stops it
 */
export function whenViewGone(
  room: Room,
  name: string,
  isStill: (view: ViewSettings) => boolean,
  gone: () => void,
): () => void {
  const look = () => {
    const view = viewsOf(room.record).find((one) => one.name === name);
    if (view && isStill(view)) return;
    room.events.off('updated', look);
    gone();
  };
  room.events.on('updated', look);
  // It may have gone while it was begun.
  look();
  return () => room.events.off('updated', look);
}

export interface NamedView extends ViewChange {
  readonly name: string;
}

/**
 * What a room's views come to when it is made, or told them anew. A view that it has keeps its background image.
 * @throws GatewayError `invalid_request` with the field that is wrong
 */
export function settleViews(
  wanted: readonly NamedView[],
  record: Pick<RoomRecord, 'mediaOut'> & Partial<Pick<RoomRecord, 'views'>>,
): ViewSettings[] {
  const past = record.views ?? [];
  const usual = usualView(record);
  const taken = new Set<string>();
  return wanted.map(({ name, ...change }, index) => {
    const at = `views.${index}`;
    try {
      if (taken.has(name)) refuseField('name', `"${name.slice(0, 64)}" is the name of another view of this room`);
      taken.add(name);
      const { imageId } = past.find((view) => view.name === name) ?? {};
      const settings = changeView({ ...usual, name, imageId }, change);
      assertMayMake(settings, record);
      return settings;
    } catch (thrown) {
      throw within(at, thrown);
    }
  });
}

/**
 * The views that a room keeps when what it gives is another.
 * @throws GatewayError `invalid_request` with the field that is wrong
 */
export function assertMayKeep({ views = [], mediaOut }: WithViews): void {
  for (const [index, view] of views.entries()) {
    try {
      assertMayMake(view, { mediaOut });
    } catch (thrown) {
      throw within(`views.${index}`, thrown);
    }
  }
}

/** @throws GatewayError `invalid_request`: a view comes in what the room gives */
function assertMayMake(
  { name, hasVideo, video }: ViewSettings,
  { mediaOut = usualMedia.mediaOut }: Pick<RoomRecord, 'mediaOut'>,
): void {
  const { format } = mediaOut.video;
  if (hasVideo === false || format.includes(video.codec)) return;
  refuseField(
    'video.codec',
    `${video.codec} of the view "${name}" is not in mediaOut of this room, which has ${format.join(', ') || 'none'}`,
  );
}

function refuseField(path: string, message: string): never {
  throw new GatewayError('invalid_request', `${path}: ${message}.`, { fields: [{ path, message }] });
}

function within(at: string, thrown: unknown): GatewayError {
  const error = toGatewayError(thrown);
  const fields = error.fields.map(({ path, message }) => ({ path: `${at}.${path}`, message }));
  return new GatewayError(error.code, `${at}: ${error.message}`, { fields, cause: thrown });
}

/** Makes, changes and takes away views of a room, in its record; whoever runs them hears of it by the rooms' events. */
export class RoomViews {
  readonly #rooms: Rooms;
  readonly #images: ViewImages;
  readonly #log: Logger;

  constructor({ rooms, images, log }: { rooms: Rooms; images: ViewImages; log: Logger }) {
    this.#rooms = rooms;
    this.#images = images;
    this.#log = log;
    const deleteImages = (views: readonly ViewSettings[]) => {
      for (const { imageId } of views) if (imageId !== undefined) void this.#deleteImage(imageId);
    };
    rooms.events.on('deleted', (record) => deleteImages(viewsOf(record)));
  }

  /** @throws GatewayError `conflict` (its name is taken), `limit_reached`, `invalid_request` */
  async create(roomId: string, { name, ...change }: NamedView): Promise<ViewSettings> {
    return this.#put(roomId, change, (views, record) => {
      if (views.some((view) => view.name === name)) {
        throw new GatewayError('conflict', `The room has a view "${name.slice(0, 64)}" already.`);
      }
      if (views.length >= maxViews) throw new GatewayError('limit_reached', `A room has at most ${maxViews} views.`);
      return { ...usualView(record), name };
    });
  }

  /** @throws GatewayError `not_found`, `invalid_request` */
  async change(roomId: string, name: string, change: ViewChange): Promise<ViewSettings> {
    return this.#put(roomId, change, (_views, record) => viewNamed(record, name));
  }

  /** @throws GatewayError `not_found` */
  async delete(roomId: string, name: string): Promise<void> {
    const { imageId } = await this.#update(roomId, (record) => {
      const settings = viewNamed(record, name);
      return { settings, views: viewsOf(record).filter((view) => view.name !== name) };
    });
    if (imageId !== undefined) await this.#deleteImage(imageId);
  }

  async #put(
    roomId: string,
    { backgroundImage, ...change }: ViewChange,
    find: (views: readonly ViewSettings[], record: RoomRecord) => ViewSettings,
  ): Promise<ViewSettings> {
    // Looked at before it is stored: what is no image is stored nowhere.
    if (backgroundImage) changeView(commonView, { backgroundImage });
    const imageId = backgroundImage ? await this.#images.put(backgroundImage) : undefined;
    let past: ViewSettings | undefined;
    try {
      const settings = await this.#update(roomId, (record) => {
        const views = viewsOf(record);
        past = find(views, record);
        const changed = changeView(past, change, usualView(record));
        const settings = { ...changed, ...(backgroundImage !== undefined && { imageId }) };
        assertMayMake(settings, record);
        const isKnown = views.some(({ name }) => name === settings.name);
        return {
          settings,
          views: isKnown ? views.map((view) => (view.name === settings.name ? settings : view)) : [...views, settings],
        };
      });
      if (past?.imageId !== undefined && past.imageId !== settings.imageId) await this.#deleteImage(past.imageId);
      return settings;
    } catch (thrown) {
      if (imageId !== undefined) await this.#deleteImage(imageId);
      throw thrown;
    }
  }

  async #update(
    roomId: string,
    change: (record: RoomRecord) => { settings: ViewSettings; views: readonly ViewSettings[] },
  ): Promise<ViewSettings> {
    for (let tries = 1; ; tries += 1) {
      const { record, revision } = await this.#rooms.get(roomId);
      const { settings, views } = change(record);
      try {
        await this.#rooms.update(record.id, { views }, revision);
        return settings;
      } catch (thrown) {
        const { code } = toGatewayError(thrown);
        if (tries >= maxTries || (code !== 'precondition_failed' && code !== 'conflict')) throw thrown;
      }
    }
  }

  async #deleteImage(id: string): Promise<void> {
    try {
      await this.#images.delete(id);
    } catch (err) {
      // It lies there for nothing; the view itself is right.
      this.#log.warn({ err, imageId: id }, 'image of a view not deleted');
    }
  }
}
