// Calls that go from room to room and wait in between, with the phone at the same ports: what it hears and who hears it.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { byeComes, callWithPhone, nextPhone, refusedWith, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import type { PhonePeer } from '#test/support/phone-peer.ts';
import { refer, told } from '#test/support/sip-refer.ts';
import { ack, ackFailure, bye, invite, recv, startSipp } from '#test/support/sipp.ts';
import { toneLevel } from '#test/support/tone.ts';

let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', digestAlgorithms: ['MD5'], parking: { timeoutMs: 6_000 } },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_400, lastPort: 42_599 },
  });
  await gateway.api('POST', '/api/sip/accounts', { username: 'alice', password: 'pa55w0rd-9' });
  for (const name of ['front', 'back', 'hall', 'desk']) await gateway.app.rooms.create({ name });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function phoneIn(room: string, toneHz: number, rest: string) {
  const joining = nextPhone(await gateway.app.rooms.open(room));
  const caller = await callWithPhone(gateway, room, rest, { toneHz });
  opened.push(caller);
  const participant = await joining;
  const call = [...gateway.app.sip.live].find(({ info }) => info.participantId === participant.id);
  await expect.poll(() => call?.info.state, { timeout: 20_000 }).toBe('connected');
  return { ...caller, id: call?.id ?? '' };
}

const ask = (room: string, id: string, verb: string, body?: object) =>
  gateway.api<SipCallResource>('POST', `/api/rooms/${room}/sipcalls/${id}/${verb}`, body, 30_000);

/** Waits until it hears the one tone, and not the other. */
async function hears(phone: PhonePeer, heardHz: number | undefined, goneHz?: number): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const samples = await phone.hear(400);
    const level = (hz: number) => toneLevel(samples, hz, phone.sampleRateHz);
    if ((heardHz === undefined || level(heardHz) > -35) && (goneHz === undefined || level(goneHz) < -50)) return;
  }
  assert.fail(`${heardHz} Hz is not heard, or ${goneHz} Hz still is.`);
}

const phonesIn = (room: string) =>
  [...gateway.app.sip.live].filter(({ info }) => info.roomName === room && info.state === 'connected').length;

test('a call goes to another room without a word to the phone, and is heard there and no more where it was', async () => {
  const stays = await phoneIn('front', 440, byeComes('hung_up'));
  const there = await phoneIn('back', 1_330, byeComes('hung_up'));
  const goes = await phoneIn('front', 700, byeComes('hung_up'));
  await hears(stays.phone, 700);
  const before = goes.phone.packets.at(-1);
  const moved = await ask('front', goes.id, 'move', { room: 'back' });
  assert.deepEqual([moved.roomName, moved.state], ['back', 'connected']);
  await hears(goes.phone, 1_330, 440);
  await hears(there.phone, 700);
  await hears(stays.phone, undefined, 700);
  const after = goes.phone.packets.at(-1);
  assert.equal(after?.ssrc, before?.ssrc);
  assert.ok((((after?.seq ?? 0) - (before?.seq ?? 0)) & 0xffff) < 3_000, 'its sequence numbers go on');
  assert.deepEqual([phonesIn('front'), phonesIn('back')], [1, 2]);
  for (const [room, { id, run }] of [
    ['front', stays],
    ['back', there],
    ['back', goes],
  ] as const) {
    await gateway.api('DELETE', `/api/rooms/${room}/sipcalls/${id}`);
    await run.done;
  }
}, 120_000);

test('a parked call hears music; a phone with an account that dials its slot has it, others find nobody there', async () => {
  const parked = await phoneIn('hall', 700, byeComes('hung_up'));
  const call = await ask('hall', parked.id, 'park');
  assert.deepEqual([call.state, call.parked?.slot, call.roomName, phonesIn('hall')], ['parked', '7001', 'hall', 0]);
  const target = sipAddressOf(gateway);
  const stranger = startSipp({ target, service: '7001', scenario: refusedWith(404, { Warning: 'There is no room' }) });
  const proof = '[authentication username=alice password=pa55w0rd-9]';
  const asAlice = (words: string) =>
    words.replace(/From: [^\n]*/, 'From: <sip:alice@[remote_ip]>;tag=[pid]SIPpTag00[call_number]');
  const scenario = [
    ...[asAlice(invite()), recv(100, { optional: true }), '<recv response="401" auth="true"></recv>'],
    ...[asAlice(ackFailure()), asAlice(invite({ cseq: 2, headers: [proof] })), recv(100, { optional: true })],
    ...[recv(180, { optional: true }), recv(200, { rrs: true }), asAlice(ack(2)), byeComes('hung_up')],
  ];
  const alice = startSipp({ target, service: '7001', scenario: scenario.join('\n'), timeoutSec: 40 });
  await stranger.done;
  await expect.poll(() => phonesIn('hall'), { timeout: 30_000 }).toBe(2);
  for (const { id } of gateway.app.sip.live) await gateway.api('DELETE', `/api/rooms/hall/sipcalls/${id}`);
  await Promise.all([parked.run.done, alice.done]);
}, 120_000);

test('a parked call is fetched by the API into any room, and goes back where it was when nobody comes', async () => {
  const parked = await phoneIn('hall', 700, byeComes('hung_up'));
  await ask('hall', parked.id, 'park');
  // A note of the first bars.
  await hears(parked.phone, 261.63);
  const moved = await ask('hall', parked.id, 'move', { room: 'desk' });
  assert.deepEqual([moved.state, moved.parked, moved.roomName], ['connected', null, 'desk']);
  await ask('desk', parked.id, 'park');
  await expect.poll(() => phonesIn('desk'), { timeout: 30_000 }).toBe(1);
  await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${parked.id}`);
  await parked.run.done;
}, 120_000);

test('of two phones in a room one sends the other to another room, past its PIN, and of more none', async () => {
  await gateway.api('PATCH', '/api/rooms/desk', { sip: { access: 'pin', pin: '471100' } });
  const there = (pin: string) => `<sip:desk${pin}@[remote_ip]:[remote_port]>`;
  const sent = await phoneIn('hall', 0, byeComes('hung_up'));
  const rest = [
    ...[refer(there(''), 2), recv(202), ...told('100', 'active'), ...told('403', 'terminated')],
    ...[
      refer(there('*471100'), 3),
      recv(202),
      ...told('100', 'active'),
      ...told('200', 'terminated'),
      bye(4),
      recv(200),
    ],
  ];
  const sender = await phoneIn('hall', 0, rest.join('\n'));
  await sender.run.done;
  assert.deepEqual([phonesIn('hall'), phonesIn('desk')], [0, 1]);
  const { transfer } = await gateway.api<SipCallResource>('GET', `/api/sip/calls/${sender.id}`);
  assert.deepEqual([transfer?.state, transfer?.to.includes('471100')], ['done', false]);
  await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${sent.id}`);
  await sent.run.done;
}, 120_000);
