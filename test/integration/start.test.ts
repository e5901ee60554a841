// Owns: trying the commands as a person types them: npm start and switchyard. May import: builtins.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

const projectDir = fileURLToPath(new URL('../..', import.meta.url));
const secondStartMs = 5_000;
const setupTimeoutMs = 10 * 60_000;
/** By --port-base: its listeners and an SFU worker a core. */
const portsOfGateway = 12;

let dataDir: string;
let gateway: ChildProcess | undefined;

beforeAll(async () => {
  expect(await run('node', ['scripts/setup.mjs']).exitCode).toBe(0);
}, setupTimeoutMs);
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'switchyard-start-'));
});
afterEach(() => {
  // The group takes npm and our starter along; the gateway notices that its starter is gone.
  if (gateway?.pid && gateway.exitCode === null && gateway.signalCode === null) process.kill(-gateway.pid, 'SIGKILL');
  gateway = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

function run(command: string, args: readonly string[]) {
  const child = spawn(command, args, { cwd: projectDir, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, exitCode, output: () => output };
}

/**
 * A base whose ports are free; gateways of other tests sit on other bases. Below those that Linux gives to whoever asks for
 * any: one of them may be taken between our look and the start.
 */
async function freePortBase(): Promise<number> {
  for (let base = 20_000; base < 32_000; base += 500) {
    const probes = Array.from({ length: portsOfGateway }, (_, index) => isFree(base + index));
    if ((await Promise.all(probes)).every(Boolean)) return base;
  }
  throw new Error('no port base is free');
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)));
  });
}

test('npm start with everything set up listens within 5 s, prints where, and SIGTERM ends it with 0', async () => {
  const base = await freePortBase();
  const startedAtMs = performance.now();
  const started = run('npm', ['start', '--', '--port-base', String(base), '--data', dataDir]);
  gateway = started.child;
  await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${base}/health`)).status).toBe(200), {
    timeout: 30_000,
    interval: 20,
  });
  const tookMs = performance.now() - startedAtMs;
  // The promise is one about an idle machine: with others at work on it, the clock measures them.
  const isBusy = (loadavg()[0] ?? 0) > 2 * availableParallelism();
  if (!isBusy) expect(tookMs).toBeLessThan(secondStartMs);
  expect(started.output()).not.toMatch(/Bringing|Installing|Building/);
  await vi.waitFor(() => expect(started.output()).toMatch(/https?:\/\/\S+\/console/), { timeout: 10_000 });
  started.child.kill('SIGTERM');
  expect(await started.exitCode).toBe(0);
});

test('switchyard help answers on stdout without starting anything', async () => {
  const { exitCode, output } = run('node', ['scripts/switchyard.mjs', 'help']);
  expect(await exitCode).toBe(0);
  expect(output()).toContain('switchyard [start] [flags]');
});

test('an unknown flag is refused with its name and exit code 2', async () => {
  const { exitCode, output } = run('node', ['scripts/start.mjs', '--no-such-flag', '1', '--data', dataDir]);
  expect(await exitCode).toBe(2);
  expect(output()).toMatch(/no-?such-?flag/i);
});
