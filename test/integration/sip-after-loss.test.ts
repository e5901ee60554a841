// Plain phones through the death of the SFU worker and of the media worker: in the middle of a hold, of a PIN, of a menu. Each
// call goes on where it was, and the phone hears and is heard.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { byeComes, callWithPhone, nextPhone, phoneSdp, sipAddressOf, untilHeard } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { freePort } from '#test/support/ports.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { recvRequest, response, startSipp } from '#test/support/sipp.ts';
import { level, usualLevel } from '#test/support/tone.ts';

const pin = '8642';
const ownHz = 440;
const otherHz = 1_000;
const dbov = -20;
let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_800, lastPort: 44_999 },
    // A spare takes over at once.
    media: { maxLoadPercent: 100 },
  });
  await gateway.api('POST', '/api/rooms', { name: 'kept', sip: { pin, access: 'pin' } });
  const nodes = {
    top: { say: ['for_conference'], keys: { 1: { menu: 'number' } } },
    number: { say: ['enter_number'], collect: { find: 'number' } },
  };
  await gateway.api('POST', '/api/sip/dispatch-rules', { number: '800', menu: { start: 'top', nodes } });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway?.close());

const pidsOf = {
  SFU: async () => {
    const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
    return sfuWorkers.map(({ pid }) => pid);
  },
  media: async () => gateway.app.media.describeWorkers().map(({ pid }) => pid),
} as const;

/** Resolves once all are dead and others are there in their place. */
async function kill(which: keyof typeof pidsOf): Promise<void> {
  const dead = await pidsOf[which]();
  assert.ok(dead.length > 0);
  for (const pid of dead) process.kill(pid, 'SIGKILL');
  const others = async () => (await pidsOf[which]()).filter((pid) => !dead.includes(pid)).length;
  await expect.poll(others, { timeout: 20_000 }).toBeGreaterThan(0);
}

/** Somebody else in the room, by a call of its own. */
async function otherIn(room: string): Promise<SipCaller> {
  const [address = '', port] = sipAddressOf(gateway).split(':');
  const server = { address, port: Number(port) };
  const caller = await SipCaller.call({ server, room, codec: 'pcma', toneHz: otherHz, levelDbov: dbov });
  opened.push(caller);
  return caller;
}

/** At its level within 2 dB, as soon as that is so. */
async function heardAt(phone: PhonePeer, toneHz: number): Promise<void> {
  const off = async () => Math.abs(usualLevel(await phone.hear(400), toneHz, phone.sampleRateHz) - dbov);
  await expect.poll(off, { timeout: 30_000, interval: 0 }).toBeLessThan(2);
}

async function hearEachOther(one: PhonePeer, other: PhonePeer): Promise<void> {
  await heardAt(one, otherHz);
  await heardAt(other, ownHz);
  const own = usualLevel(await one.hear(600), ownHz, one.sampleRateHz);
  assert.ok(own < -50, `it hears itself at ${own} dBov`);
}

async function isSilent(phone: PhonePeer): Promise<void> {
  await expect.poll(async () => level(await phone.hear(500)), { timeout: 20_000, interval: 0 }).toBeLessThan(-60);
}

async function openRoom(name: string): Promise<Room> {
  await gateway.app.rooms.create({ name });
  return gateway.app.rooms.open(name);
}

async function hangUp(call: { readonly hangUp: () => Promise<void> } | undefined, run: { done: Promise<unknown> }) {
  await call?.hangUp();
  await run.done;
}

describe.each(['SFU', 'media'] as const)('the %s worker dies', (which) => {
  test('while we hold a phone: music again, then the room', async () => {
    const name = `held-${which}`;
    await openRoom(name);
    const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: ownHz, levelDbov: dbov });
    opened.push(phone);
    const { port } = phone;
    const hold = (direction: string, answer: string) => [
      recvRequest('INVITE', { expect: { body: `a=${direction}` } }),
      response('200 OK', { body: phoneSdp(port, answer), tag: false }),
      recvRequest('ACK'),
    ];
    const localPort = await freePort();
    const scenario = [
      recvRequest('INVITE', { rrs: true }),
      response('200 OK', { body: phoneSdp(port) }),
      recvRequest('ACK'),
      ...hold('sendonly', 'recvonly'),
      ...hold('sendrecv', 'sendrecv'),
      byeComes('hung_up'),
    ].join('\n');
    const run = startSipp({ localPort, timeoutSec: 90, scenario });
    const path = `/api/rooms/${name}/sipcalls`;
    const body = { to: `sip:a@127.0.0.1:${localPort}` };
    const call = await gateway.api<SipCallResource>('POST', `${path}?wait=20`, body, 30_000);
    assert.equal(call.state, 'connected', JSON.stringify(call.end));
    phone.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
    const other = await otherIn(name);
    await gateway.api('PATCH', `${path}/${call.id}`, { isHeld: true }, 30_000);
    await untilHeard({ phone, run }, 'hold_music', 'any');
    await kill(which);
    phone.forget();
    await untilHeard({ phone, run }, 'hold_music', 'any');
    await isSilent(other.phone);
    await gateway.api('PATCH', `${path}/${call.id}`, { isHeld: false }, 30_000);
    await hearEachOther(phone, other.phone);
    await gateway.api('DELETE', `${path}/${call.id}`, undefined, 30_000);
    await run.done;
  }, 120_000);

  test('while a phone holds us: silent for the room, then heard', async () => {
    const name = `holding-${which}`;
    const room = await openRoom(name);
    const [address = '', port] = sipAddressOf(gateway).split(':');
    const server = { address, port: Number(port) };
    const caller = await SipCaller.call({ server, room: name, codec: 'opus', toneHz: ownHz, levelDbov: dbov });
    opened.push(caller);
    const other = await otherIn(name);
    await hearEachOther(caller.phone, other.phone);
    await caller.reoffer('sendonly');
    await isSilent(other.phone);
    await kill(which);
    await isSilent(other.phone);
    const [held] = gateway.app.sip.callsOf(room.id);
    assert.deepEqual([held?.info.state, held?.info.isHeldByPeer], ['connected', true]);
    await caller.reoffer('sendrecv');
    await hearEachOther(caller.phone, other.phone);
  }, 120_000);

  test('while a phone is asked for the PIN: it may still type it', async () => {
    const room = await gateway.app.rooms.open('kept');
    const { phone, run, close } = await callWithPhone(gateway, 'kept', byeComes('hung_up'), { toneHz: ownHz });
    opened.push({ close });
    await untilHeard({ phone, run }, 'enter_pin');
    await kill(which);
    const joined = nextPhone(room);
    // What was asked before is asked again, since nothing was typed.
    phone.forget();
    await untilHeard({ phone, run }, 'enter_pin');
    phone.press(`${pin}#`);
    await joined;
    const other = await otherPastPin();
    await hearEachOther(phone, other);
    for (const call of gateway.app.sip.callsOf(room.id)) await call.hangUp();
    await run.done;
  }, 120_000);

  test('while a phone is in a menu: its keys lead on', async () => {
    const name = which === 'SFU' ? '4711' : '4712';
    const room = await openRoom(name);
    const { phone, run, close } = await callWithPhone(gateway, '800', byeComes('hung_up'), { toneHz: ownHz });
    opened.push({ close });
    const call = [...gateway.app.sip.live].at(-1);
    await untilHeard({ phone, run }, 'for_conference');
    await kill(which);
    // A key that is pressed while nobody has its port is heard by nobody.
    phone.forget();
    await phone.until(({ packets }) => packets.length > 10);
    phone.press('1');
    await untilHeard({ phone, run }, 'enter_number');
    const joined = nextPhone(room);
    phone.press(`${name}#`);
    await joined;
    const other = await otherIn(name);
    await hearEachOther(phone, other.phone);
    await hangUp(call, run);
  }, 120_000);
});

/** A phone that was let into the room with the PIN. */
async function otherPastPin(): Promise<PhonePeer> {
  const room = await gateway.app.rooms.open('kept');
  const phone = await PhonePeer.open({ codec: 'pcma', toneHz: otherHz, levelDbov: dbov });
  const leg = await gateway.app.phones.allocateLeg({ room, log: gateway.log });
  leg.negotiate(phone.parameters());
  phone.talkTo(leg.localPort);
  const participant = room.join({ kind: 'sip', user: 'plain', displayName: 'Plain', role: 'sip' });
  leg.enter(participant);
  opened.push(phone, leg, participant);
  if (participant.publications.size === 0) await once(room.events, 'publicationAdded');
  return phone;
}
