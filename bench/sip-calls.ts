// What a whole call costs with its media port, and whether a day's worth of them leaves anything behind.
//
//   node scripts/run.mjs node bench/sip-calls.ts [calls, default 5000] [calls/s, default 40]
//
// A whole gateway in this process; SIPp calls one room, four calls in five are answered, get a leg in the mix and hang up, the
// rest are refused for their codec. Prints CPU per call of each process, and the slope of memory: of what is in use after a
// collection, since resident memory grows as long as V8 sees no need to collect. HEAP_SNAPSHOTS=folder writes two to compare.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import { churn, churnRtp, settled } from '#test/support/call-churn.ts';
import { startGateway } from '#test/support/gateway.ts';
import { usedBytes } from './heap-use.ts';
import { cpuMsOf, residentBytesOf } from './process-usage.ts';

const calls = Number(process.argv[2] ?? 5_000);
const perSecond = Number(process.argv[3] ?? 40);
const steps = 5;
/** More than the gateway remembers of calls that have ended (500): the rings are full when it begins. */
const warmUpCalls = 600;
const gateway = await startGateway({
  sip: { isEnabled: true, access: 'open', timers: { t1Ms: 100 }, limits: { messagesPerSecond: 0 } },
  rtp: churnRtp,
});
/** A mix without legs ends after some seconds, which the settling between the steps takes. */
const warmUp = async () => gateway.app.phones.mixOf(await gateway.app.rooms.open('demo'));

const processes = () => [
  { name: 'control', pid: process.pid },
  // The spare one may just have been let go.
  ...gateway.app.media
    .describeWorkers()
    .map(({ pid }) => ({ name: 'media worker', pid }))
    .filter(({ pid }) => existsSync(`/proc/${pid}`)),
];
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Once nothing of the calls is left: what is in use then. */
async function memory(title: string): Promise<{ used: number; resident: number }> {
  await settled(gateway, 60_000);
  // The log of a test keeps every line.
  gateway.log.lines.length = 0;
  const { heap, buffers } = await usedBytes();
  const resident = processes().map(({ name, pid }) => `${name} ${megabytes(residentBytesOf(pid))}`);
  console.log(
    `${title}: in use ${megabytes(heap)} and ${megabytes(buffers)} of buffers; resident ${resident.join(', ')}`,
  );
  return { used: heap + buffers, resident: residentBytesOf(process.pid) };
}

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

function snapshot(name: string): void {
  const folder = process.env.HEAP_SNAPSHOTS;
  if (folder !== undefined) writeHeapSnapshot(join(folder, `${name}.heapsnapshot`));
}

await warmUp();
await churn(gateway, warmUpCalls, perSecond);
const before = await memory(`${warmUpCalls} calls to begin with`);
snapshot('before');
const timersBefore = timers();
let failed = 0;
let seconds = 0;
const cpu = new Map<string, number>();
for (let step = 1; step <= steps; step++) {
  await warmUp();
  const atStart = processes().map((each) => ({ ...each, cpuMs: cpuMsOf([each.pid]) }));
  const startMs = performance.now();
  await churn(gateway, calls / steps, perSecond).catch((error: unknown) => {
    failed++;
    console.error(String(error).slice(0, 4_000));
  });
  seconds += (performance.now() - startMs) / 1_000;
  for (const { name, pid, cpuMs } of atStart) {
    if (existsSync(`/proc/${pid}`)) cpu.set(name, (cpu.get(name) ?? 0) + cpuMsOf([pid]) - cpuMs);
  }
  await memory(`${(calls / steps) * step} calls`);
}
snapshot('after');
const after = await memory('in the end');
for (const [name, cpuMs] of cpu) console.log(`${name}: ${(cpuMs / calls).toFixed(2)} ms CPU a call`);
const left = await settled(gateway, 60_000);
console.log(`${(calls / seconds).toFixed(1)} calls/s, ${failed} runs with failures`);
const slope = (from: number, to: number) => `${((to - from) / calls / 1e3).toFixed(2)} kB a call`;
console.log(`in use ${slope(before.used, after.used)}, resident ${slope(before.resident, after.resident)}`);
console.log(`left: ${JSON.stringify(left)}, timers ${timersBefore} before and ${timers()} after`);
await gateway.close();
if (failed > 0 || Object.values(left).some((count) => count !== 0)) process.exitCode = 1;
