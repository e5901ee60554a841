// Owns: the views that one browser takes instead of many streams. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import type { Publication } from '#core/track.ts';
import type { ViewStream } from '#core/view.ts';
import type { ViewPort } from '#core/view-port.ts';
import { codecForViewer } from '#core/view-settings.ts';

const maxViews = 4;

export class ViewWatch {
  readonly #views: ViewPort | undefined;
  readonly #opened = new Map<string, ViewStream>();
  #isClosed = false;

  constructor(views: ViewPort | undefined) {
    this.#views = views;
  }

  /**
   * @returns the publication to subscribe to; asked again it is the same, or a new one where that has ended
   * @throws GatewayError `forbidden`, `not_found`, `limit_reached`, `overloaded`, `media_lost`
   */
  async open(participant: Participant, name: string, capabilities: RtpCapabilities | undefined): Promise<Publication> {
    if (!this.#views) throw new GatewayError('not_found', 'This server composes no views.');
    if (!participant.permissions.subscribe.video) {
      throw new GatewayError('forbidden', `Your role "${participant.role}" may not receive video.`);
    }
    if (!this.#opened.has(name) && this.#opened.size >= maxViews) {
      throw new GatewayError('limit_reached', `A participant has at most ${maxViews} views.`);
    }
    const view = await this.#views.viewOf(participant.room, name);
    const takes = (codec: string) =>
      !capabilities?.codecs || capabilities.codecs.some(({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`);
    const stream = await view.open({ codec: codecForViewer(view.settings, participant.room.record, takes) });
    this.#opened.get(name)?.close();
    this.#opened.set(name, stream);
    // The browser left while the view was made.
    if (this.#isClosed) this.closeAll();
    return stream.publication;
  }

  close(name: string): void {
    this.#opened.get(name)?.close();
    this.#opened.delete(name);
  }

  closeAll(): void {
    this.#isClosed = true;
    for (const name of [...this.#opened.keys()]) this.close(name);
  }
}
