// Owns: a phone that sends whom it talks with to another room: past that room's door, and only where it is clear who is meant.

import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SipDoor } from '#core/sip-door.ts';
import type { SipCall } from '../call.ts';
import type { CallTable } from '../call-table.ts';
import { phoneRoleIn } from '../call-texts.ts';

export interface RoomTransfersOptions {
  readonly calls: Pick<CallTable, 'live'>;
  readonly rooms: Rooms;
  readonly door: SipDoor;
  readonly meetings: Meetings;
}

export class RoomTransfers {
  readonly #options: RoomTransfersOptions;

  constructor(options: RoomTransfersOptions) {
    this.#options = options;
  }

  /**
   * The one other phone of the room goes to where the address leads; the one that asks stays until it hangs up.
   * @throws GatewayError `forbidden` (others are in the room, a PIN is asked for), `not_found`, and as `call.moveTo()`
   */
  async send(call: SipCall, uri: string): Promise<void> {
    const { rooms, door, meetings } = this.#options;
    const other = this.#otherOf(call);
    const { account, trunk, from, to } = call.info;
    const admission = await door.admit(uri, call.sourceAddress ?? '127.0.0.1', {
      ...{ from: account ?? dialledOf(call.info.direction === 'inbound' ? from : to), trunk, account },
    });
    if (admission.pin !== undefined) {
      throw new GatewayError('forbidden', `The room "${admission.room.name}" asks for a PIN; dial it along: ROOM*PIN.`);
    }
    const room = await rooms.open(admission.room.id);
    const { displayName } = other.info;
    const party = { kind: 'sip', user: 'phone', displayName, role: phoneRoleIn(room.record) } as const;
    const entrance = meetings.judge(room.record, { party, hasConsented: true });
    if (entrance.kind === 'refuse') throw new GatewayError(entrance.code, entrance.message);
    if (entrance.kind === 'wait') throw new GatewayError('must_wait', 'Somebody has to let it into that room.');
    await other.moveTo(room);
  }

  #otherOf(call: SipCall): SipCall {
    const phones = [...this.#options.calls.live].filter(
      (one) => one.room === call.room && one.info.state === 'connected',
    );
    const people = call.room.visibleParticipants.filter(({ kind }) => kind === 'webrtc' || kind === 'sip');
    const [other, ...more] = phones.filter((one) => one !== call);
    if (other && more.length === 0 && people.length === 2) return other;
    throw new GatewayError(
      'forbidden',
      `Only of two phones one can send the other to a room; ${people.length} people are in this one.`,
    );
  }
}
