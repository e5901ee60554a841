import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { loadCertificate } from './certificate.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-certificate-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const log = new KeepingLog();
const dayMs = 86_400_000;
const refuses = (words: RegExp) => (thrown: unknown) =>
  thrown instanceof GatewayError && thrown.code === 'invalid_request' && words.test(thrown.message);

describe('a certificate of our own', () => {
  test('is for every name and address of this machine, and for a server only', async () => {
    const { cert, isSelfSigned, fingerprint, expiresAtMs } = await loadCertificate({}, folder, log);
    const parsed = new X509Certificate(cert);
    assert.ok(isSelfSigned && fingerprint === parsed.fingerprint256);
    for (const address of ['127.0.0.1', '::1']) assert.ok(parsed.checkIP(address), address);
    for (const name of ['localhost', hostname()]) assert.ok(parsed.checkHost(name), name);
    assert.equal(parsed.checkHost('example.org'), undefined);
    assert.equal(parsed.ca, false);
    assert.deepEqual(parsed.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    const days = (expiresAtMs - Date.now()) / dayMs;
    assert.ok(days > 390 && days < 398);
    assert.ok(parsed.validFromDate.getTime() < Date.now() - dayMs / 2);
  });

  test('is kept, with its key for the owner alone', async () => {
    const made = await loadCertificate({}, folder, log);
    assert.equal((await loadCertificate({}, folder, log)).fingerprint, made.fingerprint);
    assert.equal(statSync(join(folder, 'tls', 'key.pem')).mode & 0o777, 0o600);
  });

  test('is made anew when it nears its end', async () => {
    const made = await loadCertificate({}, folder, log);
    vi.useFakeTimers({ now: Date.now() + 360 * dayMs, toFake: ['Date'] });
    assert.equal((await loadCertificate({}, folder, log)).fingerprint, made.fingerprint);
    vi.setSystemTime(Date.now() + 8 * dayMs);
    const renewed = await loadCertificate({}, folder, log);
    assert.notEqual(renewed.fingerprint, made.fingerprint);
    assert.ok(renewed.expiresAtMs > made.expiresAtMs);
  });

  test('is made anew when it lacks an address, or is broken, or its key is another', async () => {
    const made = await loadCertificate({}, folder, log);
    const [certFile, keyFile] = [join(folder, 'tls', 'cert.pem'), join(folder, 'tls', 'key.pem')];
    const foreign = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
    });
    const breakages: (() => void)[] = [
      () => writeFileSync(certFile, 'broken'),
      () => writeFileSync(keyFile, foreign.private),
      () => {
        writeFileSync(certFile, foreign.cert);
        writeFileSync(keyFile, foreign.private);
      },
      () => rmSync(certFile),
    ];
    let last = made.fingerprint;
    for (const breakIt of breakages) {
      breakIt();
      const { fingerprint } = await loadCertificate({}, folder, log);
      assert.notEqual(fingerprint, last);
      assert.equal(new X509Certificate(readFileSync(certFile)).fingerprint256, fingerprint);
      last = fingerprint;
    }
  });
});

describe('a certificate of the configuration', () => {
  const files = () => ({
    certificateFile: join(folder, 'chain.pem'),
    privateKeyFile: join(folder, 'private.pem'),
  });

  test('is used as it is, and warned about when it ends soon', async () => {
    const notAfterDate = new Date(Date.now() + 5 * dayMs);
    const pems = await generate([{ name: 'commonName', value: 'meet.example.org' }], {
      notAfterDate,
      algorithm: 'sha256',
    });
    writeFileSync(files().certificateFile, pems.cert);
    writeFileSync(files().privateKeyFile, pems.private);
    const lines = new KeepingLog();
    const { cert, isSelfSigned } = await loadCertificate(files(), folder, lines);
    assert.deepEqual([cert, isSelfSigned], [pems.cert, false]);
    assert.deepEqual([lines.lines[0]?.level, lines.lines[0]?.fields.days], ['warn', 4]);
  });

  test('that does not work is refused by the name of its setting', async () => {
    const { certificateFile, privateKeyFile } = files();
    const load = (config: object) => loadCertificate(config, folder, log);
    await assert.rejects(load({ certificateFile }), refuses(/certificateFile and https\.privateKeyFile go together/));
    await assert.rejects(load({ privateKeyFile }), refuses(/go together/));
    await assert.rejects(load(files()), refuses(/https\.certificateFile: .*chain\.pem cannot be read/));
    writeFileSync(certificateFile, 'x');
    await assert.rejects(load(files()), refuses(/https\.privateKeyFile: .*private\.pem cannot be read/));
    writeFileSync(privateKeyFile, 'x');
    await assert.rejects(load(files()), refuses(/https\.certificateFile does not hold a PEM certificate/));
    const [one, two] = await Promise.all([generate([], { keyType: 'ec' }), generate([], { keyType: 'ec' })]);
    writeFileSync(certificateFile, one.cert);
    await assert.rejects(load(files()), refuses(/https\.privateKeyFile does not hold a PEM private key/));
    writeFileSync(privateKeyFile, two.private);
    await assert.rejects(load(files()), refuses(/is not the key of/));
  });
});
