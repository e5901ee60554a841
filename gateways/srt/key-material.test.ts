import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketDecryptor, PacketEncryptor } from './cipher.ts';
import { createKeyMaterial, type KeyLength, openKeyMessage, serializeKeyMessage } from './key-material.ts';
import { keyFlag } from './packet.ts';

const passphrase = 'correct horse';
const lengths: KeyLength[] = [16, 24, 32];
const dataPacket = (sequenceNumber: number, flag: number, payload: Buffer) => ({
  ...{ kind: 'data' as const, sequenceNumber, keyFlag: flag, payload, messageNumber: 1 },
  ...{ isRetransmitted: false, timestampUs: 0, socketId: 1 },
});

test.each(lengths)('keys of %i bytes travel under the passphrase, and under no other', async (keyLength) => {
  const material = await createKeyMaterial(passphrase, keyLength);
  const message = serializeKeyMessage(material);
  expect(message).toHaveLength(32 + 8 + keyLength);
  expect(await openKeyMessage(message, passphrase)).toEqual(material);
  expect(await openKeyMessage(message, 'correct house')).toBeUndefined();
});

test('a changed message opens to nothing, and none throws anything but a refusal', async () => {
  const message = serializeKeyMessage(await createKeyMaterial(passphrase, 16));
  await fc.assert(
    fc.asyncProperty(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(message);
      changed[at] = (changed[at] ?? 0) ^ change;
      const opened = await openKeyMessage(changed, passphrase).catch((thrown: unknown) => {
        expect(thrown).toMatchObject({ code: 'invalid_request' });
        return undefined;
      });
      // The index and the reserved bits mean nothing to anybody.
      if (at >= 16) expect(opened).toEqual(at < 24 ? expect.anything() : undefined);
    }),
    { numRuns: 60 },
  );
});

test('both keys of a refresh travel in one message', async () => {
  const material = await createKeyMaterial(passphrase, 24);
  const both = { ...material, keys: { even: material.keys.even, odd: Buffer.alloc(24, 7) } };
  expect(await openKeyMessage(serializeKeyMessage(both), passphrase, material)).toEqual(both);
});

test('payloads are in counter mode: salt and packet number in the draft’s places', async () => {
  const material = await createKeyMaterial(passphrase, 16);
  const { keyFlag: flag, payload } = new PacketEncryptor(material).encrypt(0x01020304, Buffer.from('hello'));
  const iv = Buffer.concat([material.salt.subarray(0, 14), Buffer.alloc(2)]);
  [1, 2, 3, 4].forEach((byte, i) => {
    iv[10 + i] = (iv[10 + i] ?? 0) ^ byte;
  });
  const expected = createCipheriv('aes-128-ctr', material.keys.even ?? Buffer.alloc(0), iv).update('hello');
  expect(flag).toBe(keyFlag.even);
  expect(payload).toEqual(expected);
});

test.each(lengths)('with keys of %i bytes that change on the way, everything is read', async (keyLength) => {
  const material = await createKeyMaterial(passphrase, keyLength);
  const encryptor = new PacketEncryptor(material, { refreshPackets: 20, announcePackets: 5 });
  const decryptor = new PacketDecryptor(material);
  const flags: number[] = [];
  for (let number = 0; number < 100; number += 1) {
    const text = Buffer.from(`packet ${number}`);
    const sealed = encryptor.encrypt(number, text);
    flags.push(sealed.keyFlag);
    const { announcement } = encryptor;
    if (announcement) {
      const renewed = await openKeyMessage(announcement, passphrase, decryptor.material);
      if (renewed) decryptor.renew(renewed);
      encryptor.confirm(announcement);
    }
    expect(encryptor.announcement).toBeUndefined();
    expect(decryptor.decrypt(dataPacket(number, sealed.keyFlag, sealed.payload))).toEqual(text);
  }
  expect(flags.filter((flag, i) => i > 0 && flag !== flags[i - 1])).toHaveLength(4);
});

test('a key that was never told reads nothing', async () => {
  const decryptor = new PacketDecryptor(await createKeyMaterial(passphrase, 16));
  expect(decryptor.decrypt(dataPacket(1, keyFlag.odd, Buffer.from('x')))).toBeUndefined();
  expect(decryptor.decrypt(dataPacket(1, 3, Buffer.from('x')))).toBeUndefined();
});
