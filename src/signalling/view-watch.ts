// Owns: the views that one browser takes instead of many streams. May import: core.
import { GatewayError } from '#core/errors.ts';
import { listen } from '#core/listen.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import type { Publication } from '#core/track.ts';
import type { View, ViewStream } from '#core/view.ts';
import { arrangeView } from '#core/view-arrangement.ts';
import type { ViewPort } from '#core/view-port.ts';
import { codecForViewer } from '#core/view-settings.ts';
import type { EventMap, RequestData } from './protocol.ts';

const maxViews = 4;

export class ViewWatch {
  readonly #views: ViewPort | undefined;
  readonly #onArranged: (arranged: EventMap['viewArranged']) => void;
  readonly #opened = new Map<string, { readonly stream: ViewStream; readonly unlisten: () => void }>();
  #isClosed = false;

  constructor(views: ViewPort | undefined, onArranged: (arranged: EventMap['viewArranged']) => void) {
    this.#views = views;
    this.#onArranged = onArranged;
  }

  /**
   * @returns the publication to subscribe to; asked again it is the same, or a new one where that has ended
   * @throws GatewayError `forbidden`, `not_found`, `limit_reached`, `overloaded`, `media_lost`
   */
  async open(participant: Participant, name: string, capabilities: RtpCapabilities | undefined): Promise<Publication> {
    const views = this.#existing();
    if (!participant.permissions.subscribe.video) {
      throw new GatewayError('forbidden', `Your role "${participant.role}" may not receive video.`);
    }
    if (!this.#opened.has(name) && this.#opened.size >= maxViews) {
      throw new GatewayError('limit_reached', `A participant has at most ${maxViews} views.`);
    }
    const view = await views.viewOf(participant.room, name);
    const takes = (codec: string) =>
      !capabilities?.codecs || capabilities.codecs.some(({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`);
    const stream = await view.open({ codec: codecForViewer(view.settings, participant.room.record, takes) });
    this.close(name);
    const tell = () => this.#onArranged(arrangedInfo(view));
    this.#opened.set(name, { stream, unlisten: listen(view.events, { changed: tell }) });
    tell();
    // The browser left while the view was made.
    if (this.#isClosed) this.closeAll();
    return stream.publication;
  }

  /** @throws GatewayError `not_found`, `conflict`, `invalid_request` */
  async arrange(
    room: Room,
    name: string,
    { layout: base, gridSize, custom, fitPolicy, backgroundImage, ...rest }: Omit<RequestData<'arrangeView'>, 'view'>,
  ): Promise<void> {
    const { primary, pinned, swap, order, add, remove, ...look } = rest;
    const templates = custom?.map(({ region }) => {
      return { region: region.map((one) => ({ ...one, shape: 'rectangle' as const })) };
    });
    const image = typeof backgroundImage === 'string' ? Buffer.from(backgroundImage, 'base64') : backgroundImage;
    await arrangeView(this.#existing(), room.record, name, {
      look: { ...look, backgroundImage: image, layout: { base, gridSize, custom: templates, fitPolicy } },
      stage: { primary, pinned, swap, order, add, remove },
    });
  }

  close(name: string): void {
    const opened = this.#opened.get(name);
    opened?.unlisten();
    opened?.stream.close();
    this.#opened.delete(name);
  }

  closeAll(): void {
    this.#isClosed = true;
    for (const name of [...this.#opened.keys()]) this.close(name);
  }

  #existing(): ViewPort {
    if (!this.#views) throw new GatewayError('not_found', 'This server composes no views.');
    return this.#views;
  }
}

function arrangedInfo({ name, settings: { video }, order }: View): EventMap['viewArranged'] {
  return {
    view: name,
    width: video.width,
    height: video.height,
    inputs: order.map(({ publication, participant, place }) => ({
      publicationId: publication?.id ?? null,
      participantId: participant.id,
      place: place ? { x: place.x, y: place.y, width: place.width, height: place.height } : null,
    })),
  };
}
