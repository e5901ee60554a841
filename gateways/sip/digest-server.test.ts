import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { authorize, chooseChallenge } from './digest.ts';
import { DigestServer } from './digest-server.ts';

const address = '192.0.2.7';
const request = {
  ...{ method: 'REGISTER', uri: 'sip:gate.example:5070;transport=tcp', body: '' },
  source: { address },
};
const credentials = { username: 'alice', password: 'secret' };
const passwordOf = (name: string) => (name === 'alice' ? 'secret' : undefined);

function server(nowMs = { ms: 1_000_000 }) {
  return new DigestServer({ realm: 'here', algorithms: ['SHA-256', 'MD5'], nowMs: () => nowMs.ms });
}

/** As a client that takes the best algorithm of those allowed would answer. */
function answer(
  to: DigestServer,
  { nonceCount = 1, algorithm = 'SHA-256', who = credentials, from = to.challenge(address) } = {},
) {
  const challenge = chooseChallenge(
    from
      .split('\r\nWWW-Authenticate: ')
      .filter((one) => one.includes(algorithm))
      .join(', '),
  );
  assert.ok(challenge);
  return authorize(challenge, who, { ...request, nonceCount });
}

test.each(['SHA-256', 'MD5'])('who knows the password is told from who does not: %s', (algorithm) => {
  const digest = server();
  assert.deepEqual(digest.verify(answer(digest, { algorithm }), request, passwordOf), {
    kind: 'right',
    username: 'alice',
  });
  const wrong = answer(digest, { algorithm, who: { ...credentials, password: 'x' } });
  assert.deepEqual(digest.verify(wrong, request, passwordOf), { kind: 'wrong', username: 'alice' });
  const nobody = answer(digest, { algorithm, who: { username: 'eve', password: 'secret' } });
  assert.deepEqual(digest.verify(nobody, request, passwordOf), { kind: 'wrong', username: 'eve' });
});

test('an answer is good once, and those that overtake each other are all good', () => {
  const digest = server();
  const from = digest.challenge(address);
  const verdicts = [1, 3, 2, 2, 1, 40, 9, 8, 3].map(
    (nonceCount) => digest.verify(answer(digest, { nonceCount, from }), request, passwordOf).kind,
  );
  assert.deepEqual(verdicts, ['right', 'right', 'right', 'missing', 'missing', 'right', 'right', 'missing', 'missing']);
  const replayed = digest.verify(answer(digest, { nonceCount: 3, from }), request, passwordOf);
  assert.deepEqual(replayed, { kind: 'missing', isStale: true });
});

test('a nonce is taken for five minutes, and by the server that made it', () => {
  const now = { ms: 1_000_000 };
  const digest = server(now);
  const good = answer(digest);
  now.ms += 301_000;
  assert.deepEqual(digest.verify(good, request, passwordOf), { kind: 'missing', isStale: true });
  assert.deepEqual(digest.verify(answer(server(now)), request, passwordOf), { kind: 'missing', isStale: false });
});

test.each([
  ['192.0.2.7', '192.0.2.200', true],
  ['192.0.2.7', '192.0.3.7', false],
  ['192.0.2.7', '2001:db8::7', false],
  ['2001:db8::7', '2001:db8:0:0:9::1', true],
  ['2001:db8::7', '2001:db8:0:1::7', false],
])('a nonce that was given to %s is taken from %s: %s', (given, from, isTaken) => {
  const digest = server();
  const header = answer(digest, { from: digest.challenge(given) });
  const there = { ...request, source: { address: from } };
  assert.equal(digest.isAnswer(header, from), isTaken);
  const verdict = digest.verify(header, there, passwordOf);
  assert.deepEqual(verdict, isTaken ? { kind: 'right', username: 'alice' } : { kind: 'missing', isStale: true });
  // Whoever it was given to may still answer it, and a wrong password is one wherever it comes from.
  if (!isTaken)
    assert.equal(digest.verify(header, { ...request, source: { address: given } }, passwordOf).kind, 'right');
  const wrong = answer(digest, { from: digest.challenge(given), who: { ...credentials, password: 'x' } });
  assert.equal(digest.verify(wrong, there, passwordOf).kind, 'wrong');
});

test('who comes with an old nonce is told that its password was not the reason, and gets one more of each algorithm', () => {
  const digest = server();
  const challenges = digest.challenge(address, true).split('\r\nWWW-Authenticate: ');
  assert.deepEqual(
    challenges.map((one) => /algorithm=([\w-]+), qop="auth", stale=true$/.exec(one)?.[1]),
    ['SHA-256', 'MD5'],
  );
  assert.doesNotMatch(digest.challenge(address), /stale/);
});

test.each([
  ['another method', { ...request, method: 'INVITE' }],
  ['another host', { ...request, uri: 'sip:other.example' }],
])('an answer made for %s is wrong', (_what, other) => {
  const digest = server();
  assert.equal(digest.verify(answer(digest), other, passwordOf).kind, 'wrong');
});

test.each([
  '',
  'Basic YTpi',
  'Digest',
  'Digest realm="here"',
  `Digest ${'a=b, '.repeat(2_000)}`,
  'Digest realm="here", nonce="1.2.3"',
])('what is no answer is asked for: %.30s', (header) => {
  const digest = server();
  assert.deepEqual(digest.verify(header, request, passwordOf), { kind: 'missing', isStale: false });
});
