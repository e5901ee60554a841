// One call is recorded: what its phone says and what it hears, wherever it goes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type {
  DispatchRuleResource,
  DispatchSimulation,
  RecordingResource,
  SipCallResource,
  SipTrunk,
} from '#api/contract.ts';
import { untilHeard } from '#test/support/calling-phone.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import type { SippRun } from '#test/support/sipp.ts';
import { usualLevel } from '#test/support/tone.ts';

const run = promisify(execFile);
let gateway: TestGateway;
let folder: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'call-recording-'));
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_000, lastPort: 43_099 },
    media: { workers: 2 },
  });
  await gateway.api('POST', '/api/rooms', { name: 'quiet' });
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

async function call(toneHz: number, room = 'demo'): Promise<{ caller: SipCaller; id: string }> {
  const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const server = { address: '127.0.0.1', port: point?.port ?? 0 };
  const caller = await SipCaller.call({ server, room, codec: 'pcmu', toneHz });
  opened.push(caller);
  const callOf = () => [...gateway.app.sip.live].find(({ info }) => info.state === 'connected' && !seen.has(info.id));
  await expect.poll(callOf, { timeout: 10_000 }).toBeDefined();
  const { id } = callOf()?.info ?? { id: '' };
  seen.add(id);
  return { caller, id };
}
const seen = new Set<string>();

const recording = (id: string) => gateway.api<RecordingResource>('GET', `/api/rooms/demo/recordings/${id}`);
const calls = (id: string) => `/api/rooms/demo/sipcalls/${id}`;

async function finished(id: string): Promise<RecordingResource> {
  await expect.poll(async () => (await recording(id)).state, { timeout: 20_000 }).toBe('finished');
  return recording(id);
}

/** Each channel at 48 kHz. */
async function channelsOf(part: RecordingResource['parts'][number] | undefined): Promise<[Int16Array, Int16Array]> {
  const response = await fetch(`${gateway.url}${part?.downloadPath}`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });
  const file = join(folder, 'part.m4a');
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
  const args = ['-v', 'error', '-nostdin', '-y', '-i', file, '-ar', '48000', '-f', 's16le', '-'];
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer', maxBuffer: 2 ** 27 });
  const both = new Int16Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.length / 4) * 2);
  const channel = (at: number) => Int16Array.from({ length: both.length / 2 }, (_, i) => both[2 * i + at] ?? 0);
  return [channel(0), channel(1)];
}

/** Until nothing is said to it any more: the room is lowered under prompts. */
async function hearsSteadily({ phone }: SipCaller, toneHz: number): Promise<void> {
  for (let steady = 0; steady < 6; ) {
    const dbov = usualLevel(await phone.hear(300), toneHz, phone.sampleRateHz);
    steady = Math.abs(dbov + 20) < 2 ? steady + 1 : 0;
  }
  await phone.hear(1_500);
}

/** Of the last second and a half but for the end, dBov. */
function levels(samples: Int16Array, tones: readonly number[]): number[] {
  const stretch = samples.subarray(Math.max(0, samples.length - 96_000), samples.length - 24_000);
  return tones.map((toneHz) => usualLevel(stretch, toneHz, 48_000));
}

test('left is what the phone says, right what it hears; moved, it goes on in the next part and ends with the call', async () => {
  const [anna, bert] = [await call(500), await call(1_000)];
  const made = await gateway.api<RecordingResource>('POST', `${calls(anna.id)}/recording/start`);
  assert.deepEqual(made.source, { kind: 'call', callId: anna.id, sound: 'stereo' });
  await assert.rejects(gateway.api('POST', `${calls(anna.id)}/recording/start`), /409 .*already/);
  expect((await gateway.api<SipCallResource>('GET', calls(anna.id))).isRecorded).toBe(true);
  // The whole room is not recorded, and the other phone not told so.
  expect((await gateway.app.rooms.open('demo')).isRecorded).toBe(false);
  await expect.poll(async () => (await recording(made.id)).state, { timeout: 10_000 }).toBe('recording');
  await hearsSteadily(anna.caller, 1_000);

  // A media worker dies, and another goes on: a part ends.
  for (const { pid } of gateway.app.media.describeWorkers()) process.kill(pid, 'SIGKILL');
  await expect.poll(async () => (await recording(made.id)).message, { timeout: 20_000 }).toMatch(/next part|Recording/);
  await anna.caller.phone.hear(4_000);
  await gateway.api('POST', `${calls(anna.id)}/move`, { room: 'quiet' });
  await anna.caller.phone.hear(4_000);
  await anna.caller.close();
  opened.splice(opened.indexOf(anna.caller), 1);

  const done = await finished(made.id);
  expect(done.reason).toBe('call_ended');
  const parts = done.parts.filter(({ durationMs }) => durationMs > 2_500);
  expect(parts.length).toBeGreaterThanOrEqual(3);
  const [left, right] = await channelsOf(parts[0]);
  const [said = 0, notSaid = 0] = levels(left, [500, 1_000]);
  const [notHeard = 0, heard = 0] = levels(right, [500, 1_000]);
  expect(Math.abs(said + 20)).toBeLessThan(2);
  expect(Math.abs(heard + 20)).toBeLessThan(2);
  expect(Math.max(notSaid, notHeard)).toBeLessThan(-45);
  // In the other room it is alone.
  const [there, nothing] = await channelsOf(parts.at(-1));
  expect(Math.abs((levels(there, [500])[0] ?? 0) + 20)).toBeLessThan(2);
  expect(levels(nothing, [1_000])[0]).toBeLessThan(-45);
  expect((await gateway.api<SipCallResource>('GET', calls(bert.id))).isRecorded).toBe(false);
}, 120_000);

test('its phone is told; mixed has both on both sides; stopped, the call goes on', async () => {
  const anna = await call(500);
  const wish = { sound: 'mixed', format: 'ogg', name: 'Anna' };
  const made = await gateway.api<RecordingResource>('POST', `${calls(anna.id)}/recording/start`, wish);
  await expect.poll(async () => (await recording(made.id)).state, { timeout: 10_000 }).toBe('recording');
  // Nobody else speaks yet.
  const { promise: done } = Promise.withResolvers<never>();
  await untilHeard({ phone: anna.caller.phone, run: { done } as unknown as SippRun }, 'recording_on');
  await call(1_000);
  await hearsSteadily(anna.caller, 1_000);
  const stopped = await gateway.api<RecordingResource>('POST', `${calls(anna.id)}/recording/stop`);
  expect(stopped.id).toBe(made.id);
  await assert.rejects(gateway.api('POST', `${calls(anna.id)}/recording/stop`), /409/);
  const { parts, name } = await finished(made.id);
  expect(name).toBe('Anna');
  for (const samples of await channelsOf(parts[0])) {
    for (const dbov of levels(samples, [500, 1_000])) expect(Math.abs(dbov + 20)).toBeLessThan(2);
  }
  expect((await gateway.api<SipCallResource>('GET', calls(anna.id))).state).toBe('connected');
}, 60_000);

const read = (id: string) => gateway.api<SipCallResource>('GET', `/api/sip/calls/${id}`);
const simulated = (to: string) =>
  gateway.api<DispatchSimulation>('POST', '/api/sip/dispatch/simulate', { to, source: '127.0.0.1' });
const silent = (): SippRun => ({ done: Promise.withResolvers<never>().promise }) as unknown as SippRun;

test('calls of a rule that says so are recorded once they are in the room, told so, and their record names the file', async () => {
  const rule = { number: '900', room: 'demo', access: 'pin', pin: '4711', record: { sound: 'mixed', format: 'ogg' } };
  const made = await gateway.api<DispatchRuleResource>('POST', '/api/sip/dispatch-rules', rule);
  expect(made.record).toEqual(rule.record);
  expect(await simulated('900')).toMatchObject({ recordedBy: 'rule' });
  expect((await simulated('900')).steps.at(-1)).toMatch(/recorded once it is in its room: the rule says so/);
  expect(await simulated('demo')).toMatchObject({ recordedBy: null });

  const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const server = { address: '127.0.0.1', port: point?.port ?? 0 };
  const outside = await SipCaller.call({ server, room: '900', codec: 'pcmu', toneHz: 700 });
  opened.push(outside);
  const { id, caller } = await call(500, '900*4711');
  await expect.poll(async () => (await read(id)).isRecorded, { timeout: 10_000 }).toBe(true);
  const [recordingId = ''] = (await read(id)).recordings;
  expect(await recording(recordingId)).toMatchObject({
    source: { kind: 'call', callId: id, sound: 'mixed' },
    format: 'ogg',
  });
  await untilHeard({ phone: caller.phone, run: silent() }, 'recording_on');
  // Who has not typed the PIN is not recorded.
  const asking = [...gateway.app.sip.live].find(({ info }) => info.state === 'asking');
  expect(asking?.info).toMatchObject({ recordingIds: [], isRecorded: false });

  await expect.poll(async () => (await recording(recordingId)).state, { timeout: 10_000 }).toBe('recording');
  await caller.phone.hear(3_000);
  await caller.close();
  opened.splice(opened.indexOf(caller), 1);
  const { parts, reason } = await finished(recordingId);
  expect(reason).toBe('call_ended');
  for (const samples of await channelsOf(parts[0])) {
    expect(Math.abs((levels(samples, [500])[0] ?? 0) + 20)).toBeLessThan(2);
  }
  expect(await read(id)).toMatchObject({ state: 'ended', recordings: [recordingId], isRecorded: false });
  await gateway.api('DELETE', `/api/sip/dispatch-rules/${made.id}`);
}, 60_000);

test('calls of a trunk that says so are recorded, but for a rule that says they are not; one that cannot be goes on and says why', async () => {
  const inbound = { addresses: ['127.0.0.1'], record: true };
  const trunk = await gateway.api<SipTrunk>('POST', '/api/sip/trunks', { name: 'carrier', inbound });
  expect(trunk.inbound).toMatchObject({ record: true });
  expect(await simulated('demo')).toMatchObject({ recordedBy: 'trunk', trunk: { name: 'carrier' } });
  const rule = { number: '901', room: 'demo', record: false };
  const made = await gateway.api<DispatchRuleResource>('POST', '/api/sip/dispatch-rules', rule);
  expect(await simulated('901')).toMatchObject({ recordedBy: null });

  const recorded = await call(500);
  await expect.poll(async () => (await read(recorded.id)).recordings.length, { timeout: 10_000 }).toBe(1);
  const unrecorded = await call(600, '901');
  expect(await read(unrecorded.id)).toMatchObject({ state: 'connected', recordings: [], isRecorded: false });

  // A room whose sound no file of ours can hold.
  const mediaOut = { audio: ['pcmu'], video: { format: ['vp8'] } };
  await gateway.api('POST', '/api/rooms', { name: 'mute', mediaOut });
  const failed = await call(700, 'mute');
  await expect.poll(async () => (await read(failed.id)).recordingProblem, { timeout: 10_000 }).toMatch(/aac/i);
  expect(await read(failed.id)).toMatchObject({ state: 'connected', isRecorded: false });

  await assert.rejects(
    gateway.api('PATCH', `/api/sip/trunks/${trunk.id}`, { inbound: { record: { upload: true } } }),
    /s3/,
  );
  await assert.rejects(
    gateway.api('PATCH', `/api/sip/dispatch-rules/${made.id}`, { record: { format: 'ogg', audioCodec: 'aac' } }),
    /422 .*cannot hold aac/,
  );
  await gateway.api('DELETE', `/api/sip/trunks/${trunk.id}`);
}, 60_000);
