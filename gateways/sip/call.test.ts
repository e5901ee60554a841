import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { PhonePort } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { RoomInput, Rooms } from '#core/rooms.ts';
import { someRooms } from '#test/support/some-room.ts';
import { SipCall } from './call.ts';
import type { SipCallOptions } from './call-options.ts';
import type { SipDialog } from './dialog.ts';

const settings: SipCallOptions['settings'] = {
  srtp: 'off',
  codecs: ['pcma'],
  maxMenuMs: 60_000,
  maxDurationMs: 60_000,
  server: 'native',
  video: { isEnabled: false, codecs: ['h264'], maxHeight: 720, maxBitrateBps: 1_000_000 },
  keys: { isEnabled: false, mute: '*6', hand: '*5', louder: '*9', quieter: '*7', count: '*4' },
};

const roomOf = async (rooms: Rooms, input: RoomInput) => rooms.open((await rooms.create(input)).record.id);

/** A call that is in `room`, and whose leg cannot be taken to any other. */
async function callIn(room: Room): Promise<SipCall> {
  const log = someRooms().log;
  const place = { id: 1, localAddress: '127.0.0.1', localPort: 40_000 };
  const leg = new Leg({ transport: undefined, send: () => undefined }, { ...place, language: 'en', timeoutMs: 10_000 });
  const phones = {
    allocateLeg: async () => leg,
    addressFor: () => '127.0.0.1',
    moveLeg: () => Promise.reject(new GatewayError('overloaded', 'No media worker has room.')),
  } as unknown as PhonePort;
  const call = new SipCall({
    ...{
      direction: 'outbound',
      room,
      phones,
      bridges: {} as PhoneBridgePort,
      freeSwitch: undefined,
      settings,
      log,
      hasPrompts: false,
    },
    ...{ from: 'sip:room@h', to: 'sip:bob@h', displayName: 'Bob', user: 'bob' },
  });
  await call.prepare(['127.0.0.1']);
  const dialog = {
    events: new EventEmitter(),
    callId: 'x',
    remoteAllow: '',
    isEnded: false,
    bye: async () => undefined,
  };
  call.attach(dialog as unknown as SipDialog);
  call.speak({ direction: 'sendrecv', send: { codec: 'pcma' } } as unknown as LegParameters);
  expect(call.info.state).toBe('connected');
  return call;
}

afterEach(() => void vi.useRealTimers());

test('a call is hung up when it is as long as calls may be, and not before', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { rooms } = someRooms();
  const here = await roomOf(rooms, { name: 'here' });
  const call = await callIn(here);
  vi.advanceTimersByTime(settings.maxDurationMs - 1);
  expect([call.info.state, call.info.end]).toEqual(['connected', undefined]);
  vi.advanceTimersByTime(1);
  await call.done;
  expect(call.info.end).toMatchObject({ by: 'us', reason: 'max_duration' });
  expect([...here.visibleParticipants]).toEqual([]);
});

test('a call that cannot be taken to the room it has left for ends with the reason', async () => {
  const { rooms } = someRooms();
  const [here, there] = [await roomOf(rooms, { name: 'here' }), await roomOf(rooms, { name: 'there' })];
  const call = await callIn(here);
  await expect(call.moveTo(there)).rejects.toThrow('No media worker has room.');
  await call.done;
  expect(call.info.end).toMatchObject({ by: 'us', reason: 'overloaded' });
  expect([here, there].map((room) => [...room.visibleParticipants].length)).toEqual([0, 0]);
});

test('a call that may not come into another room stays where it is', async () => {
  const { rooms } = someRooms();
  const here = await roomOf(rooms, { name: 'here' });
  const full = await roomOf(rooms, { name: 'full', maxParticipants: 0 });
  const call = await callIn(here);
  await expect(call.moveTo(full)).rejects.toMatchObject({ code: 'room_full' });
  expect([call.info.state, [...here.visibleParticipants].length]).toEqual(['connected', 1]);
  await call.close();
});
