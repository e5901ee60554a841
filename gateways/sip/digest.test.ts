import assert from 'node:assert/strict';
import { test } from 'vitest';
import { authorize, chooseChallenge } from './digest.ts';

const mufasa = { username: 'Mufasa', password: 'Circle of Life' };
const request = {
  method: 'GET',
  uri: '/dir/index.html',
  body: '',
  nonceCount: 1,
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
};
const challenges =
  'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",' +
  'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';

test('the example of RFC 7616 §3.9.1: the stronger of two is answered', () => {
  const challenge = chooseChallenge(challenges);
  assert.equal(challenge?.algorithm, 'SHA-256');
  assert.match(
    authorize(challenge, mufasa, request),
    /response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"/,
  );
});

test('the same with MD5', () => {
  const challenge = chooseChallenge(challenges.split(',Digest')[1]?.replace(/^/, 'Digest') ?? '');
  assert.ok(challenge);
  assert.match(authorize(challenge, mufasa, request), /response="8ca523f5e9506fed4657c9700eebdbec"/);
});

test('a realm with a comma and quotes stays whole', () => {
  const challenge = chooseChallenge('Digest realm="r, \\"x\\"", nonce="n"');
  assert.equal(challenge?.realm, 'r, "x"');
  assert.match(authorize(challenge, mufasa, request), /realm="r, \\"x\\""/);
});

test('without qop there is neither cnonce nor nc; the count is hexadecimal', () => {
  const plain = chooseChallenge('Digest realm="r", nonce="n"');
  assert.ok(plain);
  assert.doesNotMatch(authorize(plain, mufasa, request), /cnonce|nc=/);
  const counted = chooseChallenge('Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess');
  assert.ok(counted);
  assert.match(authorize(counted, mufasa, { ...request, nonceCount: 26 }), /nc=0000001a/);
});

test.each([
  'Basic realm="x"',
  'Digest realm="x"',
  'Digest realm="x", nonce="y", algorithm=NEW',
  'Digest realm="x", nonce="y", qop="other"',
  '',
])('nothing to answer in: %s', (header) => {
  assert.equal(chooseChallenge(header), undefined);
});
