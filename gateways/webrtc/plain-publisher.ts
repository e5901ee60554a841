// Owns: what a plain client's tracks are called in the room, over all of its connections. May import: core and siblings.
import type { PublicationId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, SfuWebRtcTransport } from '#core/ports.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { Publication, TrackSource } from '#core/track.ts';
import type { ReceivedTrack } from './translate.ts';

/** `offer.sources`: what the client says of its m-lines, by mid. */
export type SourceHints = Readonly<Record<string, TrackSource>>;

const sourcesOf: Readonly<Record<MediaKind, readonly TrackSource[]>> = {
  audio: ['microphone', 'screen_audio', 'other'],
  video: ['camera', 'screen', 'other'],
};

export class PlainPublisher {
  readonly #participant: Participant;
  readonly #log: Logger;
  /** Ids by source, so that after a lost connection others see the same publication again. */
  readonly #pastIds = new Map<TrackSource, PublicationId>();
  /** Kinds of which the next new track is a screen's. */
  readonly #awaitedScreen = new Set<MediaKind>();

  constructor(participant: Participant, log: Logger) {
    this.#participant = participant;
    this.#log = log;
  }

  /** The next new video is a screen, the next new audio its sound. */
  awaitScreen(): void {
    this.#awaitedScreen.add('audio').add('video');
  }

  isScreenAwaited(kind: MediaKind): boolean {
    return this.#awaitedScreen.has(kind);
  }

  forgetScreen(): void {
    this.#awaitedScreen.clear();
  }

  /** @throws GatewayError `forbidden`, `limit_reached`, `no_common_codec`, `media_lost` */
  async publish(transport: SfuWebRtcTransport, track: ReceivedTrack, hints: SourceHints): Promise<Publication> {
    const { kind, rtpParameters, section } = track;
    const source = this.#sourceOf(kind, hints[section.mid]);
    const pastId = this.#pastIds.get(source);
    const isFree = pastId !== undefined && source !== 'other' && !this.#participant.publications.has(pastId);
    const publication = await this.#participant.publish(transport, {
      kind,
      source,
      rtpParameters,
      id: isFree ? pastId : undefined,
    });
    this.#awaitedScreen.delete(kind);
    this.#pastIds.set(source, publication.id);
    this.#log.info({ publication: publication.id, kind, source, codec: publication.mimeType }, 'publishing');
    return publication;
  }

  #sourceOf(kind: MediaKind, hint: TrackSource | undefined): TrackSource {
    if (hint !== undefined && sourcesOf[kind].includes(hint)) return hint;
    if (this.#awaitedScreen.has(kind)) return kind === 'video' ? 'screen' : 'screen_audio';
    const [main = 'other'] = sourcesOf[kind];
    const isTaken = [...this.#participant.publications.values()].some(({ source }) => source === main);
    return isTaken ? 'other' : main;
  }
}
