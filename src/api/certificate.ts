// Owns: the certificate of the HTTPS listener: the operator's, or one of our own making. May import: core, config.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { HttpsConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly isSelfSigned: boolean;
  /** SHA-256, as browsers show it. */
  readonly fingerprint: string;
  readonly expiresAtMs: number;
}

const dayMs = 86_400_000;
/** Apple's systems refuse longer ones, whoever signed them. */
const lifetimeMs = 397 * dayMs;
const renewBeforeMs = 30 * dayMs;

/**
 * The files of the configuration, or a self-signed certificate kept in the data folder. That one is made anew when it
 * nears its end or lacks a name or address that this machine has now.
 * @throws GatewayError `invalid_request` naming the setting that is wrong
 */
export async function loadCertificate(
  config: Pick<HttpsConfig, 'certificateFile' | 'privateKeyFile'>,
  dataFolder: string,
  log: Logger,
): Promise<Certificate> {
  const { certificateFile, privateKeyFile } = config;
  if ((certificateFile === undefined) !== (privateKeyFile === undefined)) {
    throw new GatewayError(
      'invalid_request',
      'https.certificateFile and https.privateKeyFile go together: set both, or neither for a self-signed certificate.',
    );
  }
  if (certificateFile !== undefined && privateKeyFile !== undefined) {
    const certificate = check(
      await readSetting('https.certificateFile', certificateFile),
      await readSetting('https.privateKeyFile', privateKeyFile),
      false,
    );
    const days = Math.floor((certificate.expiresAtMs - Date.now()) / dayMs);
    if (days < 14) log.warn({ file: certificateFile, days }, 'the certificate ends soon or has ended');
    return certificate;
  }
  return loadOwn(join(dataFolder, 'tls'), log);
}

/** What the folder of the certificate of our own making holds, without making one. @returns undefined for none, or a broken one */
export async function readOwnCertificate(dataFolder: string): Promise<Certificate | undefined> {
  const [certFile, keyFile] = filesIn(join(dataFolder, 'tls'));
  try {
    return check(await readFile(certFile, 'utf8'), await readFile(keyFile, 'utf8'), true);
  } catch {
    return undefined;
  }
}

const filesIn = (folder: string) => [join(folder, 'cert.pem'), join(folder, 'key.pem')] as const;

async function readSetting(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('invalid_request', `${setting}: ${file} cannot be read: ${reason}.`, { cause });
  }
}

function check(cert: string, key: string, isSelfSigned: boolean): Certificate {
  const parsed = parse('https.certificateFile', 'a PEM certificate', () => new X509Certificate(cert));
  const privateKey: KeyObject = parse('https.privateKeyFile', 'a PEM private key', () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new GatewayError('invalid_request', 'https.privateKeyFile is not the key of https.certificateFile.');
  }
  const expiresAtMs = Date.parse(parsed.validTo);
  return { cert, key, isSelfSigned, fingerprint: parsed.fingerprint256, expiresAtMs };
}

function parse<T>(setting: string, what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new GatewayError('invalid_request', `${setting} does not hold ${what}.`, { cause });
  }
}

async function loadOwn(folder: string, log: Logger): Promise<Certificate> {
  const [certFile, keyFile] = filesIn(folder);
  const names = machineNames();
  try {
    const known = check(await readFile(certFile, 'utf8'), await readFile(keyFile, 'utf8'), true);
    if (known.expiresAtMs - Date.now() > renewBeforeMs && covers(new X509Certificate(known.cert), names)) return known;
  } catch {
    // None yet, or a broken one: either way a new one is made.
  }
  const made = await makeOwn(names);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceFile(keyFile, made.key);
  await replaceFile(certFile, made.cert);
  log.info({ folder, fingerprint: made.fingerprint, names: names.length }, 'self-signed certificate made');
  return made;
}

/** Whole or not at all, and the key for our eyes only. */
async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
}

interface MachineName {
  readonly kind: 'dns' | 'ip';
  readonly value: string;
}

/** How a browser in this network may call this machine. */
function machineNames(): MachineName[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    // A link-local address needs a zone that no URL and no certificate has.
    .filter((address) => !address.startsWith('fe80:'));
  const hosts = ['localhost', hostname()].filter((name) => /^[A-Za-z0-9.-]{1,253}$/.test(name));
  return [
    ...[...new Set(hosts)].map((value) => ({ kind: 'dns' as const, value })),
    ...[...new Set(['127.0.0.1', '::1', ...addresses])].map((value) => ({ kind: 'ip' as const, value })),
  ];
}

function covers(certificate: X509Certificate, names: readonly MachineName[]): boolean {
  return names.every(({ kind, value }) =>
    kind === 'ip' ? certificate.checkIP(value) !== undefined : certificate.checkHost(value) !== undefined,
  );
}

async function makeOwn(names: readonly MachineName[]): Promise<Certificate> {
  const now = Date.now();
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'Switchyard gateway' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // A day of grace for clients whose clock is behind.
    notBeforeDate: new Date(now - dayMs),
    notAfterDate: new Date(now + lifetimeMs - dayMs),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map(({ kind, value }) => (kind === 'ip' ? { type: 7, ip: value } : { type: 2, value })),
      },
    ],
  });
  return check(cert, key, true);
}
