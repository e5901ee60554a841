// A phone in a menu: what it hears in which language, what its keys lead to, and what is kept of its way.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DispatchSimulation, SipCallResource } from '#api/contract.ts';
import { byeComes, callWithPhone, nextPhone, untilHeard } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { toneLevel } from '#test/support/tone.ts';

let gateway: TestGateway;
let folder: string;
const opened: { close(): unknown }[] = [];
const signHz = 660;

const menu = {
  start: 'language',
  nodes: {
    language: {
      say: [
        { prompt: 'for_language', language: 'en' },
        { prompt: 'for_language', language: 'es' },
      ],
      keys: { 1: { language: 'en', menu: 'main' }, 2: { language: 'es', menu: 'main' } },
    },
    main: {
      say: ['our_sign', 'for_conference'],
      keys: {
        1: { menu: 'number' },
        2: { menu: 'vip' },
        0: { hangUp: { reason: 'Closed on Sundays.', say: ['goodbye'] } },
      },
    },
    number: { say: ['enter_number'], collect: { find: 'number' } },
    vip: { say: ['enter_pin'], collect: { find: 'pin', rooms: ['plaza', 'vip'] } },
  },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'menu-prompts-'));
  await mkdir(join(folder, 'en'));
  await writeFile(join(folder, 'en', 'our_sign.wav'), toneFile(0.8));
  gateway = await startGateway({
    sip: { isEnabled: true },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_400, lastPort: 44_599 },
    mix: { promptsFolder: folder },
  });
  await gateway.api('POST', '/api/rooms', { name: '4711', sip: { pin: '8642' } });
  await gateway.api('POST', '/api/rooms', { name: 'vip', sip: { pin: '135790' } });
  await gateway.api('POST', '/api/sip/dispatch-rules', { number: '800', menu });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});

/** 48 kHz mono, 16 bit. */
function toneFile(seconds: number): Buffer {
  const samples = Int16Array.from({ length: 48_000 * seconds }, (_, i) => {
    return 8_000 * Math.sin((2 * Math.PI * signHz * i) / 48_000);
  });
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(48_000, 24);
  head.writeUInt32LE(96_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

async function phoneCalling(rest: string) {
  const caller = await callWithPhone(gateway, '800', rest);
  opened.push(caller);
  const [call] = [...gateway.app.sip.live].slice(-1);
  return { ...caller, id: call?.info.id ?? '' };
}

async function hangUpAll(): Promise<void> {
  for (const call of gateway.app.sip.live) await call.hangUp();
}

const recordOf = (id: string) => gateway.api<SipCallResource>('GET', `/api/sip/calls/${id}`);

/** All that it has heard so far, in pieces of 0.2 s. */
function hasHeardSign(samples: Int16Array): boolean {
  for (let at = 0; at + 1_600 <= samples.length; at += 800) {
    if (toneLevel(samples.subarray(at, at + 1_600), signHz, 8_000) > -30) return true;
  }
  return false;
}

test('a caller chooses a language, hears it and the operator’s own recording, and finds a room by number and PIN', async () => {
  const room = await gateway.app.rooms.open('4711');
  const joined = nextPhone(room);
  const steps = new Set<number>();
  gateway.app.sip.events.on('updated', ({ menu: way }) => way && steps.add(way.length));
  const { phone, run, id } = await phoneCalling(byeComes('hung_up'));
  await untilHeard({ phone, run }, 'for_language', 'en');
  const before = await recordOf(id);
  assert.deepEqual([before.state, before.roomId, before.menu], ['asking', null, []]);
  phone.forget();
  phone.press('2');
  await untilHeard({ phone, run }, 'for_conference', 'es');
  assert.ok(hasHeardSign(phone.samples));
  phone.press('199#');
  await untilHeard({ phone, run }, 'wrong_number', 'es');
  phone.press('4711#');
  await untilHeard({ phone, run }, 'enter_pin', 'es');
  phone.press('8642');
  await joined;
  await untilHeard({ phone, run }, 'joined', 'es');
  const { menu: way, roomName, state, digits } = await recordOf(id);
  assert.deepEqual([roomName, state, digits], ['4711', 'connected', '']);
  assert.deepEqual(way, [
    { node: 'language', pressed: '2', led: 'menu main', call: null },
    { node: 'main', pressed: '1', led: 'menu number', call: null },
    { node: 'number', pressed: '99', led: 'wrong', call: null },
    { node: 'number', pressed: '4711', led: 'room 4711', call: null },
  ]);
  // Each step is an event (call.updated).
  assert.deepEqual([...steps].sort(), [1, 2, 3, 4]);
  await hangUpAll();
  await run.done;
}, 120_000);

test('keys typed ahead and a PIN that finds its room lead there at once', async () => {
  const joined = nextPhone(await gateway.app.rooms.open('vip'));
  const { phone, run, id } = await phoneCalling(byeComes('hung_up'));
  phone.press('12135790#');
  await joined;
  const { menu: way } = await recordOf(id);
  assert.deepEqual(way.at(-1), { node: 'vip', pressed: '(hidden)', led: 'room vip', call: null });
  assert.ok(!JSON.stringify([way, gateway.log.lines]).includes('135790'));
  await expect.poll(async () => (await recordOf(id)).state, { timeout: 20_000 }).toBe('connected');
  await hangUpAll();
  await run.done;
}, 120_000);

test('a menu that hangs up says why, and so does the record; simulate shows all of it', async () => {
  const { phone, run, id } = await phoneCalling(byeComes('menu: Closed on Sundays'));
  phone.press('10');
  await run.done;
  const { end, roomName, menu: way } = await recordOf(id);
  assert.deepEqual([end?.reason, end?.message, roomName], ['menu', 'Closed on Sundays.', null]);
  assert.deepEqual(way.at(-1), { node: 'main', pressed: '0', led: 'hang up: Closed on Sundays.', call: null });
  const told = await gateway.api<DispatchSimulation>('POST', '/api/sip/dispatch/simulate', { to: '800' });
  assert.deepEqual([told.outcome, told.rule?.menu], ['menu', menu]);
  assert.ok(told.steps.some((step) => /Menu "vip" says enter_pin; digits: the PIN of plaza, vip/.test(step)));
  assert.ok(told.steps.some((step) => /no room "plaza" now/.test(step)));
}, 120_000);

test('a call in a menu is listed without a room and hung up by its id, once; one that reaches nobody says so', async () => {
  const { run, id } = await phoneCalling(byeComes('hung_up: Hung up by the API'));
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?state=on');
  assert.deepEqual(
    items.map(({ id, roomId, state }) => [id, roomId, state]),
    [[id, null, 'asking']],
  );
  await gateway.api('DELETE', `/api/sip/calls/${id}`);
  await run.done;
  assert.equal((await recordOf(id)).end?.reason, 'hung_up');
  await assert.rejects(gateway.api('DELETE', `/api/sip/calls/${id}`), /409 .*The call has ended/);
  await assert.rejects(gateway.api('DELETE', '/api/sip/calls/CL_none'), /404/);

  const to = 'sip:bob@127.0.0.1:1;transport=tcp';
  const { end } = await gateway.api<SipCallResource>('POST', '/api/rooms/4711/sipcalls?wait=10', { to }, 20_000);
  assert.deepEqual([end?.by, end?.reason, end?.sipStatus, end?.blame], ['server', 'unreachable', null, 'upstream']);
  assert.match(end?.message ?? '', /cannot be reached: connection refused/);
}, 60_000);
