import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runQuietly } from './child-process.mjs';

/** @type {string} */
let dir;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-child-'));
  vi.stubEnv('SWITCHYARD_CACHE', dir);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

test('a program that fails shows its last lines, and all of them are in a file', async () => {
  const script = 'for (let i = 1; i <= 100; i++) console.log("line " + i); process.exit(3)';
  const error = await runQuietly(process.execPath, ['-e', script], { whatToDo: 'Try again.' }).catch((e) => e);
  expect(error.message).toContain('ended with 3');
  expect(error.whatToDo).toMatch(/line 100[\s\S]*Try again\./);
  expect(error.whatToDo).not.toContain('line 10\n');
  expect(readFileSync(join(dir, 'last-failure.log'), 'utf8')).toContain('line 10\n');
});

test('a program that is not there is named', async () => {
  await expect(runQuietly('no-such-program', [])).rejects.toThrow('no-such-program cannot be run');
});

/**
 * Starts a small service the way scripts/start.mjs does.
 * @param {string} body of the service; may call say(text)
 */
function startService(body) {
  const service = join(dir, 'service.mjs');
  const starter = join(dir, 'starter.mjs');
  const [childProcess, followParent] = ['child-process.mjs', 'follow-parent.mjs'].map(
    (file) => new URL(file, import.meta.url).href,
  );
  writeFileSync(
    service,
    `import { appendFileSync } from 'node:fs';
const say = (text) => { appendFileSync(${JSON.stringify(join(dir, 'said'))}, text + ' '); };
${body}
console.log('up');`,
  );
  writeFileSync(
    starter,
    `import { runInstead } from ${JSON.stringify(childProcess)};
process.exitCode = await runInstead(process.execPath, ['--import', ${JSON.stringify(followParent)}, ${JSON.stringify(service)}],
  { env: process.env, isService: true });`,
  );
  const child = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const isUp = new Promise((resolve) => child.stdout.once('data', resolve));
  const exitCode = new Promise((resolve) => child.once('exit', resolve));
  return { child, isUp, exitCode };
}

const said = () => readFileSync(join(dir, 'said'), 'utf8').trim();

test('a service gets each signal once, however often it was sent, and its exit code is handed on', async () => {
  const { child, isUp, exitCode } = startService(`
    const timer = setInterval(() => {}, 1000);
    process.on('SIGINT', () => say('int'));
    process.on('SIGTERM', () => { say('term'); setTimeout(() => process.exit(7), 200); });`);
  await isUp;
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGTERM'])) child.kill(signal);
  expect(await exitCode).toBe(7);
  expect(said().split(' ').sort()).toEqual(['int', 'term']);
});

test('a service is told to end when its starter is killed', async () => {
  const { child, isUp } = startService(`
    const timer = setInterval(() => {}, 1000);
    process.on('SIGTERM', () => { say('term'); clearInterval(timer); });`);
  await isUp;
  child.kill('SIGKILL');
  await vi.waitFor(() => expect(said()).toBe('term'), { timeout: 5_000 });
});

test('a service that a signal ends makes the exit code that shells know', async () => {
  const { child, isUp, exitCode } = startService('setInterval(() => {}, 1000);');
  await isUp;
  child.kill('SIGINT');
  expect(await exitCode).toBe(130);
});
