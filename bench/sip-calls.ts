// What a whole call costs with its media port, and whether a day's worth of them leaves anything behind.
//
//   node scripts/run.mjs node bench/sip-calls.ts [calls, default 5000] [calls/s, default 40]
//
// A whole gateway in this process; SIPp calls one room, four calls in five are answered, get a leg in the mix and hang up, the
// rest are refused for their codec. Prints CPU per call of each process, and the slope of memory.
import { existsSync } from 'node:fs';
import { churn, settled } from '#test/support/call-churn.ts';
import { startGateway } from '#test/support/gateway.ts';
import { cpuMsOf, residentBytesOf } from './process-usage.ts';

const calls = Number(process.argv[2] ?? 5_000);
const perSecond = Number(process.argv[3] ?? 40);
const steps = 5;
const gateway = await startGateway({
  sip: { isEnabled: true, access: 'open', timers: { t1Ms: 100 }, limits: { messagesPerSecond: 0 } },
  rtp: { listenAddress: '127.0.0.1', firstPort: 40_000, lastPort: 59_999 },
});
const room = await gateway.app.rooms.open('demo');
await gateway.app.phones.mixOf(room);

const processes = () => [
  { name: 'control', pid: process.pid },
  // The spare one may just have been let go.
  ...gateway.app.media
    .describeWorkers()
    .map(({ pid }) => ({ name: 'media worker', pid }))
    .filter(({ pid }) => existsSync(`/proc/${pid}`)),
];
const megabytes = () => processes().map(({ name, pid }) => `${name} ${(residentBytesOf(pid) / 1e6).toFixed(0)} MB`);

await churn(gateway, 200, perSecond);
const rss = residentBytesOf(process.pid);
const cpu = new Map(processes().map(({ pid }) => [pid, cpuMsOf([pid])]));
const startMs = performance.now();
let failed = 0;
for (let step = 1; step <= steps; step++) {
  await churn(gateway, calls / steps, perSecond).catch((error: unknown) => {
    failed++;
    console.error(String(error).slice(0, 2_000));
  });
  console.log(`${(calls / steps) * step} calls, ${megabytes().join(', ')}`);
}
const seconds = (performance.now() - startMs) / 1_000;
for (const { name, pid } of processes()) {
  console.log(`${name}: ${((cpuMsOf([pid]) - (cpu.get(pid) ?? 0)) / calls).toFixed(2)} ms CPU a call`);
}
const slope = (residentBytesOf(process.pid) - rss) / calls;
const left = await settled(gateway, 60_000);
console.log(
  `${(calls / seconds).toFixed(1)} calls/s, ${failed} runs with failures, ${(slope / 1e3).toFixed(2)} kB a call`,
);
console.log(`left: ${JSON.stringify(left)}`);
await gateway.close();
if (failed > 0 || Object.values(left).some((count) => count !== 0)) process.exitCode = 1;
