// Owns: INVITE…BYE calls per second and core, of the embedded SIP server and more and more of the product on top of it.
//
//   node scripts/run.mjs node bench/sip.ts [srf | link | gateway | media] [calls/s …]
//
// Without a name the first three run, which are signalling only. Needs sipp (Debian: sip-tester) and, to pin, taskset.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { collectShortLives } from '../src/garbage.ts';
import { cpuMsOf } from './process-usage.ts';
import { type ApplicationName, applicationNames, applications } from './sip-applications.ts';

interface Report {
  readonly answered: number;
  readonly ended: number;
  /** Of the server and its application. */
  readonly cpuMs: number;
  /** Of media workers. */
  readonly othersCpuMs: number;
  readonly rssMb: number;
  readonly left: number;
  readonly retransmissions: number;
}

const secondsPerStep = 10;
/** The last calls are taken down after SIPp has heard that they have ended. */
const settleMs = 5_000;
const signallingRates = [500, 1000, 2000, 2500];
const mediaRates = [50, 100, 200];

const [first = '', ...rest] = process.argv.slice(2);
if (first === 'serve') await serve(nameOf(rest[0]) ?? 'srf');
else {
  const name = nameOf(first);
  const given = (name ? rest : process.argv.slice(2)).map(Number);
  for (const each of name ? [name] : (['srf', 'link', 'gateway'] as const)) {
    await measure(each, given.length > 0 ? given : each === 'media' ? mediaRates : signallingRates);
  }
}

function nameOf(text = ''): ApplicationName | undefined {
  return applicationNames.find((name) => name === text);
}

/** Server and application in one process, as in the product. Answers `report` on stdin with one line of JSON. */
async function serve(name: ApplicationName): Promise<void> {
  collectShortLives();
  const application = await applications[name].start();
  let last = { ...application.count(), cpuMs: cpuMsOf([process.pid]), othersCpuMs: cpuMsOf(application.pids()) };
  process.stdin.on('data', async () => {
    const deadline = performance.now() + settleMs;
    while (application.count().left > 0 && performance.now() < deadline) await delay(20);
    const now = { ...application.count(), cpuMs: cpuMsOf([process.pid]), othersCpuMs: cpuMsOf(application.pids()) };
    const report: Report = {
      answered: now.answered - last.answered,
      ended: now.ended - last.ended,
      cpuMs: now.cpuMs - last.cpuMs,
      othersCpuMs: now.othersCpuMs - last.othersCpuMs,
      rssMb: process.memoryUsage().rss / 1e6,
      left: now.left,
      retransmissions: now.retransmissions - last.retransmissions,
    };
    last = now;
    process.stdout.write(`${JSON.stringify(report)}\n`);
  });
  process.stdin.on('end', async () => {
    await application.close();
    process.exit(0);
  });
  process.stdout.write(`${application.port}\n`);
}

async function measure(name: ApplicationName, rates: readonly number[]): Promise<void> {
  const isPinned = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;
  const pinned = (core: number, command: readonly string[]): [string, string[]] => {
    const [program = '', ...args] = isPinned ? ['taskset', '-c', String(core), ...command] : command;
    return [program, args];
  };
  // CPU_PROF=folder: where the time goes.
  const folder = process.env.CPU_PROF;
  const profiling = folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const server = spawn(...pinned(0, [process.execPath, ...profiling, fileURLToPath(import.meta.url), 'serve', name]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = await line(server);
  const dir = mkdtempSync(join(tmpdir(), 'bench-sip-'));
  console.log(`${name}: ${applications[name].title}`);
  console.log(`server and application ${isPinned ? 'together on core 0, SIPp on core 1' : 'not pinned: no taskset'}`);
  console.log('calls/s  calls   failed  CPU ms/call  of workers  calls/s/core  retransmitted  RSS MB');
  let isGood = true;
  try {
    await call(Math.min(200, rates[0] ?? 200), 400);
    await ask();
    for (const rate of rates) {
      const count = rate * secondsPerStep;
      await call(rate, count);
      const { answered, ended, cpuMs, othersCpuMs, rssMb, left, retransmissions } = await ask();
      const failed = count - Math.min(answered, ended) + left;
      const perCall = (cpuMs + othersCpuMs) / count;
      isGood &&= failed === 0;
      const cells = [
        rate,
        count,
        failed,
        perCall.toFixed(3),
        (othersCpuMs / count).toFixed(3),
        Math.round(1000 / perCall),
        retransmissions,
        Math.round(rssMb),
      ];
      console.log(cells.map((cell, i) => String(cell).padEnd([9, 8, 8, 13, 12, 14, 15, 6][i] ?? 8)).join(''));
    }
  } finally {
    server.stdin.end();
    rmSync(dir, { recursive: true, force: true });
  }
  if (!isGood) process.exitCode = 1;

  async function call(rate: number, count: number): Promise<void> {
    const scenario = [
      '-sn',
      'uac',
      '-s',
      'demo',
      '-d',
      '0',
      '-i',
      '127.0.0.1',
      '-m',
      String(count),
      '-r',
      String(rate),
      '-l',
      '20000',
    ];
    const limits = ['-nostdin', '-timeout', '60s', '-buff_size', '4000000'];
    const sipp = spawn(...pinned(1, ['sipp', `127.0.0.1:${port}`, ...scenario, ...limits]), {
      cwd: dir,
      stdio: 'ignore',
    });
    await once(sipp, 'close');
  }
  async function ask(): Promise<Report> {
    server.stdin.write('report\n');
    return JSON.parse(await line(server)) as Report;
  }
}

async function line(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return chunk.toString().trim();
}
