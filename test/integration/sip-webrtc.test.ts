// SIP clients that speak WebRTC: JsSIP in Chromium over WebSocket, against a whole gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
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
}, 60_000);

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
  await web.do('call', { target: demo, toneHz: 1_000, dbov: -20, hasVideo: true });
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
}, 60_000);

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
}, 60_000);
