// What scanners, guessed passwords and PINs, and floods of calls do to a gateway and to the calls that are on meanwhile.
//
//   npm run bench:attack -- [--seconds 12] [--rounds 3] [--quick] [--only NAME] [--port-base 17000]
//   HEAP_SNAPSHOTS=FOLDER keeps one of each round; taking it holds up everybody, so that losses after it do not count.
//
// The gateway as npm start runs it, with the bounds that it has by default, but that loopback is not exempt. Two phones talk in
// a room while each wave comes from loopback addresses of its own; both listen for what they miss of each other. In each wave an
// account under attack registers from where it was before, and a stranger calls. Exits with 1 where a bound is not held.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { SipBan } from '#api/contract.ts';
import type { PhonePeer } from '#test/support/phone-peer.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { challengeOf, SipSource, statusOf } from '#test/support/sip-source.ts';
import type { WaveOrder, WaveResult } from './attack-waves.ts';
import { GatewayHeap, type HeapUse } from './gateway-heap.ts';
import { GatewayProcess } from './gateway-process.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    rounds: { type: 'string', default: '3' },
    'port-base': { type: 'string', default: '17000' },
    only: { type: 'string' },
    /** Does not wait until all is over that a round has begun. */
    quick: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

/** Of the frames of a call that is on. */
const maxLostShare = 0.001;
/** Calls that nobody acknowledged end after 32 s, transactions with them. */
const settleMs = values.quick ? 1_000 : 40_000;
const maxGrowthMb = 48;
/** Of what is in use: a leak is seen here long before it is seen in what V8 has taken. */
const maxUsedGrowthMb = 8;
const password = 'right-password-1';

interface Wave {
  readonly title: string;
  readonly kind: WaveOrder['kind'];
  readonly addresses: number;
  readonly perSecond: number;
  /** Within so many seconds each address is banned; absent: it stays within its bounds, and nobody need be. */
  readonly bannedWithinS?: number;
  /** Guesses of one address that are looked at. */
  readonly maxTried: number;
}

const waves: readonly Wave[] = [
  { title: 'scanners', kind: 'scanners', addresses: 10, perSecond: 50, bannedWithinS: 1, maxTried: 1 },
  { title: 'passwords', kind: 'passwords', addresses: 50, perSecond: 200, bannedWithinS: 12, maxTried: 20 },
  { title: 'PINs', kind: 'pins', addresses: 10, perSecond: 100, bannedWithinS: 12, maxTried: 20 },
  { title: 'flood, 5 addresses', kind: 'flood', addresses: 5, perSecond: 500, bannedWithinS: 12, maxTried: 400 },
  { title: 'flood, 50 addresses', kind: 'flood', addresses: 50, perSecond: 500, maxTried: 400 },
];

const gateway = await GatewayProcess.start(Number(values['port-base']), {
  sip: { bans: { exemptNetworks: [] }, hasTls: false },
});
// As phones are that have a processor of their own.
try {
  setPriority(-15);
} catch {
  console.log('not root: the phones get their turn with everybody else, which counts as loss');
}
const server = { address: '127.0.0.1', port: gateway.sipPort };
const flaws: string[] = [];
const flawed = (flaw: string) => flaws.push(flaw);

await gateway.api('POST', '/api/rooms', { name: 'talk', sip: { access: 'open', hasPrompts: false } });
await gateway.api('POST', '/api/rooms', { name: 'lobby', sip: { access: 'pin', pin: '990088776644' } });
await gateway.api('POST', '/api/rooms', { name: 'locked', sip: { access: 'pin', pin: '990088776655' } });
await gateway.api('POST', '/api/sip/accounts', { username: 'alice', password });

interface Talk {
  readonly callers: readonly SipCaller[];
}

async function talk(): Promise<Talk> {
  const callers = [];
  for (const [i, toneHz] of [440, 1_000].entries()) {
    const ownAddress = `127.0.1.${i + 1}`;
    callers.push(await SipCaller.call({ server, ownAddress, room: 'talk', codec: 'pcmu', toneHz }));
  }
  for (const { phone } of callers) await phone.until(({ packets }) => packets.length > 100);
  return { callers };
}

interface Heard {
  readonly frames: number;
  readonly lost: number;
  readonly silent: number;
  /** Whether it hears the other one at all. */
  readonly isHearing: boolean;
  /** 99th percentile of how long after its time a packet came. */
  readonly lateP99Ms: number;
}

/** Sum of squares of a frame at -40 dBov. */
const audible = 160 * (32_768 * 0.01) ** 2;

/** What this phone missed of the other one's tone since it heard `from` packets. */
function heardBy({ packets, samples }: PhonePeer, from: number): Heard {
  const heard = packets.slice(from);
  const span = (((heard.at(-1)?.seq ?? 0) - (heard[0]?.seq ?? 0) + 65_536) % 65_536) + 1;
  const levels: number[] = [];
  for (let at = from * 160; at + 160 <= samples.length; at += 160) {
    levels.push(samples.subarray(at, at + 160).reduce((sum, value) => sum + value * value, 0));
  }
  const usual = levels.toSorted((a, b) => a - b)[levels.length >> 1] ?? 0;
  const offsets = heard.map(({ arrivalMs }, i) => arrivalMs - i * 20).toSorted((a, b) => a - b);
  return {
    frames: span,
    lost: span - heard.length,
    silent: levels.filter((level) => level < usual / 4).length,
    isHearing: usual > audible,
    lateP99Ms: (offsets[Math.floor(offsets.length * 0.99)] ?? 0) - (offsets[offsets.length >> 1] ?? 0),
  };
}

const owner = await SipSource.open({ address: '127.0.1.9', serverPort: server.port, service: 'alice', from: 'alice' });

/** An account under attack, from where it was before; and a call of somebody who never did anything. */
async function honest(wave: number): Promise<{ registered: number; called: number }> {
  const stranger = await SipSource.open({ address: `127.0.2.${wave + 1}`, serverPort: server.port });
  try {
    const challenge = challengeOf(await owner.ask('REGISTER'));
    const proof = challenge && owner.proof('REGISTER', challenge, { username: 'alice', password });
    const registered =
      proof === undefined ? 0 : statusOf(await owner.ask('REGISTER', { headers: [`Authorization: ${proof}`] }));
    const called = statusOf(await stranger.ask('OPTIONS'));
    return { registered, called };
  } catch {
    return { registered: 0, called: 0 };
  } finally {
    stranger.close();
  }
}

/** @throws Error where those who attack end without a result */
async function send(order: WaveOrder): Promise<WaveResult> {
  const child = fork(fileURLToPath(new URL('attack-waves.ts', import.meta.url)), { stdio: 'inherit' });
  child.send(order);
  let result: WaveResult | undefined;
  child.once('message', (message: WaveResult) => {
    result = message;
  });
  // After all that it said.
  await once(child, 'disconnect');
  if (!result) throw new Error('attack-waves.ts ended without a result');
  return result;
}

const inWords = ({ rss, heapUsed, heapTotal, external }: HeapUse) =>
  `${megabytes(rss)} MB: objects ${megabytes(heapUsed)} of ${megabytes(heapTotal)}, buffers ${megabytes(external)}`;
const megabytes = (bytes: number) => Math.round(bytes / 1e6);

async function run(wave: Wave, round: number, index: number, { callers }: Talk): Promise<void> {
  const addresses = Array.from({ length: wave.addresses }, (_, i) => `127.${10 + round}.${index}.${i + 1}`);
  const before = gateway.usage();
  const from = callers.map(({ phone }) => phone.packets.length);
  const sentLate = () => callers.map(({ phone }) => phone.sentLate);
  const sentLateBefore = sentLate();
  const half = new Promise((wake) => setTimeout(wake, seconds * 500));
  const [{ beganAtMs, attempts, answers, mostTried }, met] = await Promise.all([
    send({ ...wave, addresses, seconds, serverPort: server.port }),
    half.then(() => honest(index)),
  ]);
  const bans = (await gateway.api<{ items: SipBan[] }>('GET', '/api/sip/bans?limit=100')).items;
  const waits = bans
    .filter(({ address }) => addresses.includes(address))
    .map(({ createdAt }) => (Date.parse(createdAt) - beganAtMs) / 1_000)
    .toSorted((a, b) => a - b);
  const heard = callers.map(({ phone }, i) => heardBy(phone, from[i] ?? 0));
  const after = gateway.usage();
  // What the other phone sent too late, because this process got no turn, the gateway could not play.
  const late = sentLate().map((count, i) => count - (sentLateBefore[i] ?? 0));
  const lost = Math.max(
    ...heard.map(({ lost, silent, frames }, i) => Math.max(lost, silent - (late[1 - i] ?? 0)) / frames),
  );
  const cells = [
    wave.title,
    `${attempts} tries: ${Object.entries(answers)
      .map(([status, count]) => `${count} × ${status}`)
      .join(', ')}`,
    `${mostTried} looked at of one`,
    `${waits.length}/${addresses.length} banned${waits.length > 0 ? ` after ${waits[waits.length >> 1]?.toFixed(1)}…${waits.at(-1)?.toFixed(1)} s` : ''}`,
    `call: lost ${heard.map(({ lost, silent, frames }) => `${lost}+${silent} silent of ${frames}`).join(' and ')}, late p99 ${Math.max(...heard.map(({ lateP99Ms }) => lateP99Ms)).toFixed(0)} ms, ${late.join(' and ')} sent late`,
    `owner ${met.registered}, stranger ${met.called}`,
    `CPU control ${Math.round((after.controlCpuMs - before.controlCpuMs) / seconds / 10)} %, workers ${Math.round((after.workersCpuMs - before.workersCpuMs) / seconds / 10)} %`,
    `memory ${megabytes(after.controlBytes)} + ${megabytes(after.workersBytes)} MB, log ${((after.logBytes - before.logBytes) / 1e6).toFixed(2)} MB`,
  ];
  console.log(cells.join('\n    '));
  if (heard.some(({ isHearing }) => !isHearing)) flawed(`${wave.title}: one phone does not hear the other`);
  if (lost >= maxLostShare) flawed(`${wave.title}: the call lost ${(lost * 100).toFixed(2)} % of its frames`);
  if (mostTried > wave.maxTried) flawed(`${wave.title}: ${mostTried} attempts of one address were looked at`);
  if (met.registered !== 200) flawed(`${wave.title}: the owner of the account was answered ${met.registered}`);
  if (met.called !== 200) flawed(`${wave.title}: a stranger was answered ${met.called}`);
  if (wave.bannedWithinS === undefined) return;
  if (waits.length < addresses.length) flawed(`${wave.title}: ${addresses.length - waits.length} were not banned`);
  if ((waits.at(-1) ?? 0) > wave.bannedWithinS) flawed(`${wave.title}: one was banned after ${waits.at(-1)} s`);
}

const wanted = waves.filter(({ title }) => values.only === undefined || title.includes(values.only));
try {
  await honest(200);
  const talking = await talk();
  const marks: number[] = [];
  const used: number[] = [];
  for (let round = 0; round < rounds; round++) {
    console.log(`round ${round + 1}`);
    for (const [i, wave] of wanted.entries()) await run(wave, round, i, talking);
    await new Promise((wake) => setTimeout(wake, settleMs));
    const { controlBytes, workersBytes } = gateway.usage();
    // Before the collection: what V8 takes from the machine counts, not what it would need.
    marks.push((controlBytes + workersBytes) / 1e6);
    const heap = await GatewayHeap.open(gateway.pid, () => gateway.log);
    const [before, after] = [await heap.use(), await heap.collected()];
    used.push((after.heapUsed + after.external) / 1e6);
    console.log(`after it workers ${megabytes(workersBytes)} MB; control ${inWords(before)}`);
    console.log(`    after a collection ${inWords(after)}`);
    if (process.env.HEAP_SNAPSHOTS !== undefined) {
      await heap.writeSnapshot(`${process.env.HEAP_SNAPSHOTS}/round-${round + 1}.heapsnapshot`);
    }
    heap.close();
  }
  const usedGrowth = (used.at(-1) ?? 0) - (used[0] ?? 0);
  console.log(`objects and buffers in use grew by ${usedGrowth.toFixed(1)} MB from the first round to the last`);
  if (usedGrowth > maxUsedGrowthMb) flawed(`what is in use grew by ${usedGrowth.toFixed(1)} MB`);
  const growth = (marks.at(-1) ?? 0) - (marks[0] ?? 0);
  console.log(`memory grew by ${growth.toFixed(0)} MB from the first round to the last`);
  if (growth > maxGrowthMb) flawed(`memory grew by ${growth.toFixed(0)} MB`);
  for (const caller of talking.callers) await caller.close();
} finally {
  owner.close();
  if (!(await gateway.close())) flawed('the gateway did not end when it was told to');
}
for (const flaw of flaws) console.log(`NOT HELD: ${flaw}`);
if (flaws.length > 0) process.exitCode = 1;
