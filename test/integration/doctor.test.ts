import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import { configSchema } from '#config/schema.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
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

const check = async (config: ReturnType<typeof configWith>) => {
  const findings = await examine(config, new KeepingLog());
  return { findings, text: renderFindings(findings) };
};

test('a machine where all is well has no failure, and its worker and codecs are named', async () => {
  const { findings, text } = await check(configWith());
  expect(findings.filter(({ verdict }) => verdict === 'failure')).toEqual([]);
  for (const codec of ['opus', 'PCMA', 'G722', 'VP8', 'VP9', 'H264', 'AV1']) expect(text).toContain(codec);
});

test('a port that another program has is named with its setting and what to do', async () => {
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const { findings } = await check(configWith({ http: { host: '127.0.0.1', port } }));
    const found = findings.find(({ verdict }) => verdict === 'failure');
    expect(found?.detail).toBe(`tcp ${port} (http.port): EADDRINUSE`);
    expect(found?.advice).toContain('--port-base');
  } finally {
    other.close();
  }
});

test('an address that the machine does not have is refused with those it has', async () => {
  const { findings } = await check(configWith({ sfu: { workers: 1, firstPort: 0, listen: [{ ip: '192.0.2.1' }] } }));
  const found = findings.find(({ check, verdict }) => check === 'addresses' && verdict === 'failure');
  expect(found?.detail).toContain('192.0.2.1');
  expect(found?.advice).toContain('127.0.0.1');
});

test('a data folder that cannot be one, and a worker that does not start, are failures of their own', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  const sfu = { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }], workerBin: '/bin/false' };
  const { findings } = await check(configWith({ data: join(file, 'data'), sfu }));
  const failed = findings.filter(({ verdict }) => verdict === 'failure').map(({ check }) => check);
  expect(failed).toEqual(expect.arrayContaining(['data folder', 'media worker']));
});
