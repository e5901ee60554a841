// What is done against scanners, guessed passwords and floods: from loopback addresses of their own, few and in bounded time.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipBan } from '#api/contract.ts';
import { callWithPhone, hangUp, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { challengeOf, SipSource, statusOf } from '#test/support/sip-source.ts';
import { pause, sdpOf } from '#test/support/sipp.ts';

let gateway: TestGateway;
let port: number;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: {
      ...{ isEnabled: true, access: 'open', callers: 'anyone' },
      bans: { tolerance: 3, exemptNetworks: [] },
      limits: { callsPerSecondPerAddress: 1 },
    },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_000, lastPort: 44_199 },
  });
  port = Number(sipAddressOf(gateway).split(':')[1]);
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

/** One that speaks SIP over UDP from an address of its own; says it is alice. */
async function peerAt(address: string): Promise<SipSource> {
  const peer = await SipSource.open({ address, serverPort: port, from: 'alice' });
  opened.push(peer);
  return peer;
}

const bans = async () => (await gateway.api<{ items: SipBan[] }>('GET', '/api/sip/bans')).items;
const dropped = () => gateway.app.sip.serverStats?.droppedMessages ?? 0;

/** Until another message was thrown away unanswered. */
async function untilDropped(before: number): Promise<void> {
  for (let tries = 0; dropped() <= before; tries++) {
    assert.ok(tries < 400, 'it was not dropped');
    await new Promise((wake) => setTimeout(wake, 25));
  }
}

test('a scanner is answered once, then not at all, until the ban is taken back', async () => {
  const scanner = await peerAt('127.0.0.11');
  assert.equal(statusOf(await scanner.ask('OPTIONS', { headers: ['User-Agent: friendly-scanner'] })), 403);
  const [ban] = await bans();
  assert.deepEqual([ban?.address, ban?.source, ban?.reason], ['127.0.0.11', 'auto', 'Calls itself a scanner.']);
  const before = dropped();
  scanner.send('OPTIONS');
  await untilDropped(before);
  await gateway.api('DELETE', `/api/sip/bans/${ban?.id}`);
  assert.equal(statusOf(await scanner.ask('OPTIONS')), 200);
  const lines = gateway.log.lines.filter(({ message }) => message === 'sip offence');
  assert.deepEqual([lines[0]?.fields?.offender, lines[0]?.fields?.offence], ['127.0.0.11', 'scanner']);
});

test('who guesses passwords is banned after so many, and nobody else is', async () => {
  const guesser = await peerAt('127.0.0.12');
  const guess = async (password: string) => {
    const challenge = challengeOf(await guesser.ask('REGISTER'));
    assert.ok(challenge);
    return `Authorization: ${guesser.proof('REGISTER', challenge, { username: 'alice', password })}`;
  };
  for (const password of ['1', '2', '3', '4']) {
    assert.equal(statusOf(await guesser.ask('REGISTER', { headers: [await guess(password)] })), 403);
  }
  assert.deepEqual(
    (await bans()).map(({ address, reason }) => [address, reason]),
    [['127.0.0.12', 'Too many wrong passwords.']],
  );
  const before = dropped();
  guesser.send('REGISTER');
  await untilDropped(before);
  assert.equal(statusOf(await (await peerAt('127.0.0.13')).ask('OPTIONS')), 200);
});

test('fifty addresses that guess on while they may not are banned, and the owner of the account registers meanwhile', async () => {
  const credentials = { username: 'carol', password: 'pa55w0rd-9' };
  await gateway.api('POST', '/api/sip/accounts', credentials);
  const sourceAt = async (address: string) => {
    const source = await SipSource.open({ address, serverPort: port, service: 'carol', from: 'carol' });
    opened.push(source);
    return source;
  };
  const owner = await sourceAt('127.0.3.1');
  const register = async () => {
    const challenge = challengeOf(await owner.ask('REGISTER'));
    assert.ok(challenge);
    return owner.ask('REGISTER', { headers: [`Authorization: ${owner.proof('REGISTER', challenge, credentials)}`] });
  };
  assert.equal(statusOf(await register()), 200);
  const guessers = await Promise.all(Array.from({ length: 50 }, (_, i) => sourceAt(`127.0.4.${i + 1}`)));
  const challenge = challengeOf((await guessers[0]?.ask('REGISTER')) ?? '');
  assert.ok(challenge);
  const free = new Set(guessers.map(({ socket }) => socket.address().address));
  const allBanned = Promise.withResolvers<void>();
  const onBanned = ({ address }: { address: string }) => {
    free.delete(address);
    if (free.size === 0) allBanned.resolve();
  };
  gateway.app.sip.bans.events.on('banned', onBanned);
  for (let guess = 0; guess < 12; guess++) {
    for (const guesser of guessers) {
      const proof = guesser.proof(
        'REGISTER',
        challenge,
        { ...credentials, password: `${guess}` },
        { nonceCount: guess + 1 },
      );
      guesser.send('REGISTER', { headers: [`Authorization: ${proof}`] });
    }
    await owner.ask('OPTIONS');
  }
  const tooLate = setTimeout(allBanned.resolve, 20_000);
  await allBanned.promise;
  clearTimeout(tooLate);
  gateway.app.sip.bans.events.off('banned', onBanned);
  assert.deepEqual([...free], []);
  assert.equal(statusOf(await register()), 200);
}, 60_000);

test('a wrong PIN that is dialled along is held against the address as one that is typed', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'vault', sip: { access: 'pin', pin: '880077' } });
  const guesser = await peerAt('127.0.0.15');
  guesser.leave(await guesser.ask('INVITE', { service: 'vault*123456', body: sdpOf().replaceAll(/\[\w+\]/g, '4') }));
  const offences = gateway.log.lines.flatMap(({ fields }) =>
    fields?.offender === '127.0.0.15' ? [fields.offence] : [],
  );
  assert.deepEqual(offences, ['wrong_pin']);
});

test('a range that is banned by hand is not answered, others are', async () => {
  const ban = await gateway.api<SipBan>('POST', '/api/sip/bans', { address: '127.0.1.0/24', reason: 'Test.' });
  const [inside, outside] = [await peerAt('127.0.1.7'), await peerAt('127.0.2.7')];
  const before = dropped();
  inside.send('OPTIONS');
  await untilDropped(before);
  assert.equal(statusOf(await outside.ask('OPTIONS')), 200);
  await gateway.api('DELETE', `/api/sip/bans/${ban.id}`);
});

test('a flood of calls is told to come back later, and a call that is on loses nothing of its sound', async () => {
  const { phone, run } = await callWithPhone(gateway, 'demo', [pause(6_000), hangUp].join('\n'), { toneHz: 440 });
  opened.push(phone);
  await phone.until(({ packets }) => packets.length > 20);
  const from = phone.packets.length;
  const flooder = await peerAt('127.0.0.14');
  const answers: string[] = [];
  const words = { headers: ['Expires: 1'], body: sdpOf().replaceAll(/\[\w+\]/g, '9') };
  for (let i = 0; i < 30; i++) answers.push(await flooder.ask('INVITE', words));
  const shed = answers.filter((answer) => statusOf(answer) === 503);
  assert.ok(shed.length >= 15, `${shed.length} of 30`);
  assert.ok(shed.every((answer) => /^Retry-After: \d+/im.test(answer) && /too many new calls/.test(answer)));
  await phone.until(({ packets }) => packets.length > from + 100);
  const heard = phone.packets.slice(from).map(({ seq }) => seq);
  const expected = ((heard.at(-1) ?? 0) - (heard[0] ?? 0) + 65_536) % 65_536;
  assert.ok(heard.length - 1 >= expected * 0.999, `${heard.length} of ${expected + 1} packets`);
  await run.done;
}, 60_000);

test('REGISTERs without a password and OPTIONS past what an address may are told to come back, and who answers us is heard', async () => {
  const credentials = { username: 'dave', password: 'pa55w0rd-8' };
  await gateway.api('POST', '/api/sip/accounts', credentials);
  const phone = await SipSource.open({ address: '127.0.0.16', serverPort: port, service: 'dave', from: 'dave' });
  opened.push(phone);
  const challenge = challengeOf(await phone.ask('REGISTER'));
  assert.ok(challenge);
  for (const method of ['REGISTER', 'OPTIONS']) {
    const answers: string[] = [];
    for (let i = 0; i < 14; i++) answers.push(await phone.ask(method));
    const refused = answers.filter((answer) => statusOf(answer) === 503);
    assert.ok(refused.length >= 2, `${refused.length} of ${method}`);
    assert.ok(refused.every((answer) => /^Retry-After: \d+/im.test(answer) && /too many requests/.test(answer)));
  }
  const proof = `Authorization: ${phone.proof('REGISTER', challenge, credentials)}`;
  assert.equal(statusOf(await phone.ask('REGISTER', { headers: [proof] })), 200);
}, 20_000);
