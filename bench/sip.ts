// Owns: INVITE…BYE calls per second and core of the embedded SIP server with a drachtio-srf application, signalling only.
// Run: node scripts/run.mjs node bench/sip.ts [calls/s …]; needs sipp (Debian: sip-tester) and, to pin, taskset.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultTransportLimits, SipServer } from '../gateways/sip/server/index.ts';

interface Report {
  readonly answered: number;
  readonly ended: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly dialogs: number;
  readonly leftInSrf: number;
  readonly retransmissions: number;
}

const secondsPerStep = 10;
const sdp = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';

if (process.argv[2] === 'serve') await serve();
else await measure(process.argv.slice(2).map(Number));

/** Server and application in one process, as in the product. Answers `report` on stdin with one line of JSON. */
async function serve(): Promise<void> {
  const limits = { ...defaultTransportLimits, messagesPerSecond: 0 };
  const server = await SipServer.create({ hosts: ['127.0.0.1'], port: 0, limits });
  // biome-ignore lint/suspicious/noExplicitAny: bare drachtio-srf, whose types do not know its callbacks
  const srf = new (createRequire(import.meta.url)('drachtio-srf') as any)();
  let answered = 0;
  let ended = 0;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  srf.invite((req: any, res: any) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    srf.createUAS(req, res, { localSdp: sdp }, (error: Error | null, dialog: any) => {
      if (error) return;
      answered++;
      dialog.on('destroy', () => ended++);
    });
  });
  srf.connect(server.control);
  await once(srf, 'connect');
  let lastCpu = process.cpuUsage();
  process.stdin.on('data', () => {
    const { user, system } = process.cpuUsage(lastCpu);
    const { dialogs, retransmissions } = server.stats;
    const report: Report = {
      answered,
      ended,
      cpuMs: (user + system) / 1000,
      rssMb: process.memoryUsage().rss / 1e6,
      dialogs,
      leftInSrf: srf._dialogs.size,
      retransmissions,
    };
    answered = 0;
    ended = 0;
    lastCpu = process.cpuUsage();
    process.stdout.write(`${JSON.stringify(report)}\n`);
  });
  process.stdin.on('end', () => process.exit(0));
  process.stdout.write(`${server.listenPoints[0]?.port}\n`);
}

async function measure(given: readonly number[]): Promise<void> {
  const rates = given.length > 0 ? given : [500, 1000, 2000, 2500];
  const isPinned = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;
  const pinned = (core: number, command: readonly string[]): [string, string[]] => {
    const [program = '', ...args] = isPinned ? ['taskset', '-c', String(core), ...command] : command;
    return [program, args];
  };
  const server = spawn(...pinned(0, [process.execPath, fileURLToPath(import.meta.url), 'serve']), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = await line(server);
  const dir = mkdtempSync(join(tmpdir(), 'bench-sip-'));
  console.log(`server and application ${isPinned ? 'together on core 0, SIPp on core 1' : 'not pinned: no taskset'}`);
  console.log('calls/s  calls   failed  CPU ms/call  calls/s/core  retransmitted  RSS MB');
  let isGood = true;
  try {
    await call(200, 400);
    await ask();
    for (const rate of rates) {
      const count = rate * secondsPerStep;
      await call(rate, count);
      const { answered, ended, cpuMs, rssMb, dialogs, leftInSrf, retransmissions } = await ask();
      const failed = count - Math.min(answered, ended) + dialogs + leftInSrf;
      const perCall = cpuMs / count;
      isGood &&= failed === 0;
      const cells = [
        rate,
        count,
        failed,
        perCall.toFixed(3),
        Math.round(1000 / perCall),
        retransmissions,
        Math.round(rssMb),
      ];
      console.log(cells.map((cell, i) => String(cell).padEnd([9, 8, 8, 13, 14, 15, 6][i] ?? 8)).join(''));
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
