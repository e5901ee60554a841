// Owns: the gateway as `npm start` runs it, in a process of its own, for benchmarks that look at it from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import type { configSchema } from '#config/schema.ts';
import { cpuMsOf, residentBytesOf } from './process-usage.ts';

const adminKey = 'bench-admin-key-0123456789';
const readyWithinMs = 120_000;
const endsWithinMs = 15_000;
const answersWithinMs = 30_000;

export class GatewayProcess {
  readonly url: string;
  readonly sipPort: number;
  readonly #child: ChildProcess;
  /** Kept from its start: of one that is gone no `exit` comes any more. */
  readonly #ended: Promise<true>;
  readonly #folder: string;

  /** @param settings as in a configuration file; a data folder of its own, loopback for media */
  static async start(portBase: number, settings: z.input<typeof configSchema> = {}): Promise<GatewayProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'switchyard-bench-'));
    const config = join(folder, 'config.yaml');
    // JSON is YAML too.
    writeFileSync(
      config,
      JSON.stringify({ sfu: { listen: [{ ip: '127.0.0.1' }] }, log: { format: 'json' }, ...settings }),
    );
    const log = openSync(join(folder, 'log'), 'a');
    const main = new URL('../src/main.ts', import.meta.url).pathname;
    const flags = ['--config', config, '--port-base', String(portBase), '--data', join(folder, 'data')];
    const profiling =
      process.env.CPU_PROF === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env.CPU_PROF}`];
    const child = spawn(process.execPath, ['--inspect-port=127.0.0.1:0', ...profiling, main, ...flags], {
      env: { ...process.env, SWITCHYARD_ADMIN_KEY: adminKey },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const gateway = new GatewayProcess(child, portBase, folder);
    await gateway.#ready();
    return gateway;
  }

  private constructor(child: ChildProcess, portBase: number, folder: string) {
    this.#child = child;
    this.#ended = once(child, 'exit').then(() => true);
    // A benchmark that fails leaves no gateway behind.
    process.once('exit', () => child.kill('SIGINT'));
    this.#folder = folder;
    this.url = `http://127.0.0.1:${portBase}`;
    this.sipPort = portBase + 7;
  }

  async api<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answersWithinMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Values of a metric of ours, by its labels as Prometheus writes them. */
  async metric(name: string): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(`${this.url}/metrics`, {
      headers: { authorization: `Bearer ${adminKey}` },
      signal: AbortSignal.timeout(answersWithinMs),
    });
    const found = new Map<string, number>();
    for (const line of (await response.text()).split('\n')) {
      const at = line.lastIndexOf(' ');
      const [, labels = ''] = line.slice(0, at).split('{');
      if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        found.set(labels.replace('}', ''), Number(line.slice(at)));
    }
    return found;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its own processes: media and SFU workers. */
  get workerPids(): readonly number[] {
    const children = readdirSync(`/proc/${this.pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${this.pid}/task/${thread}/children`, 'utf8').trim().split(' '),
    );
    return children.filter((text) => text !== '').map(Number);
  }

  usage(): {
    controlCpuMs: number;
    workersCpuMs: number;
    controlBytes: number;
    workersBytes: number;
    logBytes: number;
  } {
    const workers = this.workerPids;
    return {
      controlCpuMs: cpuMsOf([this.pid]),
      workersCpuMs: cpuMsOf(workers),
      controlBytes: residentBytesOf(this.pid),
      workersBytes: workers.reduce((sum, pid) => sum + residentBytesOf(pid), 0),
      logBytes: statSync(join(this.#folder, 'log')).size,
    };
  }

  get log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  /** @returns whether it ended by itself when it was told to */
  async close(): Promise<boolean> {
    this.#child.kill('SIGINT');
    const isEnded = await Promise.race([this.#ended, delay(endsWithinMs, false, { ref: false })]);
    if (!isEnded) this.#child.kill('SIGKILL');
    // LOG=file: what it had to say.
    if (process.env.LOG !== undefined) writeFileSync(process.env.LOG, this.log);
    rmSync(this.#folder, { recursive: true, force: true });
    return isEnded;
  }

  async #ready(): Promise<void> {
    for (const deadline = performance.now() + readyWithinMs; performance.now() < deadline; await delay(100)) {
      if (this.#child.exitCode !== null) break;
      const isReady = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(answersWithinMs) }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return;
    }
    const { log } = this;
    await this.close();
    throw new Error(`The gateway did not start:\n${log.slice(-2_000)}`);
  }
}
