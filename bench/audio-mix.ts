// Measures the audio mix: CPU of one media worker by the number of phones, beside Janus AudioBridge where it is installed
// (Debian: janus), under the same load in the same run. What counts is CPU time at a load that was held whole: where it was not,
// since the cores are somebody else's as well, half as many phones are tried. Wants gcc for the load generator.
// Run: node scripts/run.mjs node bench/audio-mix.ts [--legs 400] [--seconds 10] [--janus-legs 60] [--saturate]
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LegCodec } from '#core/leg-media.ts';
import type { MixCommand } from '#core/mix-messages.ts';
import { type FromWorkerMessage, protocolVersion, type ToWorkerMessage } from '#media/protocol.ts';
import { cpuMsOf } from './process-usage.ts';
import { type LoadLeg, type LoadResult, loadPayloadTypes, maxLoadLegs, VoiceLoad } from './voice-load.ts';

const { values } = parseArgs({
  options: {
    legs: { type: 'string', default: '400' },
    seconds: { type: 'string', default: '10' },
    'janus-legs': { type: 'string', default: '60' },
    only: { type: 'string' },
    /** Then as many legs as ought to fill 80 % of a core, to see that they are held rather than to reckon it. */
    saturate: { type: 'boolean', default: false },
    /** Loaded into the measured process, to profile it; told by SIGUSR2 when to begin. */
    import: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
/** Long enough for what is compiled while it runs. */
const warmSeconds = 6;
/** Fewer than this share of what was asked for say little of what one of many costs: encoders cost the same for few. */
const fewestShare = 0.25;
/** For anything to start, or to answer. */
const patienceMs = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'audio-mix-'));
const loadPort = 11_998;
const firstPort = 12_000;

interface Row {
  readonly name: string;
  readonly codec: 'opus' | 'pcmu';
  /** `pulse`: one that is loud for a frame now and then, whose way to the others is timed. */
  readonly talkers: 'three' | 'all' | 'pulse';
}

const rows: readonly Row[] = [
  { name: 'Opus, three talk, the rest silent (DTX)', codec: 'opus', talkers: 'three' },
  { name: 'Opus, everybody sends', codec: 'opus', talkers: 'all' },
  { name: 'G.711, everybody sends', codec: 'pcmu', talkers: 'all' },
  { name: 'G.711, added latency', codec: 'pcmu', talkers: 'pulse' },
];

/** Something that mixes: makes legs, says their ports. */
interface Mixing {
  readonly pid: number;
  readonly ports: readonly number[];
  /** Of its beats, as it tells itself. */
  lateness?(): Lateness | undefined;
  stop(): Promise<void>;
}

type Lateness = { readonly p50Ms: number; readonly p99Ms: number };

async function startOurs(count: number, codec: LegCodec, payloadType: number): Promise<Mixing> {
  const child = fork(fileURLToPath(import.meta.resolve('#media/main.ts')), [], {
    serialization: 'advanced',
    // The fifth is for media between it and the control process, of which there is none here.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    execArgv: values.import ? ['--import', values.import] : [],
    env: { UV_THREADPOOL_SIZE: '32', MALLOC_MMAP_THRESHOLD_: '131072' },
  });
  const send = (message: ToWorkerMessage) => child.send(message);
  let lateness: Lateness | undefined;
  child.on('message', (message: FromWorkerMessage) => {
    if (message.type === 'heartbeat') lateness = message.mixLateness;
  });
  const until = (isWanted: (message: FromWorkerMessage) => boolean) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the media worker did not answer')), patienceMs);
      const look = (message: FromWorkerMessage) => {
        if (!isWanted(message)) return;
        clearTimeout(timer);
        child.off('message', look);
        resolve();
      };
      child.on('message', look);
    });
  await until(({ type }) => type === 'hello');
  send({ type: 'configure', version: protocolVersion, rtpPort: 0, logLevel: 'warn' });
  await until(({ type }) => type === 'ready');
  // Nothing is sent on it: no voice goes out as a stream of its own, as it does not with the peer.
  send({ type: 'openLink', linkId: 1, ip: '127.0.0.1', port: 9 });
  send({ type: 'startJob', jobId: 'bench', linkId: 1, spec: { kind: 'mix', loudest: 3 }, resume: [] });
  const standing = {
    isInMix: true,
    isMuted: false,
    isHeld: false,
    isHeldByPeer: false,
    gainDb: 0,
    voice: 'off',
  } as const;
  const tell = (command: MixCommand) => send({ type: 'mixCommand', jobId: 'bench', command });
  let open = 0;
  const allOpen = until((message) => {
    if (message.type === 'mixEvent' && message.event.type === 'legRefused') throw new Error(message.event.message);
    if (message.type === 'mixEvent' && message.event.type === 'legOpened') open += 1;
    return open === count;
  });
  const ports = Array.from({ length: count }, (_, i) => firstPort + 2 * i);
  ports.forEach((port, i) => {
    const legId = i + 1;
    tell({ type: 'openLeg', legId, address: '127.0.0.1', port, ssrc: legId, standing, timeoutMs: 60_000 });
    const codecs = [{ codec, payloadType }];
    const receive = { codecs, dtmf: [] };
    const parameters = { remoteAddress: '127.0.0.1', remotePort: loadPort, direction: 'sendrecv', receive } as const;
    tell({ type: 'negotiateLeg', legId, parameters: { ...parameters, send: { codec, payloadType, ptimeMs: 20 } } });
  });
  await allOpen;
  return {
    pid: child.pid ?? 0,
    ports,
    lateness: () => lateness,
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const janusPort = 45_088;
/** Ended at our own end too, whatever that is. */
let janus: ChildProcess | undefined;

async function janusPost(path: string, body: object): Promise<Record<string, unknown>> {
  const transaction = Math.random().toString(36).slice(2);
  const response = await fetch(`http://127.0.0.1:${janusPort}/janus${path}`, {
    method: 'POST',
    body: JSON.stringify({ ...body, transaction }),
    signal: AbortSignal.timeout(patienceMs),
  });
  return (await response.json()) as Record<string, unknown>;
}

async function startJanus(count: number, codec: LegCodec, payloadType: number): Promise<Mixing> {
  const configs = join(folder, 'janus');
  execFileSync('mkdir', ['-p', configs]);
  writeFileSync(
    join(configs, 'janus.jcfg'),
    `general: { configs_folder = "${configs}", debug_level = 3, plugins_folder = "/usr/lib/x86_64-linux-gnu/janus/plugins",
      transports_folder = "/usr/lib/x86_64-linux-gnu/janus/transports" }
    media: { rtp_port_range = "30000-39999" } nat: { } plugins: { disable = "${otherPlugins}" }
    transports: { disable = "libjanus_websockets.so,libjanus_pfunix.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_rabbitmq.so" }\n`,
  );
  writeFileSync(
    join(configs, 'janus.transport.http.jcfg'),
    `general: { json = "compact", base_path = "/janus", http = true, port = ${janusPort}, ip = "127.0.0.1", https = false }\n`,
  );
  writeFileSync(join(configs, 'janus.plugin.audiobridge.jcfg'), 'general: { local_ip = "127.0.0.1" }\n');
  const child: ChildProcess = spawn('janus', ['-F', configs, '-C', join(configs, 'janus.jcfg')], { stdio: 'ignore' });
  janus = child;
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await fetch(`http://127.0.0.1:${janusPort}/janus/info`).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const session = (await janusPost('', { janus: 'create' })) as { data: { id: number } };
  const ports: number[] = [];
  for (let i = 0; i < count; i++) {
    const path = `/${session.data.id}`;
    const handle = (await janusPost(path, { janus: 'attach', plugin: 'janus.plugin.audiobridge' })) as {
      data: { id: number };
    };
    const plugin = `${path}/${handle.data.id}`;
    if (i === 0) {
      const body = { request: 'create', room: 77, allow_rtp_participants: true, sampling_rate: 48_000 };
      await janusPost(plugin, { janus: 'message', body });
    }
    const rtp = { ip: '127.0.0.1', port: loadPort, payload_type: payloadType };
    const body = { request: 'join', room: 77, display: `p${i}`, codec, rtp, complexity: 4 };
    await janusPost(plugin, { janus: 'message', body });
    // Answers to messages come as events of the session.
    for (;;) {
      const events = `http://127.0.0.1:${janusPort}/janus/${session.data.id}?maxev=1`;
      const answer = (await (await fetch(events, { signal: AbortSignal.timeout(patienceMs) })).json()) as {
        sender?: number;
        plugindata?: { data?: { rtp?: { port: number }; error?: string } };
      };
      const data = answer.plugindata?.data;
      if (data?.error) throw new Error(data.error);
      if (answer.sender !== handle.data.id || !data?.rtp) continue;
      ports.push(data.rtp.port);
      break;
    }
  }
  const keepAlive = setInterval(() => void janusPost(`/${session.data.id}`, { janus: 'keepalive' }), 20_000);
  return {
    pid: child.pid ?? 0,
    ports,
    stop: async () => {
      clearInterval(keepAlive);
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const otherPlugins = [
  'duktape',
  'echotest',
  'lua',
  'nosip',
  'recordplay',
  'sip',
  'streaming',
  'textroom',
  'videocall',
  'videoroom',
  'voicemail',
]
  .map((name) => `libjanus_${name}.so`)
  .join(',');

interface Measured extends LoadResult {
  readonly cpuMsPerS: number;
  readonly lateness: Lateness | undefined;
  /** Why it does not count. */
  readonly flaws: readonly string[];
}

async function measure(mixing: Mixing, row: Row): Promise<Measured> {
  if (!values.import) execFileSync('taskset', ['-acp', '0', String(mixing.pid)], { stdio: 'ignore' });
  const legs = mixing.ports.map((port, i) => {
    if (row.talkers === 'pulse') return { port, talks: i === 0, pulses: i === 0 };
    return { port, talks: row.talkers === 'all' || i < 3 };
  });
  let before = 0;
  const onMeasuring = () => {
    before = cpuMsOf([mixing.pid]);
    if (values.import) process.kill(mixing.pid, 'SIGUSR2');
  };
  const result = await load.run(legs, {
    ...{ codec: row.codec, port: loadPort, warmSeconds, seconds, core: 1, onMeasuring },
  });
  const cpuMsPerS = (cpuMsOf([mixing.pid]) - before) / seconds;
  return { ...result, cpuMsPerS, lateness: mixing.lateness?.(), flaws: flawsOf(legs, result) };
}

/**
 * Every talker sends 50 packets a second, the others one each 400 ms: what was not sent would make the mix look cheap. So would
 * beats that were skipped because the core was somebody else's.
 */
function flawsOf(legs: readonly LoadLeg[], { sent, unsent, received }: LoadResult): string[] {
  const flaws: string[] = [];
  const heard = received / (legs.length * 50 * seconds);
  if (heard < 0.98) flaws.push(`the mix is not whole: ${(heard * 100).toFixed(0)} % of its packets came`);
  const talking = legs.filter(({ talks }) => talks).length;
  const expected = seconds * (talking * 50 + (legs.length - talking) * 2.5);
  if (unsent > 0 || Math.abs(sent - expected) > expected / 100 + legs.length) {
    flaws.push(`the load is not whole: ${sent} packets of ${expected} were sent, ${unsent} were not taken`);
  }
  return flaws;
}

function show(name: string, legs: number, { cpuMsPerS, lateness, flaws, ...result }: Measured): number {
  const perCore = Math.round((legs * 1_000) / cpuMsPerS);
  console.log(
    `  ${name.padEnd(8)} ${legs} legs: ${cpuMsPerS.toFixed(0)} ms/s, ${((cpuMsPerS * 1_000) / legs / 50).toFixed(1)} us a frame, ` +
      `${perCore} legs/core; interval p50 ${result.intervalP50Ms} p99 ${result.intervalP99Ms} ms, lost ${result.lost}, deaf ${result.deaf}${
        result.delayP50Ms > 0 ? `; from phone to phone p50 ${result.delayP50Ms} p99 ${result.delayP99Ms} ms` : ''
      }${
        lateness ? `; mixed after it was due p50 ${lateness.p50Ms.toFixed(1)} p99 ${lateness.p99Ms.toFixed(1)} ms` : ''
      }`,
  );
  for (const flaw of flaws) console.log(`  ${flaw}, and what it costs is more than that`);
  return perCore;
}

/** @returns legs/core; undefined where not even the fewest could be held on this machine now */
async function perCoreOf(name: string, row: Row, legs: number, start: typeof startOurs): Promise<number | undefined> {
  for (let count = legs; count >= legs * fewestShare; count = Math.floor(count / 2)) {
    const mixing = await start(count, row.codec, loadPayloadTypes[row.codec]);
    const measured = await measure(mixing, row).finally(() => mixing.stop());
    const perCore = show(name, count, measured);
    if (measured.flaws.length === 0) return perCore;
  }
  process.exitCode = 1;
  return undefined;
}

const load = new VoiceLoad(folder);
try {
  for (const row of rows) {
    if (values.only && !row.name.includes(values.only)) continue;
    console.log(row.name);
    const own = await perCoreOf('ours', row, Number(values.legs), startOurs);
    if (values.saturate && own) await perCoreOf('held', row, Math.min(maxLoadLegs, Math.floor(own * 0.8)), startOurs);
    const peerLegs = Number(values['janus-legs']);
    if (!existsSync('/usr/bin/janus') || peerLegs === 0) continue;
    const peer = await perCoreOf('janus', row, peerLegs, startJanus);
    if (own && peer) console.log(`  ratio    ${(own / peer).toFixed(1)}`);
  }
} finally {
  janus?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
