// A phone at the door of a room: what it hears, what it types, and what becomes of it.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { RoomDialIn, SipCallResource } from '#api/contract.ts';
import {
  byeComes,
  callWithPhone,
  hangUp,
  nextPhone,
  refusedWith,
  sipAddressOf,
  untilHeard,
} from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { bye, pause, recv, recvRequest, request, response, sipp } from '#test/support/sipp.ts';

let gateway: TestGateway;
let target: string;
let pin: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, rules: [{ number: '0190', reject: { status: 603, reason: 'No premium numbers.' } }] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_400, lastPort: 43_599 },
  });
  target = sipAddressOf(gateway);
  pin = (await gateway.api<RoomDialIn>('GET', '/api/rooms/demo/dial-in')).pin ?? '';
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

/** Closed after the test. */
async function phoneCalling(service: string, rest: string) {
  const caller = await callWithPhone(gateway, service, rest);
  opened.push(caller);
  return caller;
}

const info = (body: string, cseq: number) =>
  [
    request({ method: 'INFO', cseq, isInDialog: true, uri: '[next_url]', body, contentType: 'application/dtmf-relay' }),
    recv(200),
  ].join('\n');

test('the first room has a PIN, which its keepers see and lists do not tell', async () => {
  assert.match(pin, /^\d{6}$/);
  const room = await gateway.api<{ sip: object }>('GET', '/api/rooms/demo');
  assert.deepEqual(room.sip, {
    access: null,
    language: null,
    hasPrompts: null,
    hasVideo: null,
    view: null,
    hasPin: true,
  });
  assert.ok(!JSON.stringify(await gateway.api('GET', '/api/rooms')).includes(pin));
  assert.match(gateway.app.welcome(), new RegExp(`sip:demo@127.0.0.1:\\d+   PIN ${pin.slice(0, 3)} ${pin.slice(3)}`));
  const asGuest = async (role: string) => {
    const token = await gateway.token({ role });
    const response = await fetch(`${gateway.url}/api/rooms/demo/dial-in`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await response.json()) as RoomDialIn;
  };
  assert.deepEqual([(await asGuest('presenter')).pin, (await asGuest('moderator')).pin], [null, pin]);
  assert.match((await asGuest('presenter')).addresses[0] ?? '', /^sip:demo@127\.0\.0\.1:\d+$/);
});

test('a phone is welcomed, told that a PIN is wrong, and let in with the right one', async () => {
  const room = await gateway.app.rooms.open('demo');
  const joined = nextPhone(room);
  const { phone, run } = await phoneCalling(
    'demo',
    recvRequest('BYE', { expect: { Reason: 'hung_up' } }) + response('200 OK', { tag: false }),
  );
  await untilHeard({ phone, run }, 'welcome');
  await untilHeard({ phone, run }, 'enter_pin');
  assert.equal(room.visibleParticipants.length, 0);
  phone.press('0000#');
  await untilHeard({ phone, run }, 'wrong_pin');
  phone.press(`${pin}#`);
  const participant = await joined;
  await untilHeard({ phone, run }, 'joined');
  await untilHeard({ phone, run }, 'you_are_alone');
  assert.equal(participant.displayName, 'Test');
  const [call] = gateway.app.sip.live as Set<{
    info: { state: string; id: string; digits: string };
    hangUp(): Promise<void>;
  }>;
  assert.equal(call?.info.state, 'connected');
  assert.ok(!call?.info.digits.includes(pin));
  await call?.hangUp();
  await run.done;
  const record = await gateway.api<SipCallResource>('GET', `/api/sip/calls/${call?.info.id}`);
  assert.deepEqual(
    [record.state, record.end?.reason, record.codec, record.roomName],
    ['ended', 'hung_up', 'pcmu', 'demo'],
  );
  assert.ok((record.quality?.packetsReceived ?? 0) > 50);
  const { messages } = await gateway.api<{ messages: { title: string; text: string }[] }>(
    'GET',
    `/api/sip/calls/${call?.info.id}/messages`,
  );
  assert.deepEqual(messages[0]?.title, 'INVITE');
  assert.ok(messages.some(({ title }) => title === '200 OK (BYE)'));
}, 120_000);

test('keys by SIP INFO open the door as well, and are in no ladder', async () => {
  const room = await gateway.app.rooms.open('demo');
  const joined = nextPhone(room);
  const keys = [...pin].map((digit, i) => info(`Signal=${digit}\nDuration=160\n`, 2 + i));
  const { run } = await phoneCalling('demo', [...keys, pause(500), bye(20), recv(200)].join('\n'));
  await joined;
  await run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=1');
  const { messages } = await gateway.api<{ messages: { text: string }[] }>(
    'GET',
    `/api/sip/calls/${items[0]?.id}/messages`,
  );
  assert.ok(messages.some(({ text }) => text.includes('Signal=(hidden)')));
  assert.ok(!messages.some(({ text }) => /Signal=\d/.test(text)));
}, 120_000);

test('a phone that tells each key by RTP and by SIP INFO has pressed it once', async () => {
  const joined = nextPhone(await gateway.app.rooms.open('demo'));
  const keys = [...pin].flatMap((digit, i) => [info(`Signal=${digit}\nDuration=160\n`, 2 + i), pause(230)]);
  const { phone, run } = await phoneCalling('demo', [...keys, pause(1_500), bye(20), recv(200)].join('\n'));
  phone.press(pin);
  await joined;
  await run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=1');
  assert.equal(items[0]?.digits, '');
}, 120_000);

test('a PIN dialled with the room lets in at once, and is kept nowhere', async () => {
  const joined = nextPhone(await gateway.app.rooms.open('demo'));
  const { run } = await phoneCalling(`demo*${pin}`, [pause(500), hangUp].join('\n'));
  const { attributes } = await joined;
  await run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=1');
  assert.match(items[0]?.to ?? '', /^sip:demo@/);
  assert.ok(!JSON.stringify([attributes, items, gateway.log.lines]).includes(pin));
}, 120_000);

test('three wrong PINs hang up, and the address has to wait before it may call again', async () => {
  const { phone, run } = await phoneCalling('demo', byeComes('wrong_pin'));
  await untilHeard({ phone, run }, 'enter_pin');
  phone.press('1#');
  await untilHeard({ phone, run }, 'wrong_pin');
  phone.forget();
  phone.press('2#');
  await untilHeard({ phone, run }, 'wrong_pin');
  phone.forget();
  phone.press('3#');
  await untilHeard({ phone, run }, 'goodbye');
  await run.done;
  await sipp({
    target,
    service: 'demo',
    scenario: refusedWith(503, { Warning: 'Too many wrong PINs', 'Retry-After': '[0-9]+' }),
  });
}, 120_000);

test('rooms that take no calls and rules that reject say why, to the caller, the log and the API', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'nopin' });
  await gateway.api('POST', '/api/rooms', { name: 'shut', sip: { access: 'closed', pin: '4711' } });
  await sipp({ target, service: 'nopin', scenario: refusedWith(403, { Warning: 'has no PIN for phones yet' }) });
  await sipp({ target, service: 'shut', scenario: refusedWith(403, { Warning: 'takes no calls' }) });
  await sipp({ target, service: '0190', scenario: refusedWith(603, { Warning: 'No premium numbers' }) });
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=3&state=ended');
  assert.deepEqual(
    items.map(({ end, to }) => [to.split('@')[0], end?.sipStatus, end?.blame]),
    [
      ['sip:0190', 603, 'client'],
      ['sip:shut', 403, 'client'],
      ['sip:nopin', 403, 'client'],
    ],
  );
  const logged = gateway.log.lines
    .filter(({ message }) => message === 'call refused')
    .map(({ fields }) => fields.reason);
  assert.ok(logged.includes('No premium numbers.'));
});

test('an open room welcomes in its own language, and rules of the API hold at once', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'plaza', sip: { access: 'open', language: 'es' } });
  const rule = await gateway.api<{ id: string }>('POST', '/api/sip/dispatch-rules', {
    pattern: '6\\d\\d',
    room: 'plaza',
    language: 'zh',
  });
  const explained = await gateway.api<{ outcome: string; steps: string[]; room: { name: string } }>(
    'POST',
    '/api/sip/dispatch/simulate',
    { to: 'sip:611@host' },
  );
  assert.deepEqual([explained.outcome, explained.room.name], ['enter', 'plaza']);
  for (const [service, language] of [
    ['plaza', 'es'],
    ['611', 'zh'],
  ] as const) {
    const { phone, run } = await phoneCalling(service, byeComes('hung_up'));
    await untilHeard({ phone, run }, 'you_are_alone', language);
    for (const call of gateway.app.sip.live) await call.hangUp();
    await run.done;
  }
  await gateway.api('DELETE', `/api/sip/dispatch-rules/${rule.id}`);
  await sipp({ target, service: '611', scenario: refusedWith(404, { Warning: 'no room' }) });
}, 120_000);
