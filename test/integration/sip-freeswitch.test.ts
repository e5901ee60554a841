// Phones whose media FreeSWITCH has: drachtio-fsmrf runs against an event socket, a SIP profile and channels of the test's own.
import { once } from 'node:events';
import { Session } from 'node:inspector';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SipCallResource, SipTrunk } from '#api/contract.ts';
import { configSchema } from '#config/schema.ts';
import type { FreeSwitchStatus } from '#core/free-switch-status.ts';
import { probeEventSocket } from '#gateways/sip/freeswitch/esl-probe.ts';
import { byeComes, callWithPhone, sipAddressOf } from '#test/support/calling-phone.ts';
import { FreeSwitchPeer } from '#test/support/free-switch-peer.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { LinearPhone } from '#test/support/linear-phone.ts';
import { freePort } from '#test/support/ports.ts';
import { type LinkApp, startLink } from '#test/support/sip-link-app.ts';
import { toneLevel } from '#test/support/tone.ts';

let freeSwitch: FreeSwitchPeer;
let gateway: TestGateway;
let link: LinkApp;
let uri: string;
let eslPort: number;
const opened: { close(): unknown }[] = [];
const wait = { timeout: 20_000, interval: 50 };

beforeAll(async () => {
  freeSwitch = await FreeSwitchPeer.start();
  eslPort = await freePort();
  const { eslPort: port, password } = freeSwitch;
  gateway = await startGateway({
    sip: {
      ...{ isEnabled: true, access: 'open', media: 'freeswitch' },
      freeswitch: { host: '127.0.0.1', port, password, listenPort: eslPort, codecs: ['pcmu'] },
    },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_700, lastPort: 42_799 },
  });
  await gateway.app.rooms.create({ name: 'desk', sip: { hasPrompts: false } });
  link = await startLink('embedded');
  uri = `sip:desk@${sipAddressOf(gateway)}`;
  await untilUp();
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await gateway.close();
  await link.close();
  await freeSwitch.close();
});

const untilUp = async () => {
  const { freeSwitch: connection } = gateway.app.sip;
  if (connection && connection.problem !== undefined) await once(connection.events, 'up');
};
const nextDown = async () => {
  const { freeSwitch: connection } = gateway.app.sip;
  if (!connection) throw new Error('no FreeSWITCH');
  const [status] = (await once(connection.events, 'down')) as [FreeSwitchStatus];
  return status;
};
const calls = async () => {
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/rooms/desk/sipcalls');
  return items.filter(({ state }) => state !== 'ended');
};
const onlyCall = async () => (await calls()).find(({ codec }) => codec === 'l16') as SipCallResource;
const phoneOf = async (toneHz: number) => {
  const phone = await LinearPhone.open(toneHz);
  opened.push(phone);
  return phone;
};

test('a codec that the gateway has not is heard in the room and hears it, with keys, mute and hold', async () => {
  const phone = await phoneOf(700);
  const dialog = await phone.call(link, uri);
  const other = await callWithPhone(gateway, 'desk', byeComes('hung_up'), { toneHz: 440 });
  opened.push(other);
  await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);
  expect(toneLevel(await other.phone.hear(400), 700, 8_000)).toBeGreaterThan(-35);
  const { id } = await onlyCall();
  const path = `/api/rooms/desk/sipcalls/${id}`;
  expect(await onlyCall()).toMatchObject({ codec: 'l16', mediaServer: 'freeswitch', state: 'connected' });

  phone.press('42');
  await expect.poll(async () => (await onlyCall()).digits, wait).toBe('42');
  await gateway.api('PATCH', path, { dtmf: '7' });
  await expect.poll(() => phone.digits.join(''), wait).toBe('7');

  await gateway.api('PATCH', path, { isMuted: true });
  await expect.poll(async () => toneLevel(await other.phone.hear(400), 700, 8_000), wait).toBeLessThan(-60);
  await gateway.api('PATCH', path, { isMuted: false });
  await expect.poll(async () => toneLevel(await other.phone.hear(400), 700, 8_000), wait).toBeGreaterThan(-35);

  const offers: string[] = [];
  dialog.events.on('offered', (question) => {
    offers.push(question.body);
    question.respond(200, { body: phone.sdp(question.body.includes('a=sendonly') ? 'recvonly' : 'sendrecv') });
  });
  await gateway.api('PATCH', path, { isHeld: true });
  expect(offers.at(-1)).toContain('a=sendonly');
  await expect.poll(() => phone.level(440), wait).toBeLessThan(-45);
  await gateway.api('PATCH', path, { isHeld: false });
  await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);

  const held = await dialog.reinvite(phone.sdp('sendonly'));
  expect([held.status, /^a=(\w+only)/m.exec(held.body)?.[1]]).toEqual([200, 'recvonly']);
  await expect.poll(async () => (await onlyCall()).isHeldByPeer, wait).toBe(true);
  const refused = await dialog.reinvite(phone.sdp('sendrecv', '99'));
  expect(refused.status).toBe(488);
  expect((await dialog.reinvite(phone.sdp())).status).toBe(200);
  await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);

  await gateway.api('DELETE', path);
  for (const { id: rest } of await calls()) await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${rest}`);
  await expect.poll(() => freeSwitch.channels.size, wait).toBe(0);
}, 90_000);

test('a trunk says whose the media of its calls is', async () => {
  const trunk = { name: 'pbx', inbound: { addresses: ['127.0.0.1'] }, media: { server: 'native' } };
  const { id, media } = await gateway.api<SipTrunk>('POST', '/api/sip/trunks', trunk);
  expect(media.server).toBe('native');
  const phone = await phoneOf(700);
  await expect(phone.call(link, uri)).rejects.toThrow(/^488 .*we take opus/);
  await gateway.api('DELETE', `/api/sip/trunks/${id}`);
});

test('an offer without a codec of FreeSWITCH is refused 488, and one that is encrypted goes past it', async () => {
  const phone = await phoneOf(700);
  await expect(phone.call(link, uri, phone.sdp('sendrecv', '99'))).rejects.toThrow(/^488 .*FreeSWITCH/);
  const key = Buffer.alloc(30, 7).toString('base64');
  const secure = phone
    .sdp('sendrecv', '0')
    .replace('RTP/AVP', 'RTP/SAVP')
    .replace('a=sendrecv', `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}`);
  const dialog = await phone.call(link, uri, secure);
  expect(await calls()).toMatchObject([{ mediaServer: 'native', isEncrypted: true }]);
  await dialog.bye();
  await expect.poll(calls, wait).toEqual([]);
});

test('a phone that the room calls is offered what FreeSWITCH speaks', async () => {
  const phone = await phoneOf(700);
  const ringing = link.call();
  const dialled = gateway.api<SipCallResource>('POST', '/api/rooms/desk/sipcalls', { to: `sip:bob@${link.target}` });
  const call = await ringing;
  expect(call.body).toContain('L16/8000');
  phone.follow(call.body);
  const dialog = await call.answer(phone.sdp(), () => undefined);
  await dialled;
  const other = await callWithPhone(gateway, 'desk', byeComes('hung_up'), { toneHz: 440 });
  opened.push(other);
  await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);
  expect(await onlyCall()).toMatchObject({ direction: 'outbound', codec: 'l16' });
  await dialog.bye();
  for (const { id } of await calls()) await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${id}`);
  await expect.poll(() => freeSwitch.channels.size, wait).toBe(0);
}, 60_000);

test('what keeps FreeSWITCH from being used is told in words', async () => {
  const { eslPort: port, password } = freeSwitch;
  const { freeswitch: settings } = configSchema.parse({
    sip: { freeswitch: { host: '127.0.0.1', port, password } },
  }).sip;
  if (!settings) throw new Error('no settings');
  await probeEventSocket(settings);
  await expect(probeEventSocket({ ...settings, password: 'wrong' })).rejects.toThrow('refuses the password');
  await expect(probeEventSocket({ ...settings, profile: 'other' })).rejects.toThrow('no SIP profile "other"');
  await expect(probeEventSocket({ ...settings, port: await freePort() })).rejects.toThrow('ECONNREFUSED');
});

test('nobody but FreeSWITCH gets to the port that it connects to', async () => {
  const socket = connect({ host: '127.0.0.1', port: eslPort, localAddress: '127.0.0.2' });
  const heard: Buffer[] = [];
  socket.on('data', (data) => heard.push(data));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  expect(heard).toEqual([]);
});

test('a lost connection ends its calls with a reason, is told, refuses with 503 and comes back', async () => {
  const phone = await phoneOf(700);
  const dialog = await phone.call(link, uri);
  const ended = once(dialog.events, 'ended');
  const { id } = await onlyCall();
  const outbound = { hosts: ['127.0.0.1:9'], keepAliveSec: 0 };
  const trunk = { name: 'out', outbound, media: { server: 'freeswitch' } };
  const { id: trunkId, status } = await gateway.api<SipTrunk>('POST', '/api/sip/trunks', trunk);
  expect(status.state).toBe('unknown');
  const down = nextDown();
  await freeSwitch.vanish();
  await Promise.all([ended, down]);
  const { end } = await gateway.api<SipCallResource>('GET', `/api/sip/calls/${id}`);
  expect(end).toMatchObject({ by: 'us', code: 'media_lost', blame: 'server' });
  await expect(phone.call(link, uri)).rejects.toThrow(/^503 retry-after=5 .*FreeSWITCH/);
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status, wait).toBe(503);
  const { items } = await gateway.api<{ items: unknown[] }>('GET', '/api/events?type=freeswitch.down');
  expect(items.at(-1)).toMatchObject({ data: { reason: expect.stringContaining('closed the connection') } });

  const { status: now } = await gateway.api<SipTrunk>('GET', `/api/sip/trunks/${trunkId}`);
  expect(now).toMatchObject({ state: 'down', lastError: expect.stringContaining('FreeSWITCH') });
  const dialled = gateway.api('POST', '/api/rooms/desk/sipcalls', { to: '555', trunk: 'out' });
  await expect(dialled).rejects.toThrow(/503 .*media_lost/);

  await freeSwitch.open();
  await untilUp();
  const again = await phone.call(link, uri);
  expect(await onlyCall()).toMatchObject({ codec: 'l16' });
  await again.bye();
  await expect.poll(calls, wait).toEqual([]);
}, 90_000);

test('what drachtio-fsmrf cannot bear costs its connection and nothing else', async () => {
  await untilUp();
  const down = nextDown();
  freeSwitch.sayNonsense();
  expect((await down).lastError).toContain('drachtio-fsmrf failed: URI malformed');
  await untilUp();
  expect(gateway.app.sip.freeSwitch?.status).toMatchObject({ state: 'up', version: expect.stringContaining('1.10') });
}, 60_000);

/** The thread itself, in a callback that does not return. */
async function hangThread(): Promise<void> {
  const session = new Session();
  session.connect();
  const attached = new Promise<string>((resolve) => {
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      if (params.workerInfo.url.endsWith('freeswitch/thread.ts')) resolve(params.sessionId);
    });
  });
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const sessionId = await attached;
  const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;);' } });
  session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
  opened.push({ close: () => session.disconnect() });
}

test('a thread that hangs is ended, its calls with it, and another one takes its place', async () => {
  await untilUp();
  const phone = await phoneOf(700);
  const dialog = await phone.call(link, uri);
  const ended = once(dialog.events, 'ended');
  const down = nextDown();
  await hangThread();
  expect((await down).lastError).toContain('was stuck for');
  await ended;
  await untilUp();
  await expect.poll(calls, wait).toEqual([]);
}, 90_000);

// The last one: there is no gateway any more.
test('a gateway that is shut down does not say that FreeSWITCH is down', async () => {
  await untilUp();
  const told: string[] = [];
  gateway.app.sip.freeSwitch?.events.on('down', ({ lastError }) => told.push(lastError ?? ''));
  await gateway.close();
  expect(gateway.app.sip.freeSwitch?.isClosed ?? true).toBe(true);
  expect(told).toEqual([]);
}, 60_000);
