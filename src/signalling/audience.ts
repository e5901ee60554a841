// Owns: which of the others a client is told of: in a room that does not announce its audience, those who publish, and
// moderators of everybody. May import: core.
import type { ParticipantId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';

export class Audience {
  readonly #self: Participant;
  readonly #announce: (other: Participant) => void;
  readonly #told = new Set<ParticipantId>();
  /** Somebody was kept from it: else there is nothing to look for again, in rooms of a thousand. */
  #hasUntold = false;

  /** @param announce tells the client of one that it has not been told of */
  constructor(self: Participant, announce: (other: Participant) => void) {
    this.#self = self;
    this.#announce = announce;
  }

  /** Those that a client learns of as it joins, itself among them. */
  present(): Participant[] {
    const shown = [...this.#self.room.participants.values()].filter((other) => this.#isShown(other));
    for (const { id } of shown) this.#told.add(id);
    return shown;
  }

  /** @returns whether it was known before; one that is not, and may be, is announced */
  meet(other: Participant): boolean {
    if (this.#told.has(other.id)) return true;
    if (this.#isShown(other)) {
      this.#told.add(other.id);
      this.#announce(other);
    }
    return false;
  }

  /** @returns whether it was known: of who was not there nobody need be told that it left */
  forget(other: Participant): boolean {
    return this.#told.delete(other.id);
  }

  /** The room announces everybody now, or this one has become a moderator. */
  review(): void {
    if (!this.#hasUntold) return;
    this.#hasUntold = false;
    for (const other of this.#self.room.participants.values()) this.meet(other);
  }

  #isShown(other: Participant): boolean {
    if (other === this.#self) return true;
    if (other.isHidden) return false;
    const { announcesAudience = true } = this.#self.room.record;
    const hasSomething = other.publications.size > 0 || other.dataPublications.size > 0;
    const isShown = announcesAudience || hasSomething || this.#self.permissions.moderate;
    this.#hasUntold ||= !isShown;
    return isShown;
  }
}
