// What is done against scanners, guessed passwords and floods: from loopback addresses of their own, few and in bounded time.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipBan } from '#api/contract.ts';
import { authorize, chooseChallenge } from '#gateways/sip/digest.ts';
import { callWithPhone, hangUp, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { pause, sdpOf } from '#test/support/sipp.ts';

let gateway: TestGateway;
let port: number;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: {
      ...{ isEnabled: true, access: 'open', callers: 'anyone' },
      bans: { tolerance: 3, exemptNetworks: [] },
      limits: { callsPerSecondPerAddress: 0.05 },
    },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_000, lastPort: 44_199 },
  });
  port = Number(sipAddressOf(gateway).split(':')[1]);
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

interface Peer {
  /** @returns the final answer */
  ask(method: string, headers?: readonly string[], body?: string): Promise<string>;
  send(method: string, headers?: readonly string[], body?: string): void;
}

/** One that speaks SIP over UDP from an address of its own. */
async function peerAt(address: string): Promise<Peer> {
  const socket: Socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  opened.push(socket);
  const send = (method: string, headers: readonly string[] = [], body = '') => {
    const own = `${address}:${socket.address().port}`;
    const lines = [
      `${method} sip:demo@127.0.0.1:${port} SIP/2.0`,
      `Via: SIP/2.0/UDP ${own};branch=z9hG4bK${randomBytes(6).toString('hex')}`,
      ...['Max-Forwards: 70', `From: <sip:eve@${address}>;tag=${randomBytes(4).toString('hex')}`],
      ...[`To: <sip:alice@127.0.0.1:${port}>`, `Call-ID: ${randomBytes(8).toString('hex')}`, `CSeq: 1 ${method}`],
      ...[`Contact: <sip:eve@${own}>`, ...headers, ...(body === '' ? [] : ['Content-Type: application/sdp'])],
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.send(`${lines.join('\r\n')}\r\n\r\n${body}`, port, '127.0.0.1');
  };
  const ask: Peer['ask'] = async (...words) => {
    send(...words);
    for (;;) {
      const [data] = (await once(socket, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
      if (/^SIP\/2\.0 [2-6]/.test(data.toString())) return data.toString();
    }
  };
  return { ask, send };
}

const bans = async () => (await gateway.api<{ items: SipBan[] }>('GET', '/api/sip/bans')).items;
const statusOf = (answer: string) => Number(answer.slice(8, 11));
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
  assert.equal(statusOf(await scanner.ask('OPTIONS', ['User-Agent: friendly-scanner'])), 403);
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
    const challenge = chooseChallenge(/^WWW-Authenticate: (.*)$/im.exec(await guesser.ask('REGISTER'))?.[1] ?? '');
    assert.ok(challenge);
    const uri = `sip:demo@127.0.0.1:${port}`;
    const proof = authorize(
      challenge,
      { username: 'alice', password },
      { method: 'REGISTER', uri, body: '', nonceCount: 1 },
    );
    return `Authorization: ${proof}`;
  };
  for (const password of ['1', '2', '3', '4']) {
    assert.equal(statusOf(await guesser.ask('REGISTER', [await guess(password)])), 403);
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
  for (let i = 0; i < 30; i++)
    answers.push(await flooder.ask('INVITE', ['Expires: 1'], sdpOf().replaceAll(/\[\w+\]/g, '9')));
  const shed = answers.filter((answer) => statusOf(answer) === 503);
  assert.ok(shed.length >= 15, `${shed.length} of 30`);
  assert.ok(shed.every((answer) => /^Retry-After: \d+/im.test(answer) && /too many new calls/.test(answer)));
  await phone.until(({ packets }) => packets.length > from + 100);
  const heard = phone.packets.slice(from).map(({ seq }) => seq);
  const expected = ((heard.at(-1) ?? 0) - (heard[0] ?? 0) + 65_536) % 65_536;
  assert.ok(heard.length - 1 >= expected * 0.999, `${heard.length} of ${expected + 1} packets`);
  await run.done;
}, 60_000);
