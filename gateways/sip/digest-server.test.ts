import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { authorize, chooseChallenge } from './digest.ts';
import { DigestServer } from './digest-server.ts';

const request = { method: 'REGISTER', uri: 'sip:gate.example:5070;transport=tcp', body: '' };
const credentials = { username: 'alice', password: 'secret' };
const passwordOf = (name: string) => (name === 'alice' ? 'secret' : undefined);

function server(nowMs = { ms: 1_000_000 }) {
  return new DigestServer({ realm: 'here', algorithms: ['SHA-256', 'MD5'], nowMs: () => nowMs.ms });
}

/** As a client that takes the best algorithm of those allowed would answer. */
function answer(
  to: DigestServer,
  { nonceCount = 1, algorithm = 'SHA-256', who = credentials, from = to.challenge() } = {},
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
  const from = digest.challenge();
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
