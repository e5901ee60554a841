import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Authenticator, chooseChallenge, DigestVerifier, digestResponse, parseAuthHeader } from './digest.ts';

const request = { method: 'DESCRIBE', uri: 'rtsp://gw:8554/room' };
const credentials = { username: 'Mufasa', password: 'Circle of Life' };
const passwordOf = async (username: string) => (username === credentials.username ? credentials.password : undefined);

test('the example of RFC 2617 §3.5', () => {
  const response = digestResponse({
    algorithm: 'md5',
    username: 'Mufasa',
    password: 'Circle Of Life',
    realm: 'testrealm@host.com',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    uri: '/dir/index.html',
    method: 'GET',
    qop: 'auth',
    nc: '00000001',
    cnonce: '0a4f113b',
  });
  expect(response).toBe('6629fae49393a05397450978507c4ef1');
});

test('the strongest offer is chosen, also of several in one line', () => {
  const md5 = 'Digest realm="a", nonce="n"';
  const sha = 'Digest realm="a", nonce="n", algorithm=SHA-256, qop="auth,auth-int"';
  const basic = 'Basic realm="a, b"';
  expect(chooseChallenge([basic, md5, sha])?.params.algorithm).toBe('SHA-256');
  expect(chooseChallenge([`${basic}, ${md5}`])?.scheme).toBe('digest');
  expect(chooseChallenge([basic])).toEqual({ scheme: 'basic', params: { realm: 'a, b' } });
  expect(chooseChallenge(['Digest realm="a", nonce="n", algorithm=SHA-512', 'Negotiate', ''])).toBeUndefined();
});

test.each(['SHA-256', 'MD5'])(
  'our verifier believes our authenticator with %s, and more than once',
  async (algorithm) => {
    const verifier = new DigestVerifier('Switchyard');
    const offer = verifier.challenges().filter((challenge) => challenge.endsWith(algorithm));
    const authenticator = new Authenticator(chooseChallenge(offer) as never, credentials);
    for (let i = 0; i < 2; i++) {
      const header = authenticator.authorization(request.method, request.uri);
      expect(await verifier.verify(header, request, passwordOf)).toEqual({ kind: 'ok', username: 'Mufasa' });
    }
  },
);

test('the form without qop, and Basic, are believed too', async () => {
  const verifier = new DigestVerifier('Switchyard');
  const [challenge = ''] = verifier.challenges();
  const withoutQop = chooseChallenge([challenge.replace(/, qop="auth"/, '')]) as never;
  for (const offer of [withoutQop, { scheme: 'basic' as const, params: {} }]) {
    const header = new Authenticator(offer, credentials).authorization(request.method, request.uri);
    expect(await verifier.verify(header, request, passwordOf)).toMatchObject({ kind: 'ok' });
  }
});

test('a wrong password, user, method, place or nonce is refused; an old nonce is stale', async () => {
  let nowMs = 1_000_000;
  const verifier = new DigestVerifier('Switchyard', () => nowMs);
  const challenge = chooseChallenge(verifier.challenges()) as never;
  const sign = (who = credentials, method = 'DESCRIBE') =>
    new Authenticator(challenge, who).authorization(method, request.uri);
  const refused = { kind: 'refused', isStale: false };
  const verify = (header: string, uri = request.uri) => verifier.verify(header, { ...request, uri }, passwordOf);
  expect(await verify(sign({ ...credentials, password: 'x' }))).toEqual(refused);
  expect(await verify(sign({ ...credentials, username: 'Scar' }))).toEqual(refused);
  expect(await verify(sign(credentials, 'PLAY'))).toEqual(refused);
  expect(await verify(sign(), 'rtsp://gw:8554/other')).toEqual(refused);
  expect(await new DigestVerifier('Switchyard').verify(sign(), request, passwordOf)).toEqual(refused);
  nowMs += 400_000;
  expect(await verify(sign())).toEqual({ kind: 'refused', isStale: true });
});

test('any header is an answer or a refusal, and reading it takes no time that grows with malice', async () => {
  const verifier = new DigestVerifier('Switchyard');
  await fc.assert(
    fc.asyncProperty(fc.string(), async (text) => {
      expect((await verifier.verify(text, request, passwordOf)).kind).toBe('refused');
      expect((await verifier.verify(`Digest ${text}`, request, passwordOf)).kind).toBe('refused');
    }),
  );
  expect(Object.keys(parseAuthHeader(`Digest ${'a="\\'.repeat(50_000)}`).params).length).toBeLessThan(10);
});
