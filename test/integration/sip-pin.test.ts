// A phone at the door of a room: what it hears, what it types, and what becomes of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { RoomDialIn, SipCallResource } from '#api/contract.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { likeness } from '#test/support/prompt-match.ts';
import {
  ack,
  ackFailure,
  bye,
  invite,
  pause,
  recv,
  recvRequest,
  request,
  response,
  sipp,
  startSipp,
} from '#test/support/sipp.ts';

let gateway: TestGateway;
let target: string;
let pin: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, rules: [{ number: '0190', reject: { status: 603, reason: 'No premium numbers.' } }] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_400, lastPort: 43_599 },
  });
  target = `127.0.0.1:${gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp')?.port}`;
  pin = (await gateway.api<RoomDialIn>('GET', '/api/rooms/demo/dial-in')).pin ?? '';
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

const sdpAt = (port: number) =>
  `v=0\no=phone 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=sendrecv\n`;
const answered = [recv(100, { optional: true }), recv(180, { optional: true }), recv(200, { rrs: true }), ack()].join(
  '\n',
);
const refused = (status: number, expect: Record<string, string>) =>
  [invite(), recv(100, { optional: true }), recv(status, { expect }), ackFailure()].join('\n');

/** A phone whose call is answered; `rest` is what SIPp does after that. */
async function phoneCalling(service: string, rest: string, timeoutSec = 30) {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 0 });
  opened.push(phone);
  const scenario = [invite({ body: sdpAt(phone.parameters().remotePort) }), answered, rest].join('\n');
  const run = startSipp({ target, service, scenario, timeoutSec });
  await phone.until(({ packets }) => packets.length > 0);
  const leg = [...gateway.app.phones.legs.values()].at(-1);
  phone.talkTo(leg?.localPort ?? 0);
  return { phone, run };
}

async function untilHeard(phone: PhonePeer, prompt: PromptName, language?: string): Promise<void> {
  for (let length = phone.samples.length; ; length = phone.samples.length) {
    if (likeness(phone.samples, prompt, language) > 0.7) return;
    await phone.until(({ samples }) => samples.length > length + 4_000);
  }
}

async function joinedPhone(room: Room): Promise<Participant> {
  for (;;) {
    const [participant] = (await once(room.events, 'participantJoined', { signal: AbortSignal.timeout(25_000) })) as [
      Participant,
    ];
    if (participant.kind === 'sip') return participant;
  }
}

const hangUp = [bye(), recv(200)].join('\n');
const byeComes = (reason: string) =>
  [recvRequest('BYE', { expect: { Reason: reason } }), response('200 OK', { tag: false })].join('\n');

test('the first room has a PIN, which its keepers see and lists do not tell', async () => {
  assert.match(pin, /^\d{6}$/);
  const room = await gateway.api<{ sip: object }>('GET', '/api/rooms/demo');
  assert.deepEqual(room.sip, { access: null, language: null, hasPrompts: null, hasPin: true });
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
  const joined = joinedPhone(room);
  const { phone, run } = await phoneCalling(
    'demo',
    recvRequest('BYE', { expect: { Reason: 'hung_up' } }) + response('200 OK', { tag: false }),
  );
  await untilHeard(phone, 'welcome');
  await untilHeard(phone, 'enter_pin');
  assert.equal(room.visibleParticipants.length, 0);
  phone.press('0000#');
  await untilHeard(phone, 'wrong_pin');
  phone.press(`${pin}#`);
  const participant = await joined;
  await untilHeard(phone, 'joined');
  await untilHeard(phone, 'you_are_alone');
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
}, 60_000);

test('keys by SIP INFO open the door as well, and are in no ladder', async () => {
  const room = await gateway.app.rooms.open('demo');
  const joined = joinedPhone(room);
  const info = (body: string, cseq: number) =>
    [
      request({
        method: 'INFO',
        cseq,
        isInDialog: true,
        uri: '[next_url]',
        body,
        contentType: 'application/dtmf-relay',
      }),
      recv(200),
    ].join('\n');
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
}, 60_000);

test('a PIN dialled with the room lets in at once, and is kept nowhere', async () => {
  const joined = joinedPhone(await gateway.app.rooms.open('demo'));
  const { run } = await phoneCalling(`demo*${pin}`, [pause(500), hangUp].join('\n'));
  const { attributes } = await joined;
  await run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=1');
  assert.match(items[0]?.to ?? '', /^sip:demo@/);
  assert.ok(!JSON.stringify([attributes, items, gateway.log.lines]).includes(pin));
}, 60_000);

test('three wrong PINs hang up, and the address has to wait before it may call again', async () => {
  const { phone, run } = await phoneCalling('demo', byeComes('wrong_pin'), 40);
  await untilHeard(phone, 'enter_pin');
  phone.press('1#');
  await untilHeard(phone, 'wrong_pin');
  phone.forget();
  phone.press('2#');
  await untilHeard(phone, 'wrong_pin');
  phone.forget();
  phone.press('3#');
  await untilHeard(phone, 'goodbye');
  await run.done;
  await sipp({
    target,
    service: 'demo',
    scenario: refused(503, { Warning: 'Too many wrong PINs', 'Retry-After': '[0-9]+' }),
  });
}, 60_000);

test('rooms that take no calls and rules that reject say why, to the caller, the log and the API', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'nopin' });
  await gateway.api('POST', '/api/rooms', { name: 'shut', sip: { access: 'closed', pin: '4711' } });
  await sipp({ target, service: 'nopin', scenario: refused(403, { Warning: 'has no PIN for phones yet' }) });
  await sipp({ target, service: 'shut', scenario: refused(403, { Warning: 'takes no calls' }) });
  await sipp({ target, service: '0190', scenario: refused(603, { Warning: 'No premium numbers' }) });
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
    const { phone, run } = await phoneCalling(service, [pause(4_000), hangUp].join('\n'));
    await untilHeard(phone, 'you_are_alone', language);
    await run.done;
  }
  await gateway.api('DELETE', `/api/sip/dispatch-rules/${rule.id}`);
  await sipp({ target, service: '611', scenario: refused(404, { Warning: 'no room' }) });
}, 60_000);
