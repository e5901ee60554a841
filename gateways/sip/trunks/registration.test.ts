import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import type { SipAnswer } from '../dialog.ts';
import type { LinkEvents } from '../link.ts';
import { Registration } from './registration.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const contactUser = 't4711';
const answer = (status: number, headers: Record<string, string> = {}): SipAnswer => ({
  ...{ status, reason: `R${status}`, body: '' },
  header: (name) => headers[name],
});
const granted = (seconds: number, more: Record<string, string> = {}) =>
  answer(200, { contact: `<sip:other@h>;expires=9, <sip:${contactUser}@gate.example>;expires=${seconds}`, ...more });

interface Asked {
  readonly atMs: number;
  readonly registrar: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The registrars answer with these in turn, and with the last one from then on. */
function registering(answers: (SipAnswer | 'silence')[], registrars = ['sip:a.example']) {
  const asked: Asked[] = [];
  const startedAtMs = Date.now();
  const link = {
    isUp: true,
    events: new EventEmitter<LinkEvents>(),
    request: async (_method: string, registrar: string, { headers = {} }: { headers?: object } = {}) => {
      asked.push({ atMs: Date.now() - startedAtMs, registrar, headers: headers as Asked['headers'] });
      const next = answers.length > 1 ? answers.shift() : answers[0];
      return next === 'silence' || !next ? new Promise<never>(() => undefined) : next;
    },
  };
  const registration = new Registration({
    ...{ link, registrars, contactUser, transport: 'tcp', expiresSec: 600, log: someRooms().log, random: () => 0.5 },
    ...{ addressOfRecord: 'sip:u@a.example', credentials: { username: 'u', password: 'p' } },
  });
  return { registration, asked, link, times: () => asked.map(({ atMs }) => atMs / 1_000) };
}
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1_000);

test('it is refreshed after 85 % of what our own Contact was granted, in one call with a CSeq that grows', async () => {
  const { registration, asked, times } = registering([granted(100)]);
  await pass(86);
  expect([registration.state, times()]).toEqual(['registered', [0, 85]]);
  expect(registration.expiresAtMs).toBe(Date.now() - 1_000 + 100_000);
  const [first, second] = asked.map(({ headers }) => headers);
  expect(first).toMatchObject({ contact: `<sip:${contactUser}@localhost;transport=tcp>;expires=600`, expires: '600' });
  expect(second?.['call-id']).toBe(first?.['call-id']);
  expect([first?.cseq, second?.cseq]).toEqual(['1 REGISTER', '5 REGISTER']);
  await registration.close();
});

test('423 is followed at once and remembered; a Min-Expires of days is not', async () => {
  const { registration, asked } = registering([answer(423, { 'min-expires': '1800' }), granted(1_800)]);
  await pass(1_531);
  expect(asked.map(({ headers: { expires } }) => expires)).toEqual(['600', '1800', '1800']);
  await registration.close();
  const greedy = registering([answer(423, { 'min-expires': '900000' })]);
  await pass(1);
  expect([greedy.registration.state, greedy.asked.length]).toEqual(['failed', 1]);
  await greedy.registration.close();
});

test('hosts are tried in turn, each round after twice the time, five minutes at the most', async () => {
  const { registration, asked, times } = registering([answer(503)], ['sip:a.example', 'sip:b.example']);
  await pass(1_500);
  expect(asked.slice(0, 4).map(({ registrar }) => registrar.slice(4, 5))).toEqual(['a', 'b', 'a', 'b']);
  const waits = times().map((at, i, all) => at - (all[i - 1] ?? 0));
  expect(waits.slice(1, 9)).toEqual([2, 2, 4, 4, 8, 8, 16, 16]);
  expect(Math.max(...waits)).toBeLessThanOrEqual(300);
  expect([registration.state, registration.lastError]).toEqual(['failed', 'The registrar answered 503 R503.']);
  await registration.close();
});

test.each([
  ['a password that is refused: a minute at least, accounts get locked', answer(403), 60],
  ['Retry-After', answer(503, { 'retry-after': '120 (busy)' }), 120],
  ['a Retry-After of days: an hour', answer(503, { 'retry-after': '999999' }), 3_600],
])('it waits for %s', async (_what, refusal, seconds) => {
  const { registration, asked } = registering([refusal]);
  await pass(seconds - 1);
  expect(asked.length).toBe(1);
  await pass(1);
  expect(asked.length).toBe(2);
  await registration.close();
});

test('a refresh that fails leaves it registered until its time is over, and not longer', async () => {
  const { registration } = registering([granted(100), answer(500, { 'retry-after': '600' }), granted(100)]);
  await pass(99);
  expect([registration.state, registration.lastError]).toEqual(['registered', 'The registrar answered 500 R500.']);
  let changes = 0;
  registration.events.on('changed', () => (changes += 1));
  await pass(1);
  expect([registration.state, changes]).toEqual(['failed', 1]);
  await pass(585);
  expect([registration.state, registration.lastError]).toEqual(['registered', undefined]);
  await registration.close();
});

test('a registrar that says nothing is given up, and its registration is over in time all the same', async () => {
  const { registration } = registering([granted(100), 'silence']);
  await pass(100);
  expect(registration.lastError).toBe('The registration is over, and the registrar has not answered its refresh.');
  await pass(26);
  expect([registration.state, registration.lastError]).toEqual(['failed', 'The registrar does not answer.']);
  await registration.close();
});

test('a new link and a new address of ours register at once; calls take the Service-Route of the last answer', async () => {
  const route = { 'service-route': '<sip:edge.example;lr>' };
  const { registration, link, times } = registering([granted(100, route), granted(100, route), granted(100)]);
  await pass(1);
  expect(registration.serviceRoute).toBe('sip:edge.example;lr');
  link.events.emit('connected', 'tcp/192.0.2.1:5060');
  await pass(1);
  registration.again();
  await pass(1);
  expect([times(), registration.serviceRoute]).toEqual([[0, 1, 2], undefined]);
  await registration.close();
});

test('it is taken back when it is closed, and nobody is asked any more', async () => {
  const { registration, asked } = registering([granted(100)]);
  await pass(1);
  await registration.close();
  await pass(1_000);
  expect(asked.map(({ headers: { expires } }) => expires)).toEqual(['600', '0']);
  const failed = registering([answer(500)]);
  await pass(1);
  await failed.registration.close();
  await pass(1_000);
  expect(failed.asked.length).toBe(1);
});
