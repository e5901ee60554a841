// Owns: calls that wait with music until somebody fetches them: slots, how long, and where they go back to.
import type { SipConfig } from '#config/schema.ts';
import type { ParkedInfo } from '#core/call-parking.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SipCall } from './call.ts';

export interface ParkingOptions {
  readonly rooms: Pick<Rooms, 'open'>;
  readonly settings: SipConfig['parking'];
  readonly log: Logger;
}

interface Parked {
  readonly call: SipCall;
  /** That it came from. */
  readonly room: Room;
  readonly timer: NodeJS.Timeout;
}

export class Parking {
  readonly #options: ParkingOptions;
  readonly #slots = new Map<string, Parked>();

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** @throws GatewayError `limit_reached` (no slot is free), `conflict` (it waits already), and as `call.park()` */
  async park(call: SipCall): Promise<ParkedInfo> {
    if (call.info.parked) throw new GatewayError('conflict', `The call waits in ${call.info.parked.slot} already.`);
    const { rooms, settings } = this.#options;
    const slot = this.#freeSlot();
    const { room } = call;
    const timer = setTimeout(() => void this.#sendBack(slot), settings.timeoutMs).unref();
    const parked: Parked = { call, room, timer };
    // Taken before anything is waited for.
    this.#slots.set(slot, parked);
    const sinceMs = Date.now();
    const info = { slot, sinceMs, untilMs: sinceMs + settings.timeoutMs };
    const changed = () => void (call.info.parked !== info && forget());
    const forget = () => {
      call.events.off('changed', changed);
      this.#forget(slot, parked);
    };
    try {
      await call.park(await rooms.open(settings.room, { mayCreate: true }), info);
    } catch (error) {
      forget();
      throw error;
    }
    call.events.on('changed', changed);
    void call.done.then(forget);
    return info;
  }

  /** The call that waits where somebody dials. */
  at(slot: string): { readonly call: SipCall; readonly room: Room } | undefined {
    return this.#slots.get(slot);
  }

  #freeSlot(): string {
    const { firstSlot, slots } = this.#options.settings;
    for (let slot = firstSlot; slot < firstSlot + slots; slot++) {
      if (!this.#slots.has(String(slot))) return String(slot);
    }
    throw new GatewayError('limit_reached', `All ${slots} slots for parked calls are taken (sip.parking).`);
  }

  #forget(slot: string, parked: Parked): void {
    clearTimeout(parked.timer);
    if (this.#slots.get(slot) === parked) this.#slots.delete(slot);
  }

  /** Nobody came: to where it was, or to its end with the reason. */
  async #sendBack(slot: string): Promise<void> {
    const { rooms, log } = this.#options;
    const { call, room } = this.#slots.get(slot) ?? {};
    if (!call || !room) return;
    try {
      await call.moveTo(await rooms.open(room.record.id));
      log.info({ call: call.id, slot }, 'parked call went back to its room');
    } catch (error) {
      const { code, message } = toGatewayError(error);
      // Somebody fetches it in this very moment.
      if (code === 'conflict') return;
      call.fail(
        new GatewayError('timeout', `Nobody fetched the parked call, and its room does not take it: ${message}`),
      );
    }
  }
}
