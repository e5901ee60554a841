import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TrunkRecord } from '#core/trunk.ts';
import { DigestServer } from './digest-server.ts';
import { FloodScreen } from './flood-screen.ts';
import { PasswordCheck } from './password-check.ts';

const trunk: TrunkRecord = {
  ...{ id: 'TK_1', name: 'carrier', isEnabled: true, createdAtMs: 0 },
  inbound: { addresses: ['198.51.100.0/24'] },
};

const byPassword: TrunkRecord = {
  ...{ id: 'TK_2', name: 'branch', isEnabled: true, createdAtMs: 0 },
  inbound: { username: 'branch', numbers: ['+4930*'] },
};

// A tenth of a second lets one more go its whole way.
beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(1_000));
afterEach(() => void vi.restoreAllMocks());

function someScreen() {
  const counted: string[] = [];
  const state = { waitMs: 0, askWaitMs: 0, otherWaitMs: 0, places: undefined as string | undefined };
  const now = { ms: 1_000_000 };
  const digest = new DigestServer({ realm: 'host', algorithms: ['MD5'], nowMs: () => now.ms });
  const screen = new FloodScreen({
    calls: { problemOfNew: () => undefined },
    defence: {
      callWaitMs: () => state.waitMs,
      askWaitMs: () => state.askWaitMs,
      otherWaitMs: () => state.otherWaitMs,
      countFlood: (address) => void counted.push(address),
    },
    unacknowledged: { problemOf: () => state.places },
    ...{ trunks: { all: [trunk, byPassword] }, lines: { all: [] }, callers: 'anyone' },
    accounts: { find: (name) => (name === 'alice' ? ({ username: 'alice', isEnabled: true } as never) : undefined) },
    passwords: new PasswordCheck(digest, {} as never),
  });
  const judge = (
    address: string,
    headers: Readonly<Record<string, string>> = {},
    uri = 'sip:demo@host',
    method = 'INVITE',
  ) =>
    screen.judge({
      ...{ method, source: { address, port: 5060, protocol: 'udp' }, uri },
      header: (name) => headers[name],
    });
  /** Of one who was asked for a password. */
  const answering = (username: string, address = '192.0.2.1') => {
    const [, nonce = ''] = /nonce="([^"]+)"/.exec(digest.challenge(address)) ?? [];
    return {
      authorization: `Digest username="${username}", realm="host", nonce="${nonce}", uri="sip:demo@host", response="0"`,
    };
  };
  return { judge, state, counted, answering, now };
}

test('nobody is refused without a flood; in one, some a second go their whole way and the rest hear why, and are counted', () => {
  const { judge, state, counted } = someScreen();
  expect(judge('192.0.2.1')).toBeUndefined();
  state.waitMs = 200;
  const verdicts = Array.from({ length: 100 }, () => judge('192.0.2.1'));
  const refused = verdicts.filter((verdict) => verdict !== undefined);
  expect(refused.length).toBeGreaterThanOrEqual(75);
  expect(verdicts.slice(0, 20)).toEqual(Array.from({ length: 20 }));
  expect(refused[0]).toMatchObject({ reason: expect.stringContaining('too many new calls'), retryAfterMs: 1_000 });
  expect(counted).toEqual(refused.map(() => '192.0.2.1'));
});

test('trunks and who may still be asked for one are not held up by the flood of others', () => {
  const { judge, state } = someScreen();
  state.waitMs = 60_000;
  for (let i = 0; i < 40; i++) judge('192.0.2.1');
  expect(judge('192.0.2.1')).toMatchObject({ retryAfterMs: 60_000 });
  expect(judge('198.51.100.7')).toBeUndefined();
  expect(judge('192.0.2.1', { from: '"A" <sip:alice@host>;tag=1' })).toBeUndefined();
  state.askWaitMs = 10;
  expect(judge('192.0.2.1', { from: '"A" <sip:alice@host>;tag=1' })).toBeDefined();
  state.waitMs = 0;
  state.places = '32 calls of this address wait';
  expect(judge('192.0.2.1')).toMatchObject({ reason: '32 calls of this address wait', retryAfterMs: 5_000 });
});

test('who answers when it is asked for its password is not held up; an Authorization that nobody asked for says nothing', () => {
  const { judge, state, answering, now } = someScreen();
  state.waitMs = 60_000;
  for (let i = 0; i < 40; i++) judge('192.0.2.1');
  state.askWaitMs = 10;
  const alice = answering('alice');
  expect(judge('192.0.2.1', alice)).toBeUndefined();
  expect(judge('192.0.2.1', answering('branch'), 'sip:+49301234@host')).toBeUndefined();
  for (const authorization of [
    'x',
    'Digest username="alice"',
    'Digest username="alice", realm="host", nonce="2n9c.AAAAAAAA.0000000000000000000000", response="0"',
    answering('nobody').authorization,
  ])
    expect(judge('192.0.2.1', { authorization }), authorization).toBeDefined();
  // That trunk may not bring a call to there, which is anybody's.
  expect(judge('192.0.2.1', answering('branch'))).toBeDefined();
  now.ms += 301_000;
  expect(judge('192.0.2.1', alice)).toBeDefined();
});

test('of REGISTERs without a password, and of other requests, an address has so many; who answers us and trunks are heard', () => {
  const { judge, state, answering, counted } = someScreen();
  const register = (address: string, headers = {}) => judge(address, headers, 'sip:host', 'REGISTER');
  const options = (address: string) => judge(address, {}, 'sip:host', 'OPTIONS');
  state.waitMs = 60_000;
  for (let i = 0; i < 40; i++) assertHeard(register('192.0.2.1'), options('192.0.2.1'));
  state.askWaitMs = 1_500;
  state.otherWaitMs = 10;
  for (let i = 0; i < 40; i++) register('192.0.2.1');
  expect(register('192.0.2.1')).toMatchObject({
    reason: expect.stringContaining('without a password'),
    retryAfterMs: 1_500,
  });
  expect(register('192.0.2.1', answering('alice'))).toBeUndefined();
  // A nonce that another address was given is no answer from here.
  expect(register('192.0.2.1', answering('alice', '203.0.113.9'))).toBeDefined();
  expect(options('192.0.2.1')).toMatchObject({
    reason: expect.stringContaining('from this address'),
    retryAfterMs: 1_000,
  });
  expect(options('198.51.100.7')).toBeUndefined();
  expect(counted.length).toBeGreaterThan(20);
});

function assertHeard(...verdicts: unknown[]): void {
  expect(verdicts.every((verdict) => verdict === undefined)).toBe(true);
}
