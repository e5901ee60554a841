import { expect, test } from 'vitest';
import { dialInNumbers } from './dial-in-numbers.ts';
import type { DispatchRule } from './dispatch.ts';
import type { KnownRule } from './dispatch-rules.ts';
import type { RoomId } from './ids.ts';

const room = { id: 'RM_1' as RoomId, name: 'Demo' };
const rules = (...all: DispatchRule[]): KnownRule[] =>
  all.map((rule, at) => ({ ...rule, id: `DR_${at}`, source: 'api', order: at, createdAtMs: 0 }));
const menu = { start: 'main', nodes: { main: { keys: { 1: { room: 'demo' }, 2: { room: 'desk' } } } } };

test('a room is reached by the numbers whose rules send anybody there, with the door that each has', () => {
  const found = dialInNumbers(
    rules(
      { number: '+49 30 123', room: 'demo' },
      { number: '+4930124', room: 'RM_1', access: 'open' },
      { number: '+4930125', trunk: 'carrier', room: 'demo', pin: '4711' },
      { number: '+4930126', menu },
    ),
    room,
    { access: 'pin', hasPin: true },
  );
  expect(found).toEqual([
    { number: '+49 30 123', access: 'pin', hasOwnPin: false, isMenu: false },
    { number: '+4930124', access: 'open', hasOwnPin: false, isMenu: false },
    { number: '+4930125', access: 'pin', hasOwnPin: true, isMenu: false },
    { number: '+4930126', access: 'pin', hasOwnPin: false, isMenu: true },
  ]);
});

test('no number of it is one that another rule takes before, that asks for more, leads elsewhere, or that it does not take', () => {
  const others = rules(
    { pattern: '\\+4930.*', room: 'desk' },
    { number: '+4930123', room: 'demo' },
    { number: '100', from: '+4989*', room: 'demo' },
    { number: '101', account: '*', room: 'demo' },
    { number: '102', room: 'demo', time: { from: '09:00', to: '17:00' } },
    { number: '103', room: 'desk' },
    { number: '104', reject: { status: 603, reason: 'No.' } },
    { pattern: '105', room: 'demo' },
  );
  expect(dialInNumbers(others, room, { access: 'open', hasPin: false })).toEqual([]);
  const closed = rules({ number: '106', room: 'demo', access: 'open' });
  expect(dialInNumbers(closed, room, { access: 'closed', hasPin: true })).toEqual([]);
});

test('a room that asks for a PIN and has none is reached by no number but those with a door of their own', () => {
  const all = rules(
    { number: '1', room: 'demo' },
    { number: '2', room: 'demo', access: 'open' },
    { number: '3', room: 'demo', pin: '4711' },
    { number: '4', menu },
    { number: '5', room: 'demo', access: 'pin' },
  );
  const numbers = (access: 'pin' | 'open') =>
    dialInNumbers(all, room, { access, hasPin: false }).map(({ number }) => number);
  expect(numbers('pin')).toEqual(['2', '3', '4']);
  expect(numbers('open')).toEqual(['1', '2', '3', '4']);
});
