// Owns: the way of a call from one room to another, or to where it is parked.
import type { ParkedInfo } from '#core/call-parking.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { PhonePort } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Admittance } from './call-options.ts';
import type { CallPresence } from './call-presence.ts';
import type { Undo } from './menu-run.ts';

export interface Trip {
  readonly room: Room;
  readonly leg: Leg;
  /** It is nobody there, and waits. */
  readonly parked?: ParkedInfo | undefined;
}

export interface Traveller {
  readonly call: { readonly isOver: boolean; fail(error: GatewayError): void };
  readonly presence: CallPresence;
  readonly phones: Pick<PhonePort, 'moveLeg'>;
}

/** @throws GatewayError `closed`, `conflict`, `room_full`, `forbidden`, `media_lost` */
export async function carryLeg({ room, leg, parked }: Trip, { call, presence, phones }: Traveller): Promise<void> {
  const carry = async () => {
    try {
      await phones.moveLeg(leg, room);
    } catch (error) {
      // It has left where it was, and is nowhere now.
      call.fail(toGatewayError(error));
      throw error;
    }
  };
  await presence.moveTo(room, { leg, parked, carry });
  if (call.isOver) throw new GatewayError('closed', 'The call has ended.');
}

/**
 * Into the room of somebody who has not answered yet: he may never.
 * @param home that it comes back to, and how it is there
 * @returns the way back; without a way there, there is none to go back
 */
export async function listenIn(trip: Trip, traveller: Traveller, home: Admittance): Promise<Undo> {
  const { leg } = trip;
  const { call, presence, phones } = traveller;
  try {
    await carryLeg(trip, traveller);
  } catch {
    // What could not be carried has ended its call; who was refused has not moved.
    return async () => undefined;
  }
  return async () => {
    if (call.isOver) return;
    await presence.close('requested');
    presence.choose(home);
    try {
      await phones.moveLeg(leg, home.room);
    } catch (error) {
      call.fail(toGatewayError(error));
    }
  };
}
