// What registered phones and their calls cost a gateway that runs as npm start runs it, and what fails.
//
//   npm run bench:telephony -- [--seconds 600] [--phones 1000] [--calls 200] [--rooms 40] [--talkers 2] [--port-base 18000]
//
// Each phone registers with a password and anew every half minute. Of them, some call rooms and stay for the whole time, each
// with G.711 both ways; a few in each room talk, the rest are silent. One more phone each second calls a room and leaves again.
// Wants gcc. Exits with 1 where anything fails.
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GatewayProcess } from './gateway-process.ts';
import { RegisteredPhone } from './registered-phone.ts';
import { VoiceLoad } from './voice-load.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    phones: { type: 'string', default: '1000' },
    calls: { type: 'string', default: '200' },
    rooms: { type: 'string', default: '40' },
    talkers: { type: 'string', default: '2' },
    'port-base': { type: 'string', default: '18000' },
  },
});
const [seconds, phoneCount, callCount, roomCount, talkers] = [
  ...[values.seconds, values.phones, values.calls, values.rooms, values.talkers].map(Number),
] as [number, number, number, number, number];
const mediaPort = 11_996;
/** Of another port that nobody sends from: of calls that come and go. */
const passingPort = 11_994;
const warmSeconds = 5;
const expiresSec = 60;
const atOnce = 8;

const folder = mkdtempSync(join(tmpdir(), 'bench-telephony-'));
const gateway = await GatewayProcess.start(Number(values['port-base']), {
  limits: { requestsPerMinute: 100_000, requestsPerMinutePerKey: 100_000, roomsPerMinute: 10_000 },
  // It is to be measured what it can take.
  overload: { isEnabled: false },
  sip: { hasTls: false },
  rtp: { listenAddress: '127.0.0.1', firstPort: 22_000, lastPort: 23_999 },
});
try {
  // As phones are that have processors of their own.
  setPriority(-10);
} catch {
  console.log('not root: the phones get their turn with everybody else');
}

const registrations = { sent: 0, failed: 0, statuses: new Map<number, number>(), times: [] as number[] };
const calls = { asked: 0, refused: [] as string[], lost: 0, unanswered: 0, times: [] as number[] };
const phones: RegisteredPhone[] = [];

async function inTurns(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}

const share = (times: readonly number[], part: number) =>
  (times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? 0).toFixed(0);

async function openPhone(index: number): Promise<void> {
  const [username, password] = [`phone-${index}`, `password-${index}`];
  await gateway.api('POST', '/api/sip/accounts', { username, password });
  const phone = await RegisteredPhone.open({
    ...{ username, password, serverPort: gateway.sipPort, expiresSec },
    mediaPort: index < callCount ? mediaPort : passingPort,
    onRegistered: (status, ms) => {
      registrations.sent += 1;
      registrations.times.push(ms);
      if (status !== 200) registrations.failed += 1;
      registrations.statuses.set(status, (registrations.statuses.get(status) ?? 0) + 1);
    },
    onLost: () => {
      calls.lost += 1;
    },
  });
  phones[index] = phone;
  await phone.register();
}

/** @returns the port for its media; undefined when it was refused */
async function call(phone: RegisteredPhone, room: string): Promise<number | undefined> {
  calls.asked += 1;
  const beganMs = performance.now();
  try {
    const port = await phone.call(room);
    calls.times.push(performance.now() - beganMs);
    return port;
  } catch (error) {
    calls.refused.push(String(error).slice(0, 200));
    return undefined;
  }
}

async function hangUp(phone: RegisteredPhone): Promise<void> {
  if (phone.isInCall && (await phone.hangUp()) !== 200) calls.unanswered += 1;
}

/** Calls that come and go while the others stay: a second each. */
async function passBy(signal: AbortSignal): Promise<void> {
  for (let i = callCount; !signal.aborted && phoneCount > callCount; i++) {
    const phone = phones[callCount + ((i - callCount) % (phoneCount - callCount))] as RegisteredPhone;
    const room = `room-${i % roomCount}`;
    if ((await call(phone, room)) !== undefined) {
      await delay(1_000);
      await hangUp(phone);
    }
    await delay(200);
  }
}

const liveCalls = async () =>
  (await gateway.api<{ items: unknown[] }>('GET', '/api/sip/calls?state=on&limit=200')).items.length;
const megabytes = (bytes: number) => Math.round(bytes / 1e6);
let isGood = true;
try {
  for (let i = 0; i < roomCount; i++)
    await gateway.api('POST', '/api/rooms', { name: `room-${i}`, sip: { access: 'open' } });
  await inTurns(phoneCount, openPhone);
  console.log(
    `${phoneCount} phones registered, ${registrations.failed} failed; p50 ${share(registrations.times, 0.5)} p99 ${share(registrations.times, 0.99)} ms`,
  );
  const ports: (number | undefined)[] = [];
  await inTurns(callCount, async (i) => {
    ports[i] = await call(phones[i] as RegisteredPhone, `room-${i % roomCount}`);
  });
  const legs = ports.flatMap((port, i) =>
    port === undefined ? [] : [{ port, talks: Math.floor(i / roomCount) < talkers }],
  );
  console.log(
    `${legs.length} of ${callCount} calls are on in ${roomCount} rooms; answered after p50 ${share(calls.times, 0.5)} p99 ${share(calls.times, 0.99)} ms`,
  );

  let before = gateway.usage();
  let worst = { p50: 0, p99: 0 };
  const over = new AbortController();
  const look = setInterval(async () => {
    const lateness = await gateway.metric('switchyard_mix_lateness_seconds').catch(() => new Map<string, number>());
    for (const [labels, value] of lateness) {
      const key = labels.includes('0.99') ? 'p99' : 'p50';
      worst = { ...worst, [key]: Math.max(worst[key], value * 1_000) };
    }
  }, 20_000);
  const passing = passBy(over.signal);
  const load = new VoiceLoad(folder);
  const heard = await load.run(legs, {
    ...{ codec: 'pcmu', port: mediaPort, warmSeconds, seconds },
    onMeasuring: () => {
      before = gateway.usage();
    },
  });
  const after = gateway.usage();
  clearInterval(look);
  over.abort();
  await passing;
  for (const phone of phones) await hangUp(phone);
  await delay(2_000);
  const left = await liveCalls();
  const late = await gateway.metric('switchyard_mix_lateness_seconds');
  const perCall = (ms: number) => (ms / seconds / callCount).toFixed(2);
  const [control, workers] = [after.controlCpuMs - before.controlCpuMs, after.workersCpuMs - before.workersCpuMs];
  console.log(
    `registrations: ${registrations.sent} sent, ${registrations.failed} failed; p50 ${share(registrations.times, 0.5)} p99 ${share(registrations.times, 0.99)} ms`,
  );
  console.log(
    `calls: ${calls.asked} asked, ${calls.refused.length} refused, ${calls.lost} lost, ${calls.unanswered} BYE unanswered, ${left} left; answered after p50 ${share(calls.times, 0.5)} p99 ${share(calls.times, 0.99)} ms`,
  );
  for (const [status, count] of registrations.statuses)
    if (status !== 200) console.log(`  registrations answered ${status}: ${count}`);
  for (const refusal of new Set(calls.refused)) console.log(`  refused: ${refusal}`);
  console.log(
    `media: ${heard.received} packets heard, ${heard.lost} lost, ${heard.deaf} deaf legs; between packets p50 ${heard.intervalP50Ms} p99 ${heard.intervalP99Ms} ms`,
  );
  console.log(
    `CPU of a call: ${perCall(control)} ms/s control (registrations included), ${perCall(workers)} ms/s media and SFU`,
  );
  console.log(
    `mixed after it was due: p50 ${worst.p50.toFixed(1)} p99 ${worst.p99.toFixed(1)} ms at the worst of ${late.size / 2} media workers`,
  );
  console.log(
    `memory: control ${megabytes(before.controlBytes)} → ${megabytes(after.controlBytes)} MB, workers ${megabytes(before.workersBytes)} → ${megabytes(after.workersBytes)} MB`,
  );
  const failures = registrations.failed + calls.refused.length + calls.lost + calls.unanswered + heard.deaf + left;
  isGood = failures === 0 && heard.lost <= heard.received / 1_000;
} finally {
  for (const phone of phones) phone?.close();
  isGood = (await gateway.close()) && isGood;
  rmSync(folder, { recursive: true, force: true });
}
if (!isGood) process.exitCode = 1;
