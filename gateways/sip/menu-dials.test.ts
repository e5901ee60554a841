import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { MenuDials } from './menu-dials.ts';

test('one customer has as many calls as a caller may have, by however many IPv6 addresses he asks for them', async () => {
  const dials = new MenuDials({
    calls: { events: new EventEmitter(), live: new Set(), find: () => undefined },
    // They are on their way for as long as this takes.
    rooms: { create: () => new Promise(() => undefined) } as never,
    config: { menus: { maxDialled: 10, maxDialledPerCaller: 1 } } as never,
    dial: () => Promise.reject(new Error('no call is made here')),
    log: someRooms().log,
  });
  const asked: Promise<string>[] = [];
  for (const guesser of ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', '192.0.2.1', 'TK_1/+4930']) {
    const caller = { user: 'x', displayName: 'X', guesser };
    const called = dials.call({
      ...{ dial: { to: 'sip:alice' }, to: 'sip:alice', caller, callId: 'CL_1' },
      ...{ signal: AbortSignal.abort(), onCalling: () => undefined, onEarlyMedia: () => Promise.reject() },
    });
    asked.push(
      Promise.race([called.then(({ kind }) => kind), new Promise<string>((done) => setImmediate(done, 'on its way'))]),
    );
  }
  expect(await Promise.all(asked)).toEqual(['on its way', 'not_reached', 'on its way', 'on its way', 'on its way']);
});
