// Owns: which streams of others a client is told of as they come, change and end: in a room that does not announce its
// streams, moderators alone. May import: core.
import type { PublicationId } from '#core/ids.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { Participant } from '#core/participant.ts';
import type { Publication } from '#core/track.ts';

export interface StreamNewsListener {
  readonly added: (publication: Publication) => void;
  readonly updated: (publication: Publication) => void;
  readonly removed: (publication: Publication, reason: CloseReason) => void;
}

export class StreamNews {
  readonly #self: Participant;
  readonly #tell: StreamNewsListener;
  /** What has been kept from the client, the last of each stream. One that came and went meanwhile is no news at all. */
  readonly #kept = new Map<PublicationId, { readonly of: Publication; readonly isNew: boolean; tell(): void }>();

  constructor(self: Participant, tell: StreamNewsListener) {
    this.#self = self;
    this.#tell = tell;
  }

  add(publication: Publication): void {
    this.#note(publication, true, () => this.#tell.added(publication));
  }

  update(publication: Publication): void {
    if (!this.#kept.get(publication.id)?.isNew) this.#note(publication, false, () => this.#tell.updated(publication));
  }

  remove(publication: Publication, reason: CloseReason): void {
    if (this.#kept.get(publication.id)?.isNew) this.#kept.delete(publication.id);
    else this.#note(publication, false, () => this.#tell.removed(publication, reason));
  }

  /** The room announces its streams now, or this one has become a moderator: it is told what it has missed. */
  review(): void {
    for (const [id, { of, tell }] of [...this.#kept]) {
      if (!this.#isTold(of)) continue;
      this.#kept.delete(id);
      tell();
    }
  }

  #note(of: Publication, isNew: boolean, tell: () => void): void {
    if (this.#isTold(of)) tell();
    else if (isVisible(of)) this.#kept.set(of.id, { of, isNew, tell });
  }

  #isTold(publication: Publication): boolean {
    if (publication.participant === this.#self) return true;
    const { announcesStreams = true } = this.#self.room.record;
    return isVisible(publication) && (announcesStreams || this.#self.permissions.moderate);
  }
}

function isVisible({ participant }: Publication): boolean {
  return !participant.isHidden;
}
