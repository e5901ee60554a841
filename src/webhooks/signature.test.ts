import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { newSecret, signatureHeaders } from './signature.ts';

test('the example of the Standard Webhooks specification is signed as it says', () => {
  const headers = signatureHeaders(
    { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1_614_265_330, body: '{"test": 2432232314}' },
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  );
  assert.deepEqual(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('two secrets make two signatures, and a secret has 256 random bits', () => {
  const [one, two] = [newSecret(), newSecret()];
  const message = { id: 'a', timestampS: 1, body: '{}' };
  const { 'webhook-signature': both } = signatureHeaders(message, [one, two]);
  const each = [one, two].map((secret) => signatureHeaders(message, [secret])['webhook-signature']);
  assert.equal(both, each.join(' '));
  assert.notEqual(each[0], each[1]);
  assert.equal(Buffer.from(one.replace('whsec_', ''), 'base64').length, 32);
});
