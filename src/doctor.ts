// Owns: `switchyard doctor`: what would keep this machine from running the gateway, and what to do about each.
// May import: everything, like app.ts.
import { createSocket } from 'node:dgram';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import type { Config } from '#config/schema.ts';
import type { Logger } from '#core/ports.ts';
import { createSfu } from '#sfu/index.ts';
import { resolveListenAddresses } from '#sfu/listen-addresses.ts';
import { type Finding, failure, ok, warning } from './doctor-finding.ts';
import {
  checkCertificate,
  checkClock,
  checkFonts,
  checkMediaWork,
  checkOpenFiles,
  checkPromptFiles,
  checkStore,
} from './doctor-kept.ts';
import { checkRunning } from './doctor-running.ts';

const minimumFreeBytes = 1_000_000_000;
/** A media worker may take 20 s to start on a machine that is busy. */
const checkTimeoutMs = 30_000;

/** Runs every check, none of which stops another. @param only names of those that are to run; all unless said */
export async function examine(config: Config, log: Logger, only?: readonly string[]): Promise<readonly Finding[]> {
  const checks: readonly [string, () => Promise<readonly Finding[]> | readonly Finding[]][] = [
    ['runtime', checkRuntime],
    ['open files', checkOpenFiles],
    ['clock', checkClock],
    ['data folder', () => checkDataFolder(config)],
    ['store', () => checkStore(config)],
    ['certificate', () => checkCertificate(config, log)],
    // Taken by the gateway itself, ports are no failure; then it is asked whether it listens.
    ['ports', async () => (await checkRunning(config)) ?? checkPorts(config)],
    ['addresses', () => checkAddresses(config)],
    ['media worker', () => checkMediaWorker(config, log)],
    ['media work', () => checkMediaWork(log)],
    ['prompts', () => checkPromptFiles(config, log)],
    ['fonts', checkFonts],
  ];
  const asked = only ? checks.filter(([name]) => only.includes(name)) : checks;
  const found = await Promise.all(
    asked.map(async ([name, check]) => {
      try {
        return await withTimeout(Promise.resolve(check()));
      } catch (thrown) {
        const advice = advices[name] ?? 'It was not expected; the log of the gateway may say more.';
        return [failure(name, thrown instanceof Error ? thrown.message : String(thrown), advice)];
      }
    }),
  );
  return found.flat();
}

/** Of checks that fail as a whole. */
const advices: Readonly<Record<string, string>> = {
  'media worker':
    'Run `npm run setup` again: it brings or builds the mediasoup worker; a worker of your own is named by sfu.workerBin.',
  addresses: 'Name the addresses of this machine in sfu.listen.',
};

/** One line a finding, its advice below it. */
export function renderFindings(findings: readonly Finding[]): string {
  const marks = { ok: ' ok ', warning: 'warn', failure: 'FAIL' } as const;
  return findings
    .map(({ check, verdict, detail, advice }) => {
      const line = `[${marks[verdict]}] ${check}: ${detail}`;
      return advice ? `${line}\n       ${advice}` : line;
    })
    .join('\n');
}

function checkRuntime(): readonly Finding[] {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 24
    ? [ok('runtime', `Node ${process.versions.node}, ${availableParallelism()} cores`)]
    : [failure('runtime', `Node ${process.versions.node}`, 'Use `npm start`, which brings Node 24, or install it.')];
}

async function checkDataFolder(config: Config): Promise<readonly Finding[]> {
  const folder = resolve(config.data);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch {
    return [
      failure(
        'data folder',
        `${folder} cannot be written`,
        'Give its owner write access, or name another with --data.',
      ),
    ];
  }
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const detail = `${folder}, ${(freeBytes / 1e9).toFixed(1)} GB free`;
  return freeBytes < minimumFreeBytes
    ? [
        warning(
          'data folder',
          detail,
          'Recordings and HLS will not fit; free some space or use another disk with --data.',
        ),
      ]
    : [ok('data folder', detail)];
}

interface PortUse {
  readonly setting: string;
  readonly port: number;
  readonly host: string;
  readonly transports: readonly ('tcp' | 'udp')[];
}

function portsOf(config: Config): readonly PortUse[] {
  const workers = config.sfu.workers || availableParallelism();
  const media = Array.from({ length: workers }, (_, index) => ({
    setting: `sfu.firstPort${index > 0 ? ` + ${index}` : ''}`,
    port: config.sfu.firstPort === 0 ? 0 : config.sfu.firstPort + index,
    host: '0.0.0.0',
    transports: [...(config.sfu.hasUdp ? ['udp' as const] : []), ...(config.sfu.hasTcp ? ['tcp' as const] : [])],
  }));
  const tcp = ['tcp'] as const;
  return [
    ...(config.http.isEnabled
      ? [{ setting: 'http.port', port: config.http.port, host: config.http.host, transports: tcp }]
      : []),
    ...(config.https.isEnabled
      ? [{ setting: 'https.port', port: config.https.port, host: config.http.host, transports: tcp }]
      : []),
    ...(config.metrics.isEnabled
      ? [{ setting: 'metrics.port', port: config.metrics.port, host: config.metrics.host, transports: tcp }]
      : []),
    ...[
      { section: 'rtmp', ...config.rtmp },
      { section: 'rtsp', ...config.rtsp },
    ].flatMap(({ section, isEnabled, host, port, tlsIsEnabled, tlsPort }) => [
      ...(isEnabled ? [{ setting: `${section}.port`, port, host, transports: tcp }] : []),
      ...(isEnabled && tlsIsEnabled ? [{ setting: `${section}.tlsPort`, port: tlsPort, host, transports: tcp }] : []),
    ]),
    ...(config.srt.isEnabled
      ? [{ setting: 'srt.port', port: config.srt.port, host: config.srt.host, transports: ['udp' as const] }]
      : []),
    ...(config.sip.isEnabled && !config.sip.drachtio
      ? config.sip.hosts.flatMap((host) => sipPorts(config.sip, host))
      : []),
    ...media,
  ];
}

function sipPorts({ port, tlsPort, hasUdp, hasTcp, hasTls }: Config['sip'], host: string): readonly PortUse[] {
  const transports = [...(hasUdp ? ['udp' as const] : []), ...(hasTcp ? ['tcp' as const] : [])];
  return [
    { setting: 'sip.port', port, host, transports },
    ...(hasTls ? [{ setting: 'sip.tlsPort', port: tlsPort, host, transports: ['tcp' as const] }] : []),
  ];
}

async function checkPorts(config: Config): Promise<readonly Finding[]> {
  const uses = portsOf(config).filter(({ port }) => port !== 0);
  const problems = await Promise.all(
    uses.flatMap((use) =>
      use.transports.map(async (transport) => {
        const reason = await (transport === 'tcp' ? tryTcp(use) : tryUdp(use));
        if (!reason) return [];
        const advice =
          reason === 'EADDRINUSE'
            ? `Another program (or another Switchyard) has it: end that one, set ${use.setting}, or move all with --port-base.`
            : reason === 'EACCES'
              ? `Ports below 1024 need a privilege; set ${use.setting} to a higher one.`
              : `Check ${use.setting} and its address ${use.host}.`;
        return [failure('ports', `${transport} ${use.port} (${use.setting}): ${reason}`, advice)];
      }),
    ),
  );
  const found = problems.flat();
  return found.length > 0 ? found : [ok('ports', `${uses.map(({ port }) => port).join(', ')} are free`)];
}

function tryTcp({ port, host }: PortUse): Promise<string | undefined> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => settle(undefined)));
  });
}

function tryUdp({ port, host }: PortUse): Promise<string | undefined> {
  return new Promise((settle) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      settle(error.code ?? error.message);
    });
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => settle(undefined)));
  });
}

const privateRanges =
  /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe80|::1$)/i;

async function checkAddresses(config: Config): Promise<readonly Finding[]> {
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address);
  const { listen } = config.sfu;
  const missing = listen.filter(({ ip }) => !['0.0.0.0', '::'].includes(ip) && !own.includes(ip));
  if (missing.length > 0) {
    return missing.map(({ ip }) =>
      failure(
        'addresses',
        `${ip} is no address of this machine`,
        `sfu.listen takes ${own.join(', ')} or 0.0.0.0 with an announcedAddress.`,
      ),
    );
  }
  const told = (await resolveListenAddresses(listen)).map(({ ip, announcedAddress }) => announcedAddress ?? ip);
  const detail = `clients are told ${told.join(', ')}`;
  return told.every((address) => privateRanges.test(address)) && config.ice.servers.length === 0
    ? [
        warning(
          'addresses',
          `${detail}, all private`,
          'Clients from elsewhere need sfu.listen[].announcedAddress (public address) or a TURN server.',
        ),
      ]
    : [ok('addresses', detail)];
}

async function checkMediaWorker(config: Config, log: Logger): Promise<readonly Finding[]> {
  const sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0 }, { log });
  try {
    const room = await sfu.createRoom({ log });
    const codecs = room.rtpCapabilities.codecs ?? [];
    const names = [...new Set(codecs.map(({ mimeType }) => mimeType.split('/')[1] ?? ''))].filter(
      (name) => name !== 'rtx',
    );
    room.close();
    return [ok('media worker', 'mediasoup-worker starts and makes rooms'), ok('codecs', names.join(', '))];
  } finally {
    await sfu.close();
  }
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs / 1_000} s`)), checkTimeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
