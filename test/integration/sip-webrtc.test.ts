// SIP clients that speak WebRTC: JsSIP in Chromium over WebSocket, against a whole gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { dropouts, level, usualLevel } from '#test/support/tone.ts';
import { WebPhone } from '#test/support/web-phone.ts';

let gateway: TestGateway;
let browser: Browser;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    https: { isEnabled: true, port: 0 },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_400, lastPort: 43_599 },
  });
  browser = await launchChromium();
  room = await gateway.app.rooms.open('demo');
}, 120_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const secure = () => `${(gateway.app.addresses.https ?? '').replace(/^http/, 'ws')}/sip`;

async function webPhone(): Promise<WebPhone> {
  const phone = await WebPhone.open(browser, secure());
  opened.push(phone);
  return phone;
}

/** A phone without SIP, in the room. */
async function plainPhone(toneHz: number): Promise<PhonePeer> {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz, levelDbov: -20 });
  const leg = await gateway.app.phones.allocateLeg({ room, log: gateway.log });
  leg.negotiate(phone.parameters());
  phone.talkTo(leg.localPort);
  const participant = room.join({ kind: 'sip', user: 'plain', displayName: 'Plain', role: 'sip' });
  leg.enter(participant);
  opened.push(phone, leg, participant);
  return phone;
}

interface Listener {
  readonly sampleRateHz: number;
  hear(ms: number): Promise<Int16Array>;
}

/** Within 2 dB, once it has settled: what a busy machine does to a page's clock passes, what is wrong stays. */
async function heardAt(listener: Listener, toneHz: number, dbov: number): Promise<void> {
  let heard = Number.NEGATIVE_INFINITY;
  for (let attempt = 0; attempt < 12 && Math.abs(heard - dbov) > 2; attempt++) {
    heard = usualLevel(await listener.hear(500), toneHz, listener.sampleRateHz);
  }
  assert.ok(Math.abs(heard - dbov) <= 2, `${toneHz} Hz is heard at ${heard} dBov`);
}

/** The least share of gaps in a few stretches, for the same reason. */
async function steadiness(listener: Listener, toneHz: number): Promise<number> {
  let least = 1;
  for (let attempt = 0; attempt < 6 && least > 0; attempt++) {
    least = Math.min(least, dropouts(await listener.hear(1_000), toneHz, listener.sampleRateHz));
  }
  return least;
}

const demo = 'sip:demo@127.0.0.1';
const call = () => gateway.app.sip.callsOf(room.id).at(-1);

test('a SIP client in a browser calls a room over WSS, is heard, hears the others and never itself', async () => {
  const plain = await plainPhone(440);
  const web = await webPhone();
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20 });
  await web.until('confirmed');
  await heardAt(web, 440, -20);
  const own = usualLevel(await web.hear(1_000), 1_000, 48_000);
  assert.ok(own < -60, `it hears itself at ${own} dBov`);
  assert.ok((await steadiness(web, 440)) <= 0.02, 'the tone has gaps');
  await heardAt(plain, 1_000, -20);
  assert.deepEqual([call()?.info.isEncrypted, call()?.info.codec], [true, 'opus']);
  const left = once(room.events, 'participantLeft');
  await web.do('hangUp');
  await left;
  assert.equal(call()?.info.end?.reason, 'hung_up');
}, 120_000);

test('keys by RFC 4733 and by INFO are heard once each, hold is silence both ways and back, ICE may begin anew', async () => {
  const plain = await plainPhone(440);
  const web = await webPhone();
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20 });
  await web.until('confirmed');
  const keys: string[] = [];
  const pressed = new Promise<void>((resolve) => {
    room.events.on('dtmfReceived', (_participant, digit) => {
      if (keys.push(digit) === 6) resolve();
    });
  });
  await web.do('press', { keys: '11#', transportType: 'RFC2833' });
  await web.do('press', { keys: '59*', transportType: 'INFO' });
  await pressed;
  assert.equal(keys.toSorted().join(''), [...'11#59*'].toSorted().join(''));

  await web.do('hold');
  assert.equal(call()?.info.isHeldByPeer, true);
  await plain.hear(600);
  assert.ok(level(await plain.hear(500)) < -60, 'a held phone is not heard');
  await web.do('unhold');
  await heardAt(plain, 1_000, -20);

  const before = await web.do<string>('iceUfrag');
  await web.do('restartIce');
  assert.notEqual(await web.do<string>('iceUfrag'), before);
  await heardAt(web, 440, -20);
  await heardAt(plain, 1_000, -20);
}, 120_000);

/** Resolves once all are dead and others run in their place. */
async function killSfuWorkers(): Promise<void> {
  const pids = async () => {
    const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
    return sfuWorkers.map(({ pid }) => pid);
  };
  const dead = await pids();
  for (const pid of dead) process.kill(pid, 'SIGKILL');
  await expect
    .poll(async () => (await pids()).filter((pid) => !dead.includes(pid)).length, { timeout: 40_000 })
    .toBe(dead.length);
}

test('SFU workers that die, twice, cost a phone a moment: it is asked over, is heard and hears again, and the call is the same', async () => {
  const plain = await plainPhone(440);
  const web = await webPhone();
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20, hasVideo: true });
  await web.until('confirmed');
  await heardAt(plain, 1_000, -20);
  const before = call();
  for (let death = 1; death <= 2; death++) {
    const iceUfrag = await web.do<string>('iceUfrag');
    await killSfuWorkers();
    await expect.poll(() => web.do<string>('iceUfrag'), { timeout: 60_000 }).not.toBe(iceUfrag);
    await heardAt(web, 440, -20);
    await heardAt(plain, 1_000, -20);
    const own = usualLevel(await web.hear(1_000), 1_000, 48_000);
    assert.ok(own < -60, `it hears itself at ${own} dBov`);
  }
  assert.equal(call(), before);
  assert.deepEqual([call()?.info.state, call()?.info.isEncrypted], ['connected', true]);

  const pressed = once(room.events, 'dtmfReceived');
  await web.do('press', { keys: '7', transportType: 'RFC2833' });
  assert.equal((await pressed)[1], '7');
  await web.do('hold');
  assert.equal(call()?.info.isHeldByPeer, true);
  await web.do('unhold');
  await heardAt(plain, 1_000, -20);
}, 120_000);

test('a phone that we hold, and one that holds us, are held as before when they have come over', async () => {
  const plain = await plainPhone(440);
  const web = await webPhone();
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20 });
  await web.until('confirmed');
  await heardAt(plain, 1_000, -20);
  const comesOver = async () => {
    const iceUfrag = await web.do<string>('iceUfrag');
    await killSfuWorkers();
    await expect.poll(() => web.do<string>('iceUfrag'), { timeout: 60_000 }).not.toBe(iceUfrag);
  };

  await call()?.setHeld(true);
  await comesOver();
  // Music.
  await expect.poll(async () => level(await web.hear(500)), { timeout: 40_000 }).toBeGreaterThan(-50);
  await plain.hear(600);
  assert.ok(level(await plain.hear(500)) < -60, 'a held phone is not heard');
  await call()?.setHeld(false);
  await heardAt(web, 440, -20);
  await heardAt(plain, 1_000, -20);

  await web.do('hold');
  await comesOver();
  assert.equal(call()?.info.isHeldByPeer, true);
  await plain.hear(600);
  assert.ok(level(await plain.hear(500)) < -60, 'a phone that holds us is not heard');
  await web.do('unhold');
  await heardAt(web, 440, -20);
  await heardAt(plain, 1_000, -20);
}, 120_000);

test('a phone that does not come over is hung up, and the record says why; the next call is heard', async () => {
  const web = await webPhone();
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20 });
  await web.until('confirmed');
  await web.do('refuseOffers', { status: 488 });
  const dead = call();
  await killSfuWorkers();
  const { originator } = await web.until('ended');
  assert.equal(originator, 'remote');
  await dead?.done;
  const { end } = dead?.info ?? {};
  assert.deepEqual([end?.by, end?.reason], ['us', 'media_lost']);
  assert.match(end?.message ?? '', /^The media of the call was lost, and the phone was asked over: .*488/);

  const plain = await plainPhone(440);
  const again = await webPhone();
  await again.do('call', { target: demo, toneHz: 1_000, dbov: -20 });
  await again.until('confirmed');
  await heardAt(again, 440, -20);
  await heardAt(plain, 1_000, -20);
}, 120_000);
