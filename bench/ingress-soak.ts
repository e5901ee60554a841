// Whether publishers that come and go leave anything behind: file handles, transports, jobs, memory.
//
//   node scripts/run.mjs node bench/ingress-soak.ts [cycles, default 200]
//
// A whole gateway in this process; ffmpeg pushes RTMP to three stream keys at once and leaves when all are live. Every
// second round it is killed and comes back within its grace time first. Prints the slope of memory for each process, and
// of what this one still holds after a collection.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NewStreamKeyResource } from '#api/contract.ts';
import { startGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, testInputs } from '#test/support/test-picture.ts';
import { residentBytesOf } from './process-usage.ts';

const cycles = Number(process.argv[2] ?? 200);
const perRound = 3;
const gateway = await startGateway();
const { media, sfu, rooms } = gateway.app;
const keys = await Promise.all(
  Array.from({ length: perRound }, (_, n) =>
    gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', { room: 'demo', name: `Encoder ${n}` }),
  ),
);

const push = ({ url }: NewStreamKeyResource) =>
  new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), '-f', 'flv', url]);
const states = () => [...media.jobs.values()].map(({ state }) => state);
const inRoom = () => [...rooms.liveRooms()].reduce((sum, room) => sum + room.participants.size, 0);

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 1_000; n++) {
    if (isSo()) return;
    await sleep(20);
  }
  const warned = gateway.log.lines.flatMap(({ level, fields, message }) =>
    level === 'warn' || level === 'error' ? [`${message}: ${String(fields.reason ?? fields.err ?? '')}`] : [],
  );
  const said = encoders.map(({ output }) => output.trim()).filter((output) => output !== '');
  throw new Error([`never: ${what}; jobs are ${states().join()}`, ...warned.slice(-10), ...said].join('\n'));
}
const allLive = () => states().length === perRound && states().every((state) => state === 'live');

let encoders: readonly PeerProcess[] = [];

async function round(isLossy: boolean): Promise<void> {
  encoders = keys.map(push);
  await until('all live', allLive);
  if (isLossy) {
    await Promise.all(encoders.map((encoder) => encoder.stop('SIGKILL')));
    await until('all lost', () => states().every((state) => state === 'reconnecting'));
    encoders = keys.map(push);
    await until('all back', allLive);
  }
  await Promise.all(encoders.map((encoder) => encoder.stop('SIGINT')));
  await until('all gone', () => inRoom() === 0 && media.jobs.size === 0);
  // The test's own log keeps every line.
  gateway.log.lines.length = 0;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heldMb(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

async function measure() {
  const workers = [
    ...media.describeWorkers().map(({ pid, state }) => [`media ${state}`, pid] as const),
    ...(await sfu.describeWorkers()).map(({ pid }) => ['sfu', pid] as const),
  ];
  return [['control', process.pid] as const, ...workers].map(([name, pid]) => ({
    name,
    handles: readdirSync(`/proc/${pid}/fd`).length,
    mb: residentBytesOf(pid) / 1e6,
  }));
}

const rounds = Math.ceil(cycles / perRound);
// The first tenth warms up: pools, caches, compiled code.
for (let n = 0; n < Math.max(2, rounds / 10); n++) await round(n % 2 === 1);
const before = await measure();
const heldBefore = heldMb();
for (let n = 0; n < rounds; n++) await round(n % 2 === 1);
const after = await measure();
const heldAfter = heldMb();
console.log(`${rounds * perRound} streams came and went, every second round lost and back`);
for (const [i, { name, handles, mb }] of after.entries()) {
  const first = before[i];
  const slope = ((mb - (first?.mb ?? 0)) / (rounds * perRound)) * 1_000;
  console.log(
    `${name}: handles ${first?.handles} → ${handles}, ${first?.mb.toFixed(0)} → ${mb.toFixed(0)} MB, ${slope.toFixed(0)} kB per stream`,
  );
}
const heldSlope = ((heldAfter - heldBefore) / (rounds * perRound)) * 1_000;
console.log(
  `control holds ${heldBefore.toFixed(1)} → ${heldAfter.toFixed(1)} MB after a collection, ${heldSlope.toFixed(0)} kB per stream`,
);
await gateway.close();
