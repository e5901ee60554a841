// Phones that register here: baresip, which keeps its connection, and SIPp for what it cannot be brought to say.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipAccount, SipAccountInput, SipCallResource } from '#api/contract.ts';
import { Baresip } from '#test/support/baresip.ts';
import { nextPhone, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { recv, recvRequest, request, response, sdpOf, sipp, startSipp } from '#test/support/sipp.ts';

let gateway: TestGateway;
let target: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    // Nobody but accounts gets in; SIPp and baresip 1.0 know MD5 alone.
    sip: { isEnabled: true, access: 'open', callers: 'known', digestAlgorithms: ['MD5'] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_800, lastPort: 43_999 },
  });
  target = sipAddressOf(gateway);
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function accountOf(input: Partial<SipAccountInput> & { username: string }): Promise<SipAccount> {
  const account = await gateway.api<SipAccount>('POST', '/api/sip/accounts', { password: 'pa55w0rd-9', ...input });
  opened.push({ close: () => gateway.api('DELETE', `/api/sip/accounts/${account.id}`) });
  return account;
}

const read = (name: string) => gateway.api<SipAccount>('GET', `/api/sip/accounts/${name}`);

const register = (cseq: number, { contact = 'sip:sipp@[local_ip]:[local_port]', more = [] as string[] } = {}) =>
  request({ method: 'REGISTER', uri: 'sip:[remote_ip]:[remote_port]', cseq, headers: more, retransMs: 500 })
    .replace(
      /Contact: [^\n]*/,
      contact === '' ? 'Subject: none' : `Contact: ${/^[*<]/.test(contact) ? contact : `<${contact}>`}`,
    )
    .replace(/From: [^\n]*/, 'From: <sip:[service]@[remote_ip]>;tag=[pid]SIPpTag00[call_number]')
    .replace(/To: [^\n]*/, 'To: <sip:[service]@[remote_ip]>');
const challenge = '<recv response="401" auth="true"></recv>';
const proof = (name = '[service]', password = 'pa55w0rd-9') => `[authentication username=${name} password=${password}]`;
const registering = (rest: string, options: Parameters<typeof register>[1] = {}, more = ['Expires: 300']) =>
  [register(1, { ...options, more }), challenge, register(2, { ...options, more: [...more, proof()] }), rest].join(
    '\n',
  );
const byPhone = (service: string, words: string, localPort?: number) => {
  // SIPp does not put in [service] there.
  const scenario = words.replaceAll('username=[service]', `username=${service}`);
  return sipp({ target, service, scenario, timeoutSec: 20, ...(localPort !== undefined && { localPort }) });
};

test('baresip registers over TCP, is shown, is called by its name the way it came, and calls as who it is', async () => {
  const account = await accountOf({ username: 'bare', displayName: 'Bare Phone' });
  assert.deepEqual([account.isOnline, JSON.stringify(account).includes('pa55w0rd-9')], [false, false]);
  const online = once(gateway.app.sip.registrar.book.events, 'online', { signal: AbortSignal.timeout(20_000) });
  const phone = await Baresip.start({
    toneHz: 440,
    account: { address: `bare@${target};transport=tcp`, password: 'pa55w0rd-9' },
  });
  opened.push(phone);
  await online;
  const { contacts } = await read('bare');
  assert.match(contacts[0]?.source ?? '', /^tcp\/127\.0\.0\.1:/);
  assert.match(contacts[0]?.userAgent ?? '', /baresip/);
  const called = await gateway.api<SipCallResource>('POST', '/api/rooms/demo/sipcalls?wait=20', { to: 'bare' }, 30_000);
  assert.deepEqual([called.state, called.account, called.displayName], ['connected', 'bare', 'Bare Phone']);
  const ladder = gateway.app.sip.messagesOf({ sipCallId: called.sipCallId ?? '' } as never)?.messages ?? [];
  assert.deepEqual([ladder[0]?.protocol, ladder[0]?.remote], ['tcp', contacts[0]?.source.replace('tcp/', '')]);
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${called.id}`);

  const joined = nextPhone(await gateway.app.rooms.open('demo'));
  phone.command('dial', `sip:demo@${target};transport=tcp`);
  const { displayName, user, attributes } = await joined;
  assert.deepEqual([displayName, user, attributes['sip.account']], ['Bare Phone', 'bare', 'bare']);
}, 90_000);

test('two phones of an account ring together; the one that answers has the call', async () => {
  await accountOf({ username: 'desk' });
  const [busy, good] = [await freePort(), await freePort()];
  for (const port of [busy, good]) {
    await byPhone('desk', registering(recv(200, { expect: { Contact: String(port) } })), port);
  }
  assert.equal((await read('desk')).contacts.length, 2);
  const declines = startSipp({
    scenario: [recvRequest('INVITE'), response('486 Busy Here'), recvRequest('ACK')].join('\n'),
    ...{ localPort: busy, timeoutSec: 60 },
  });
  const answers = startSipp({
    scenario: [
      ...[recvRequest('INVITE'), response('180 Ringing'), response('200 OK', { body: sdpOf(), retransMs: 500 })],
      ...[recvRequest('ACK', { rrs: true }), recvRequest('BYE'), response('200 OK', { tag: false })],
    ].join('\n'),
    ...{ localPort: good, timeoutSec: 60 },
  });
  await Promise.all([whenReceiving(busy), whenReceiving(good)]);
  const call = await gateway.api<SipCallResource>('POST', '/api/rooms/demo/sipcalls?wait=20', { to: 'desk' }, 30_000);
  assert.equal(call.state, 'connected', JSON.stringify(call.end));
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${call.id}`);
  await Promise.all([declines.done, answers.done]);
}, 90_000);

test('times that are too short are told, long ones cut, phones counted, and all of them taken out by *', async () => {
  await accountOf({ username: 'rules', maxContacts: 1 });
  await byPhone('rules', registering(recv(423, { expect: { 'Min-Expires': '60' } }), {}, ['Expires: 5']));
  await byPhone(
    'rules',
    registering(recv(200, { expect: { Contact: 'expires=(3600|3599)' } }), {}, ['Expires: 90000']),
    6_161,
  );
  const full = recv(403, { expect: { Warning: 'has 1 phones, the most' } });
  await byPhone('rules', registering(full, { contact: 'sip:other@127.0.0.9:5099' }));
  await byPhone('rules', registering(recv(400), { contact: '*' }, ['Expires: 300']));
  assert.equal((await read('rules')).isOnline, true);
  await byPhone('rules', registering(recv(200), { contact: '*' }, ['Expires: 0']));
  assert.deepEqual([(await read('rules')).isOnline, (await read('rules')).contacts], [false, []]);
  await assert.rejects(
    gateway.api('POST', '/api/rooms/demo/sipcalls', { to: 'rules' }),
    /422.*No phone of the account/s,
  );
}, 90_000);

test('a phone that has another address after a restart is the same phone, and is told its instance', async () => {
  await accountOf({ username: 'again', maxContacts: 1 });
  for (const port of [5_098, 5_099]) {
    const contact = `<sip:again@127.0.0.9:${port}>;+sip.instance="<urn:uuid:0-0-9>"`;
    const told = recv(200, { expect: { Contact: `:${port}>;expires=[0-9]+;.sip.instance="<urn:uuid:0-0-9>"` } });
    await byPhone('again', registering(told, { contact }));
  }
  assert.deepEqual(
    (await read('again')).contacts.map(({ uri }) => uri),
    ['sip:again@127.0.0.9:5099'],
  );
}, 60_000);

test('a phone behind two proxies is called by way of both, as its Path says', async () => {
  await accountOf({ username: 'far' });
  const edge = await freePort();
  const path = `<sip:127.0.0.1:${edge};lr>, <sip:core@proxy.example;lr>`;
  const registered = recv(200, { expect: { Path: 'proxy.example' } });
  const away = { contact: 'sip:far@192.0.2.77:5060' };
  await byPhone('far', registering(registered, away, ['Expires: 300', 'Supported: path', `Path: ${path}`]));
  const called = startSipp({
    scenario: [
      recvRequest('INVITE', { expect: { body: 'INVITE sip:far@192.0.2.77:5060.*Route: <sip:core@proxy.example;lr>' } }),
      ...[response('200 OK', { body: sdpOf(), retransMs: 500 }), recvRequest('ACK', { rrs: true })],
      ...[recvRequest('BYE'), response('200 OK', { tag: false })],
    ].join('\n'),
    ...{ localPort: edge, timeoutSec: 30 },
  });
  await whenReceiving(edge);
  const call = await gateway.api<SipCallResource>('POST', '/api/rooms/demo/sipcalls?wait=20', { to: 'far' }, 30_000);
  assert.equal(call.state, 'connected', JSON.stringify(call.end));
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${call.id}`);
  await called.done;
}, 60_000);

test('nobody registers for another, with a wrong password, or calls under a name that is not theirs', async () => {
  await accountOf({ username: 'anna' });
  await accountOf({ username: 'otto' });
  const asOtto = [register(1), challenge, register(2, { more: [proof('otto')] })];
  await byPhone('anna', [...asOtto, recv(403, { expect: { Warning: 'its own address alone' } })].join('\n'));
  const wrong = [register(1), challenge, register(2, { more: [proof('[service]', 'guess')] }), recv(403)];
  await byPhone('anna', wrong.join('\n'));
  await byPhone('nobody', wrong.join('\n'));
  assert.equal((await read('anna')).isOnline, false);
  const stranger = [
    request({ method: 'INVITE', body: sdpOf(), retransMs: 500 }),
    recv(100, { optional: true }),
    recv(401),
  ];
  await byPhone('demo', [...stranger, request({ method: 'ACK', isInDialog: true, branch: '[branch-3]' })].join('\n'));
}, 90_000);

test('a phone that registered before a restart is called after it, and is shown as online', async () => {
  const data = await mkdtemp(join(tmpdir(), 'switchyard-restart-'));
  const start = () =>
    startGateway({
      data,
      sip: { isEnabled: true, access: 'open', digestAlgorithms: ['MD5'] },
      rtp: { listenAddress: '127.0.0.1', firstPort: 43_700, lastPort: 43_799 },
    });
  const before = await start();
  await before.api('POST', '/api/sip/accounts', { username: 'kept', password: 'pa55w0rd-9' });
  await before.api('POST', '/api/rooms', { name: 'again' });
  const localPort = await freePort();
  const words = registering(recv(200)).replaceAll('username=[service]', 'username=kept');
  await sipp({ target: sipAddressOf(before), service: 'kept', scenario: words, timeoutSec: 20, localPort });
  await before.close();
  const after = await start();
  opened.push({ close: () => rm(data, { recursive: true, force: true }) }, after);
  assert.equal((await after.api<SipAccount>('GET', '/api/sip/accounts/kept')).isOnline, true);
  const scenario = [
    ...[recvRequest('INVITE', { rrs: true }), response('200 OK', { body: sdpOf() }), recvRequest('ACK')],
    ...[recvRequest('BYE'), response('200 OK', { tag: false })],
  ];
  const phone = startSipp({ localPort, scenario: scenario.join('\n'), timeoutSec: 40 });
  await whenReceiving(localPort);
  const path = '/api/rooms/again/sipcalls';
  const call = await after.api<SipCallResource>('POST', `${path}?wait=20`, { to: 'kept' }, 30_000);
  assert.equal(call.state, 'connected', JSON.stringify(call.end));
  await after.api('DELETE', `${path}/${call.id}`);
  await phone.done;
}, 90_000);
