// Owns: who may watch, and the tickets that stand for their credentials in addresses. May import: core.
import { createHash, randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { Rooms } from '#core/rooms.ts';
import type { ViewerAsking, ViewerDoor } from '#core/viewer-door.ts';

export interface AdmissionOptions {
  readonly rooms: Rooms;
  readonly door: ViewerDoor;
  readonly maxViewers: number;
}

export interface Asking extends ViewerAsking {
  /** From an address that a playlist named. */
  readonly ticket: string | undefined;
}

export interface Admitted {
  readonly roomId: string;
  /** Stands for the credential in the addresses of a playlist, of this room alone. */
  readonly ticket: string;
}

interface Ticket {
  readonly id: string;
  readonly key: string;
  readonly roomId: string;
  readonly credential: string;
  readonly address: string;
  checkedAtMs: number;
  usedAtMs: number;
}

/** A ticket that is not used for so long is void: players ask every few seconds. */
const idleMs = 60_000;
/** A credential that is revoked or has run out stops a player after this. */
const recheckMs = 15_000;
/** Who asked within this watches now. */
const watchingMs = 15_000;

/**
 * Players that cannot send headers get a ticket in the addresses of their playlists instead of the credential itself: short,
 * good for one room, void when unused, and looked at again and again while the credential behind it may be revoked.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #tickets = new Map<string, Ticket>();
  readonly #byKey = new Map<string, Ticket>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Who asked for something a moment ago. */
  get watching(): number {
    const sinceMs = performance.now() - watchingMs;
    return [...this.#tickets.values()].filter(({ usedAtMs }) => usedAtMs > sinceMs).length;
  }

  /** @throws GatewayError `unauthorized`, `forbidden`, `not_found`, `rate_limited`, `overloaded` */
  async admit(asking: Asking): Promise<Admitted> {
    if (asking.credential === undefined && asking.ticket !== undefined) return this.#redeem(asking.ticket, asking.room);
    const roomId = await this.authorize(asking);
    const credential = asking.credential ?? '';
    const key = createHash('sha256').update(`${roomId} ${asking.address} ${credential}`).digest('base64');
    const ticket = this.#byKey.get(key) ?? this.#issue({ key, roomId, credential, address: asking.address });
    ticket.usedAtMs = performance.now();
    return { roomId, ticket: ticket.id };
  }

  /**
   * @param isThere it watches already
   * @returns the room's id
   * @throws GatewayError `unauthorized`, `forbidden`, `not_found`, `rate_limited`, `room_locked`, `meeting_over`, `must_wait`
   */
  async authorize(asking: ViewerAsking, isThere = false): Promise<string> {
    return (await this.#options.door.admit(asking, isThere)).id;
  }

  async #redeem(id: string, room: string): Promise<Admitted> {
    const ticket = this.#tickets.get(id);
    const nowMs = performance.now();
    if (!ticket || nowMs - ticket.usedAtMs > idleMs) {
      throw new GatewayError(
        'unauthorized',
        'This address is no longer good. Begin again with index.m3u8 or manifest.mpd.',
      );
    }
    if (nowMs - ticket.checkedAtMs > recheckMs) {
      const { credential, address } = ticket;
      try {
        await this.authorize({ room: ticket.roomId, credential, address }, true);
      } catch (error) {
        this.#drop(ticket);
        throw error;
      }
      ticket.checkedAtMs = nowMs;
    }
    await this.#assertSameRoom(ticket, room);
    ticket.usedAtMs = nowMs;
    return { roomId: ticket.roomId, ticket: id };
  }

  async #assertSameRoom({ roomId }: Ticket, room: string): Promise<void> {
    if (room === roomId) return;
    const found = await this.#options.rooms.find(room);
    if (found?.record.id !== roomId) throw new GatewayError('forbidden', 'This address is for another room.');
  }

  #issue(what: Pick<Ticket, 'key' | 'roomId' | 'credential' | 'address'>): Ticket {
    this.#sweep();
    if (this.#tickets.size >= this.#options.maxViewers) {
      const message = `This server has ${this.#options.maxViewers} viewers already (hls.maxViewers).`;
      throw new GatewayError('overloaded', message, { retryAfterMs: 10_000 });
    }
    const nowMs = performance.now();
    const ticket = { ...what, id: randomBytes(16).toString('base64url'), checkedAtMs: nowMs, usedAtMs: nowMs };
    this.#tickets.set(ticket.id, ticket);
    this.#byKey.set(ticket.key, ticket);
    return ticket;
  }

  #sweep(): void {
    const sinceMs = performance.now() - idleMs;
    for (const ticket of this.#tickets.values()) if (ticket.usedAtMs < sinceMs) this.#drop(ticket);
  }

  #drop(ticket: Ticket): void {
    this.#tickets.delete(ticket.id);
    this.#byKey.delete(ticket.key);
  }
}
