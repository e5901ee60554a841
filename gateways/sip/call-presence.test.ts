import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import type { SipCallOptions } from './call-options.ts';
import { CallPresence } from './call-presence.ts';
import type { ConferenceKeysOptions } from './conference-keys.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

async function somebodyIn() {
  const { rooms, log } = someRooms();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const who = { user: 'anna', displayName: 'Anna', from: 'sip:anna@host', to: 'sip:demo@host' };
  const call = { room, direction: 'inbound', ...who } as unknown as SipCallOptions;
  const controls = {} as ConferenceKeysOptions['call'];
  const presence = new CallPresence({ call, controls, onGone: () => undefined, log });
  presence.join();
  return { rooms, room, presence };
}

test('keys that come faster than anybody presses are not told to the room, and those after them are', async () => {
  const { rooms, room, presence } = await somebodyIn();
  const told: string[] = [];
  room.events.on('dtmfReceived', (_participant, digit) => told.push(digit));
  for (let i = 0; i < 2_000; i++) presence.tellKey('5');
  expect(told.length).toBe(60);
  vi.advanceTimersByTime(100);
  for (const key of '123') presence.tellKey(key);
  expect(told.slice(60)).toEqual(['1', '2']);
  await rooms.close();
});

test('who writes faster than anybody can is told to write later, and is heard then', async () => {
  const { rooms, room, presence } = await somebodyIn();
  const said: string[] = [];
  room.events.on('chatSent', ({ text }) => said.push(text));
  const say = (body: string) =>
    presence.hear({
      ...{ method: 'MESSAGE', contentType: 'text/plain', body },
      ...{ header: () => undefined, respond: () => undefined },
    });
  for (let i = 0; i < 30; i++) say(`${i}`);
  const refusal = {
    code: 'rate_limited',
    retryAfterMs: expect.any(Number),
    spec: expect.objectContaining({ sip: 503 }),
  };
  expect(() => say('too soon')).toThrow(expect.objectContaining(refusal));
  vi.advanceTimersByTime(100);
  say('later');
  expect([said.length, said.at(-1)]).toEqual([31, 'later']);
  await rooms.close();
});
