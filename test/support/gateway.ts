// Owns: a whole gateway for a test, in this process, on free ports of loopback and with a data folder of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { configSchema } from '#config/schema.ts';
import { App } from '../../src/app.ts';
import { KeepingLog } from './keeping-log.ts';

export const adminKey = 'test-admin-key-0123456789';

export interface TestGateway {
  readonly app: App;
  readonly log: KeepingLog;
  /** `http://127.0.0.1:port`, where browsers give cameras. */
  readonly url: string;
  readonly webSocketUrl: string;
  /** JSON in and out with the admin key; throws on anything but 2xx, with the problem's words. */
  api<T = unknown>(method: string, path: string, body?: unknown, timeoutMs?: number): Promise<T>;
  /** A join token. */
  token(options?: { room?: string; user?: string; role?: string; name?: string }): Promise<string>;
  close(): Promise<void>;
}

type ConfigInput = z.input<typeof configSchema>;

/** @param overrides sections of the configuration, over those that a test wants; a data folder of its own stays */
export async function startGateway(overrides: ConfigInput = {}): Promise<TestGateway> {
  const data = overrides.data ?? (await mkdtemp(join(tmpdir(), 'switchyard-test-')));
  const config = configSchema.parse({
    ...overrides,
    data,
    http: { host: '127.0.0.1', port: 0, ...overrides.http },
    https: { isEnabled: false, ...overrides.https },
    metrics: { isEnabled: false, ...overrides.metrics },
    auth: { adminKey, ...overrides.auth },
    // One address makes all the requests of a test file.
    limits: {
      ...{ requestsPerMinute: 100_000, requestsPerMinutePerKey: 100_000, roomsPerMinute: 10_000 },
      ...{ tokensPerMinute: 10_000, joinsPerMinute: 10_000, failedLoginsPerMinute: 1_000 },
      ...overrides.limits,
    },
    rtmp: { host: '127.0.0.1', port: 0, tlsIsEnabled: false, ...overrides.rtmp },
    rtsp: { host: '127.0.0.1', port: 0, tlsIsEnabled: false, ...overrides.rtsp },
    srt: { host: '127.0.0.1', port: 0, ...overrides.srt },
    sip: { isEnabled: false, hosts: ['127.0.0.1'], port: 0, hasTls: false, ...overrides.sip },
    // Tests share a machine that is meant to be full; what is refused then has tests of its own.
    overload: { isEnabled: false, ...overrides.overload },
    media: { workers: 1, ...overrides.media },
    sfu: { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }], ...overrides.sfu },
  });
  const log = new KeepingLog();
  const app = await App.create(config, log);
  const url = app.addresses.http ?? '';

  async function api<T>(method: string, path: string, body?: unknown, timeoutMs = 10_000): Promise<T> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  return {
    app,
    log,
    url,
    webSocketUrl: `${url.replace(/^http/, 'ws')}/ws`,
    api,
    async token({ room = 'demo', user = 'tester', role = 'presenter', name = user } = {}) {
      const made = await api<{ token: string }>('POST', `/api/rooms/${room}/tokens`, { user, role, name });
      return made.token;
    },
    async close() {
      await app.close();
      if (overrides.data === undefined) await rm(data, { recursive: true, force: true });
    },
  };
}
