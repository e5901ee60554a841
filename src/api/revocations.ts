// Owns: tokens that are no longer good although they have not expired: revoked, used up, or of somebody who was thrown out.
// May import: core.
import { GatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';

type Why = 'revoked' | 'used' | 'removed';

interface Revocation {
  readonly why: Why;
  /** It is remembered until the token could not be used anyway. */
  readonly expiresAtMs: number;
}

const collection = 'revoked-tokens';
const pageSize = 500;
const sweepIntervalMs = 600_000;
/** No token is good for longer. */
export const maxTokenTtlMs = 30 * 86_400_000;

const words: Readonly<Record<Why, string>> = {
  revoked: 'This token was revoked; ask for a new one.',
  used: 'This invitation was for one join and has been used; ask for a new one.',
  removed: 'A moderator has removed you from this room; ask for a new invitation.',
};

export class Revocations {
  readonly #store: StorePort;
  readonly #log: Logger;
  /** All of them are in memory, so that every request can be held against them. */
  readonly #known = new Map<string, Revocation>();

  private constructor(store: StorePort, log: Logger) {
    this.#store = store;
    this.#log = log;
    setInterval(() => void this.#sweep(), sweepIntervalMs).unref();
  }

  static async create(store: StorePort, log: Logger): Promise<Revocations> {
    const revocations = new Revocations(store, log);
    let after: string | undefined;
    do {
      const page = await store.list<Revocation>(collection, { ...(after && { after }), limit: pageSize });
      for (const { id, value } of page) revocations.#known.set(id, value);
      after = page.at(-1)?.id;
    } while (after !== undefined);
    return revocations;
  }

  /** @throws GatewayError `unauthorized` with the reason */
  assertGood(tokenId: string | undefined): void {
    const found = tokenId === undefined ? undefined : this.#known.get(tokenId);
    if (found) throw new GatewayError('unauthorized', words[found.why]);
  }

  /** Holds at once; it is on the disk when this resolves. */
  async revoke(tokenId: string, why: Why = 'revoked', expiresAtMs = Date.now() + maxTokenTtlMs): Promise<void> {
    const revocation = { why, expiresAtMs };
    this.#known.set(tokenId, revocation);
    await this.#store.put(collection, tokenId, revocation);
  }

  /** From now on who is removed cannot come back with the token it came with, and a one-time token opens once. */
  watch(rooms: Rooms): void {
    rooms.events.on('opened', (room) => this.#watchRoom(room));
  }

  #watchRoom({ events }: Room): void {
    events.on('participantJoined', (participant) => {
      const { tokenId, isOneTime } = participant;
      if (!isOneTime || tokenId === undefined) return;
      // Two at once passed the check together: the second one leaves.
      if (this.#known.has(tokenId)) void participant.close('kicked');
      else this.#note(participant, tokenId, 'used');
    });
    events.on('participantLeft', (participant, reason) => {
      const { tokenId, mayReturn } = participant;
      if (reason === 'kicked' && tokenId !== undefined && !mayReturn && !this.#known.has(tokenId)) {
        this.#note(participant, tokenId, 'removed');
      }
    });
  }

  #note({ id }: Participant, tokenId: string, why: Why): void {
    this.revoke(tokenId, why).catch((err: unknown) => {
      this.#log.error({ err, participant: id }, 'revoked token not written');
    });
  }

  async #sweep(): Promise<void> {
    for (const [id, { expiresAtMs }] of this.#known) {
      if (expiresAtMs > Date.now()) continue;
      this.#known.delete(id);
      await this.#store.delete(collection, id).catch((err: unknown) => {
        this.#log.debug({ err }, 'revoked token not forgotten');
      });
    }
  }
}
