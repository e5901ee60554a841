import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClientHandshake, ServerHandshake } from './handshake.ts';

test('client and server shake hands and keep what came after', () => {
  const client = new ClientHandshake();
  const server = new ServerHandshake();
  const first = server.write(client.opening);
  expect(first.rest).toBeUndefined();
  const answered = client.write(first.reply as Buffer);
  expect(answered.rest).toHaveLength(0);
  const last = server.write(Buffer.concat([answered.reply as Buffer, Buffer.from('first chunk')]));
  expect(last.reply).toBeUndefined();
  expect(last.rest?.toString()).toBe('first chunk');
});

test('an unsigned C1 is echoed in S2', () => {
  const { opening } = new ClientHandshake();
  expect(new ServerHandshake().write(opening).reply?.subarray(1_537)).toEqual(opening.subarray(1));
});

test.each([0, 1] as const)('a C1 signed by scheme %i is answered with signatures', (scheme) => {
  const opening = signedOpening(scheme);
  expect(isSignedAnswer(opening, new ServerHandshake().write(opening).reply as Buffer, scheme)).toBe(true);
});

test('a C1 with a version and no signature is echoed', () => {
  const opening = Buffer.alloc(1_537, 5);
  opening[0] = 3;
  expect(new ServerHandshake().write(opening).reply?.subarray(1_537)).toEqual(opening.subarray(1));
});

test('bytes may arrive one by one', () => {
  const server = new ServerHandshake();
  const { opening } = new ClientHandshake();
  const steps = [...opening].map((byte) => server.write(Buffer.of(byte)));
  expect(steps.slice(0, -1).every((step) => step.reply === undefined)).toBe(true);
  expect(steps.at(-1)?.reply).toHaveLength(3_073);
});

test.each([
  ['GET / HTTP/1.1\r\n', 'does not speak RTMP'],
  ['\x06', 'RTMPE'],
])('a first byte of %j ends it at once', (text, reason) => {
  expect(() => new ServerHandshake().write(Buffer.from(text))).toThrow(reason);
});

test('any C1 is answered', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1_536, maxLength: 1_536 }), (bytes) => {
      const { reply } = new ServerHandshake().write(Buffer.concat([Buffer.of(3), bytes]));
      expect(reply).toHaveLength(3_073);
    }),
    { numRuns: 30 },
  );
});

const shared = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
const serverText = Buffer.from('Genuine Adobe Flash Media Server 001');
const playerText = Buffer.from('Genuine Adobe Flash Player 001');
const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest();

/** Where the digest of a block lies whose offset bytes stand at 8 (scheme 0) or 772 (scheme 1). */
function digestRange(block: Buffer, scheme: number): [start: number, end: number] {
  const base = scheme === 0 ? 8 : 772;
  const sum = [0, 1, 2, 3].reduce((total, i) => total + (block[base + i] as number), 0);
  const start = base + 4 + (sum % 728);
  return [start, start + 32];
}

function digest(block: Buffer, scheme: number, key: Buffer): Buffer {
  const [start, end] = digestRange(block, scheme);
  return hmac(key, Buffer.concat([block.subarray(0, start), block.subarray(end)]));
}

function signedOpening(scheme: number): Buffer {
  const c1 = randomBytes(1_536);
  c1.set([9, 0, 124, 2], 4);
  digest(c1, scheme, playerText).copy(c1, digestRange(c1, scheme)[0]);
  return Buffer.concat([Buffer.of(3), c1]);
}

/** As ffmpeg's client looks at it. */
function isSignedAnswer(opening: Buffer, answered: Buffer, scheme: number): boolean {
  const c1 = opening.subarray(1);
  const s1 = answered.subarray(1, 1_537);
  const s2 = answered.subarray(1_537);
  const isServer = s1.subarray(...digestRange(s1, scheme)).equals(digest(s1, scheme, serverText));
  const key = hmac(Buffer.concat([serverText, shared]), c1.subarray(...digestRange(c1, scheme)));
  return isServer && hmac(key, s2.subarray(0, 1_504)).equals(s2.subarray(1_504));
}
