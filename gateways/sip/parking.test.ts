import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ParkedInfo } from '#core/call-parking.ts';
import { GatewayError } from '#core/errors.ts';
import type { Room } from '#core/room.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import type { SipCall } from './call.ts';
import { Parking } from './parking.ts';

const room = { record: { id: 'RM_1' } } as unknown as Room;

/** As much of a call as is parked. */
class Parkable {
  readonly id = 'CL_1';
  readonly events = new EventEmitter<{ changed: [] }>();
  readonly done = new Promise<void>(() => undefined);
  readonly room = room;
  readonly failures: string[] = [];
  info: { parked: ParkedInfo | undefined } = { parked: undefined };
  moves: () => Promise<void> = async () => this.#stands(undefined);

  park = async (_lot: Room, parked: ParkedInfo) => this.#stands(parked);
  moveTo = () => this.moves();
  fail = ({ message }: GatewayError) => void this.failures.push(message);

  #stands(parked: ParkedInfo | undefined): void {
    this.info = { parked };
    this.events.emit('changed');
  }
}

let call: Parkable;
let parking: Parking;
const park = () => parking.park(call as unknown as SipCall);

beforeEach(() => {
  vi.useFakeTimers();
  call = new Parkable();
  const settings = { room: 'lot', firstSlot: 700, slots: 1, timeoutMs: 5_000, callers: 'known' as const };
  parking = new Parking({ rooms: { open: async () => room }, settings, log: new KeepingLog() });
});

afterEach(() => void vi.useRealTimers());

test('a call that is parked again and again leaves its slot each time, and nothing else behind', async () => {
  for (let i = 0; i < 20; i++) {
    expect((await park()).slot).toBe('700');
    await call.moveTo();
    expect(parking.at('700')).toBeUndefined();
  }
  expect([call.events.listenerCount('changed'), vi.getTimerCount()]).toEqual([0, 0]);
});

test.each([
  ['whose room does not take it ends with the reason', 'room_full', 1],
  ['that is fetched in the moment its time is over is left to who fetches it', 'conflict', 0],
] as const)('a parked call %s', async (_, code, failures) => {
  await park();
  call.moves = () => Promise.reject(new GatewayError(code, 'No.'));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(call.failures).toHaveLength(failures);
});
