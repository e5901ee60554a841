// Owns: which streams of a room wait while others are more wanted: last-N of videos, the loudest of voices.
// May import: core only.
import type { ParticipantId, PublicationId } from './ids.ts';
import { chooseLastN } from './last-n.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import type { RoomRecord } from './room.ts';
import type { MediaKind } from './rtp.ts';
import type { Publication, Subscription } from './track.ts';
import { VoiceOrder } from './voice-order.ts';

/** As many as one follows who listens; `selectActiveAudio` of a room. */
const activeVoices = 3;

export interface StreamSelectionOptions {
  readonly record: () => Pick<RoomRecord, 'lastN' | 'selectActiveAudio'>;
  readonly participants: () => Iterable<Participant>;
  readonly log: Logger;
}

export class StreamSelection {
  readonly #options: StreamSelectionOptions;
  /** Who spoke last comes first. */
  readonly #speakers: ParticipantId[] = [];
  readonly #voices = new VoiceOrder<PublicationId>(activeVoices);
  /** At the last review; what was not chosen from then is held back nowhere. */
  #wasChosen = { video: false, audio: false };

  constructor(options: StreamSelectionOptions) {
    this.#options = options;
  }

  spoke(id: ParticipantId): void {
    this.left(id);
    this.#speakers.unshift(id);
    this.review();
  }

  /** @param levels loudest first */
  heard(levels: readonly { readonly publication: Publication; readonly levelDbov: number }[]): void {
    if (!this.#options.record().selectActiveAudio) return;
    const voices = levels.map(({ publication: { id }, levelDbov }) => ({ id, levelDbov }));
    if (this.#voices.hear(voices, performance.now())) this.review();
  }

  left(id: ParticipantId): void {
    const position = this.#speakers.indexOf(id);
    if (position >= 0) this.#speakers.splice(position, 1);
  }

  ended(id: PublicationId): void {
    this.#voices.forget(id);
  }

  /** Holds back and lets go. Nothing where everything is let through: each subscription of each receiver brings a review. */
  review(): void {
    const { lastN, selectActiveAudio = false } = this.#options.record();
    const isChosen = { video: lastN >= 0, audio: selectActiveAudio };
    const past = this.#wasChosen;
    this.#wasChosen = isChosen;
    if (isChosen.video || past.video) this.#reviewVideos(lastN);
    if (isChosen.audio || past.audio) this.#reviewVoices(selectActiveAudio);
  }

  #reviewVideos(lastN: number): void {
    for (const receiver of this.#options.participants()) {
      this.#choose(
        subscriptionsOf(receiver, 'video'),
        lastN,
        ({ isPinned, publication }) => isPinned || publication.source === 'screen',
        ({ participant: { id } }) => rank(this.#speakers.indexOf(id)),
      );
    }
  }

  #reviewVoices(isActive: boolean): void {
    for (const receiver of this.#options.participants()) {
      this.#choose(
        subscriptionsOf(receiver, 'audio'),
        // The mixer, recordings and whatever else is made here listen to everybody.
        isActive && !receiver.isHidden ? activeVoices : -1,
        ({ isPinned, publication }) => isPinned || publication.source !== 'microphone',
        ({ id }) => this.#voices.rankOf(id),
      );
    }
  }

  #choose(
    subscriptions: readonly Subscription[],
    n: number,
    isExempt: (subscription: Subscription) => boolean,
    speakerRank: (publication: Publication) => number,
  ): void {
    const flowing = chooseLastN(
      subscriptions.map((subscription) => ({
        id: subscription,
        isExempt: isExempt(subscription),
        speakerRank: speakerRank(subscription.publication),
      })),
      n,
    );
    for (const subscription of subscriptions) {
      subscription.setHeldBack(!flowing.has(subscription)).catch((cause: unknown) => {
        this.#options.log.warn({ subscription: subscription.id, err: cause }, 'stream not held back or let go');
      });
    }
  }
}

function subscriptionsOf({ subscriptions }: Participant, kind: MediaKind): Subscription[] {
  return [...subscriptions.values()].filter(({ publication }) => publication.kind === kind);
}

function rank(position: number): number {
  return position >= 0 ? position : Number.POSITIVE_INFINITY;
}
