import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import { configSchema } from '#config/schema.ts';
import { openStore } from '#store/open-store.ts';
import { startGateway } from '#test/support/gateway.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { freePort } from '#test/support/ports.ts';
import { examine, renderFindings } from '../../src/doctor.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Ports that nobody else on this machine can hold, unless the test says. */
function configWith(overrides: z.input<typeof configSchema> = {}) {
  return configSchema.parse({
    data: join(folder, 'data'),
    http: { host: '127.0.0.1', port: 0 },
    https: { isEnabled: false },
    metrics: { isEnabled: false },
    rtmp: { isEnabled: false },
    rtsp: { isEnabled: false },
    sip: { isEnabled: false },
    sfu: { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] },
    ...overrides,
  });
}

const run = async (config: ReturnType<typeof configWith>, only?: readonly string[]) => {
  const findings = await examine(config, new KeepingLog(), only);
  return { findings, text: renderFindings(findings) };
};

test('a machine where all is well has no failure, and its worker and codecs are named', async () => {
  const { findings, text } = await run(configWith());
  expect(findings.filter(({ verdict }) => verdict === 'failure')).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['clock', 'open files', 'store', 'media work', 'prompts', 'fonts']),
  );
  for (const codec of ['opus', 'PCMA', 'G722', 'VP8', 'VP9', 'H264', 'AV1']) expect(text).toContain(codec);
});

test('a port that another program has is named with its setting and what to do', async () => {
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const { findings } = await run(configWith({ http: { host: '127.0.0.1', port } }), ['ports']);
    const found = findings.find(({ verdict }) => verdict === 'failure');
    expect(found?.detail).toBe(`tcp ${port} (http.port): EADDRINUSE`);
    expect(found?.advice).toContain('--port-base');
  } finally {
    other.close();
  }
});

test('an address that the machine does not have is refused with those it has', async () => {
  const { findings } = await run(configWith({ sfu: { workers: 1, firstPort: 0, listen: [{ ip: '192.0.2.1' }] } }), [
    'addresses',
  ]);
  const found = findings.find(({ check, verdict }) => check === 'addresses' && verdict === 'failure');
  expect(found?.detail).toContain('192.0.2.1');
  expect(found?.advice).toContain('127.0.0.1');
});

test('a data folder that cannot be one, and a worker that does not start, are failures of their own', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  const sfu = { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }], workerBin: '/bin/false' };
  const { findings } = await run(configWith({ data: join(file, 'data'), sfu }), ['data folder', 'media worker']);
  const failed = findings.filter(({ verdict }) => verdict === 'failure').map(({ check }) => check);
  expect(failed).toEqual(expect.arrayContaining(['data folder', 'media worker']));
});

/** The one failure of a check, which always says how to mend it. */
async function failureOf(check: string, config: ReturnType<typeof configWith>) {
  const { findings } = await run(config, [check]);
  const failed = findings.filter((one) => one.check === check && one.verdict === 'failure');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.advice).toMatch(/\w/);
  return failed[0]?.detail ?? '';
}

async function someStore(name: string): Promise<{ data: string; file: string }> {
  const data = join(folder, name);
  const { store } = await openStore(data, new KeepingLog());
  for (let i = 0; i < 60; i++) await store.put('rooms', `R${i}`, { text: 'x'.repeat(200) }, 0);
  await store.close();
  return { data, file: join(data, 'switchyard.db') };
}

test('a store that is damaged, of the future, or without its key is told apart, and a sound one is sound', async () => {
  const sound = await someStore('sound');
  const { findings } = await run(configWith({ data: sound.data }), ['store']);
  expect(findings.find(({ check }) => check === 'store')).toMatchObject({ verdict: 'ok' });
  await rm(join(sound.data, 'secrets.key'));
  expect(await failureOf('store', configWith({ data: sound.data }))).toMatch(/secrets\.key is missing/);

  const empty = await someStore('empty');
  for (const name of ['', '-wal', '-shm']) await rm(`${empty.file}${name}`, { force: true });
  await writeFile(empty.file, '');
  const { text } = await run(configWith({ data: empty.data }), ['store']);
  expect(text).toContain('is empty; the first start fills it');

  const foreign = await someStore('foreign');
  for (const name of ['', '-wal', '-shm']) await rm(`${foreign.file}${name}`, { force: true });
  const other = new DatabaseSync(foreign.file);
  other.exec('CREATE TABLE tunes (name TEXT)');
  other.close();
  expect(await failureOf('store', configWith({ data: foreign.data }))).toContain('another program');

  const torn = await someStore('torn');
  const bytes = await readFile(torn.file);
  await writeFile(torn.file, bytes.fill(0xa5, bytes.length / 2));
  expect(await failureOf('store', configWith({ data: torn.data }))).toContain(torn.file);

  const future = await someStore('future');
  const database = new DatabaseSync(future.file);
  database.exec('PRAGMA user_version = 999');
  database.close();
  expect(await failureOf('store', configWith({ data: future.data }))).toMatch(/version 999/);
});

test('a certificate that has ended, one with the wrong key and prompts that cannot be played are named', async () => {
  const [cert, key, other] = ['cert.pem', 'key.pem', 'other.pem'].map((name) => join(folder, name)) as string[];
  const past = {
    notBeforeDate: new Date(Date.now() - 9 * 86_400_000),
    notAfterDate: new Date(Date.now() - 2 * 86_400_000),
  };
  const [ended, another] = await Promise.all([past, {}].map((dates) => generate([], { keyType: 'ec', ...dates })));
  await Promise.all([
    writeFile(cert ?? '', ended?.cert ?? ''),
    writeFile(key ?? '', ended?.private ?? ''),
    writeFile(other ?? '', another?.private ?? ''),
  ]);
  const https = { isEnabled: true, port: 0, certificateFile: cert };
  const prompts = join(folder, 'prompts');
  await mkdir(join(prompts, 'en'), { recursive: true });
  await writeFile(join(prompts, 'en', 'welcome.wav'), 'no sound');
  const config = configWith({ https: { ...https, privateKeyFile: key }, mix: { promptsFolder: prompts } });
  expect(await failureOf('certificate', config)).toMatch(/ended \d days ago/);
  expect(await failureOf('prompts', config)).toMatch(/welcome\.wav/);
  const mixed = configWith({ https: { ...https, privateKeyFile: other } });
  expect(await failureOf('certificate', mixed)).toMatch(/not the key/);
});

test('beside a gateway that runs, its own ports are no failure, and one where it does not listen is', async () => {
  const gateway = await startGateway({ sip: { isEnabled: true } });
  try {
    const port = Number(new URL(gateway.url).port);
    const sip = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp')?.port ?? 0;
    const silent = await freePort();
    const { findings } = await run(
      configWith({
        http: { host: '127.0.0.1', port },
        sip: { isEnabled: true, hosts: ['127.0.0.1'], port: sip, hasTls: false },
        rtmp: { isEnabled: true, host: '127.0.0.1', port: silent, tlsIsEnabled: false },
      }),
      ['ports'],
    );
    expect(findings.find(({ check }) => check === 'gateway')?.detail).toMatch(/^runs at http:\/\/127\.0\.0\.1/);
    const listening = findings.filter(({ check }) => check === 'listening');
    expect(listening.find(({ detail }) => detail.startsWith('udp'))?.detail).toMatch(/OPTIONS: SIP\/2\.0 200/);
    expect(listening.filter(({ verdict }) => verdict === 'failure').map(({ detail }) => detail)).toEqual([
      `tcp ${silent} (rtmp.port) does not answer`,
    ]);
  } finally {
    await gateway.close();
  }
}, 30_000);
