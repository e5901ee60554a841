import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, test } from 'vitest';
import { type AppUnderTest, installBehaviours, sdp, startApp } from '#test/support/sipp-app.ts';

/** A SIP peer that says exactly what it is told, when it is told. */
class UdpPeer {
  readonly port: number;
  readonly #socket: Socket;
  readonly #arrived: string[] = [];
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on('message', (bytes) => {
      this.#arrived.push(bytes.toString());
      this.#wake();
    });
  }

  static async create(): Promise<UdpPeer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new UdpPeer(socket);
  }

  /** The next message whose start fits; others before it are passed over. */
  async next(start: RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(5000);
    for (;;) {
      const index = this.#arrived.findIndex((text) => start.test(text));
      if (index >= 0) return this.#arrived.splice(0, index + 1).at(-1) ?? '';
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        deadline.onabort = () =>
          reject(new Error(`${start} did not come, only ${this.#arrived.map((text) => text.split('\r\n')[0])}`));
      });
    }
  }

  send(text: string, sip: string): void {
    const [host = '', port = ''] = sip.split(':');
    this.#socket.send(text, Number(port), host);
  }

  answer(request: string, status: string, sip: string, { tag = '', body = '' } = {}): void {
    const kept = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) =>
      new RegExp(`^${name}: .*$`, 'm').exec(request)?.[0].trim(),
    );
    const to = /^To: .*$/m.exec(request)?.[0].trim() ?? '';
    const lines = [`SIP/2.0 ${status}`, ...kept, tag === '' || to.includes('tag=') ? to : `${to};tag=${tag}`];
    lines.push(`Contact: <sip:peer@127.0.0.1:${this.port}>`);
    if (body !== '') lines.push('Content-Type: application/sdp');
    this.send([...lines, `Content-Length: ${body.length}`, '', body].join('\r\n'), sip);
  }

  request(
    method: string,
    user: string,
    sip: string,
    {
      cseq = 1,
      to = '',
      branch = `b${Math.random()}`.replace('.', ''),
      callId = `races-${this.port}`,
      contact = `sip:peer@127.0.0.1:${this.port}`,
    } = {},
  ): void {
    const lines = [
      `${method} sip:${user}@${sip} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK${branch};rport`,
      'Max-Forwards: 70',
      'From: <sip:peer@127.0.0.1>;tag=peer',
      to === '' ? `To: <sip:${user}@${sip}>` : to,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <${contact}>`,
      'Content-Length: 0',
    ];
    this.send([...lines, '', ''].join('\r\n'), sip);
  }

  close(): void {
    this.#socket.close();
  }
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function pair(
  options: Parameters<typeof startApp>[1] = {},
): Promise<{ app: AppUnderTest; peer: UdpPeer; uri: string }> {
  const app = await startApp('embedded', options);
  installBehaviours(app, () => 'sip:127.0.0.1:1');
  const peer = await UdpPeer.create();
  open.push(peer, app);
  return { app, peer, uri: `sip:peer@127.0.0.1:${peer.port}` };
}
const toOf = (text: string): string => /^To: .*$/m.exec(text)?.[0].trim() ?? '';

test('the second answer of a forked INVITE is acknowledged and hung up; the first, repeated, is acknowledged again', async () => {
  const { app, peer, uri } = await pair();
  const calling = app.srf.createUAC(uri, { localSdp: sdp });
  const invite = await peer.next(/^INVITE/);
  peer.answer(invite, '200 OK', app.sip, { tag: 'one', body: sdp });
  assert.match(await peer.next(/^ACK/), /tag=one/);
  const dialog = await calling;
  peer.answer(invite, '200 OK', app.sip, { tag: 'two', body: sdp });
  assert.match(await peer.next(/^ACK/), /tag=two/);
  const bye = await peer.next(/^BYE/);
  assert.match(bye, /tag=two/);
  peer.answer(bye, '200 OK', app.sip);
  peer.answer(invite, '200 OK', app.sip, { tag: 'one', body: sdp });
  assert.match(await peer.next(/^ACK/), /tag=one/);
  assert.equal(dialog.connected, true);
});

test('a 200 that crosses our CANCEL is acknowledged and hung up, and the application told', async () => {
  const { app, peer, uri } = await pair();
  const ended = new Promise<void>((resolve, reject) => {
    app.srf.createUAC(
      uri,
      { localSdp: sdp },
      { cbRequest: (_: unknown, req: { cancel(): void }) => req.cancel() },
      (error: unknown, dialog: { on(event: string, listener: () => void): void }) => {
        if (error) reject(error);
        else dialog.on('destroy', resolve);
      },
    );
  });
  const invite = await peer.next(/^INVITE/);
  peer.answer(invite, '180 Ringing', app.sip, { tag: 'x' });
  const cancel = await peer.next(/^CANCEL/);
  peer.answer(invite, '200 OK', app.sip, { tag: 'x', body: sdp });
  peer.answer(cancel, '200 OK', app.sip);
  await peer.next(/^ACK/);
  peer.answer(await peer.next(/^BYE/), '200 OK', app.sip);
  await ended;
  assert.equal(app.server?.stats.dialogs, 0);
});

test('a 200 that nobody acknowledges is repeated, then the call ends on both sides', async () => {
  const { app, peer } = await pair({ timers: { t1Ms: 15, t2Ms: 100, t4Ms: 100 } });
  peer.request('INVITE', 'answer', app.sip);
  for (let i = 0; i < 4; i++) await peer.next(/^SIP\/2\.0 200/);
  const bye = await peer.next(/^BYE/);
  assert.match(bye, /Reason: SIP;cause=200;text="ACK timeout"/);
  peer.answer(bye, '200 OK', app.sip);
  await app.saw('uas destroy ACK timeout');
});

test('an INVITE that has no other response within 200 ms is answered 100', async () => {
  const { app, peer } = await pair({ appTimeoutMs: 300 });
  peer.request('INVITE', 'silent', app.sip);
  await peer.next(/^SIP\/2\.0 100 Trying\r\n/);
  await peer.next(/^SIP\/2\.0 480/);
});

test('an INVITE that the application leaves alone is answered 480', async () => {
  const { app, peer } = await pair({ appTimeoutMs: 100 });
  peer.request('INVITE', 'silent', app.sip);
  await peer.next(/^SIP\/2\.0 480/);
  await app.saw('invite cancel');
});

test('when the application is lost, calls are hung up and new ones refused', async () => {
  const { app, peer } = await pair();
  peer.request('INVITE', 'answer', app.sip);
  const ok = await peer.next(/^SIP\/2\.0 200/);
  peer.request('ACK', 'answer', app.sip, { to: toOf(ok) });
  await app.saw('uas ack');
  app.srf.disconnect();
  const bye = await peer.next(/^BYE/);
  assert.match(bye, /text="Application lost"/);
  peer.answer(bye, '200 OK', app.sip);
  peer.request('OPTIONS', 'x', app.sip, { cseq: 7 });
  assert.match(await peer.next(/^SIP\/2\.0 5/), /^SIP\/2\.0 503[\s\S]*Retry-After: 5/);
});

test('a phone behind NAT that comes from another port in its call is hung up there', async () => {
  const { app, peer } = await pair();
  const moved = await UdpPeer.create();
  open.push(moved);
  const call = { callId: 'moves', contact: 'sip:peer@10.99.99.99:5060' };
  peer.request('INVITE', 'answer', app.sip, call);
  const ok = await peer.next(/^SIP\/2\.0 200/);
  peer.request('ACK', 'answer', app.sip, { ...call, to: toOf(ok) });
  await app.saw('uas ack');
  moved.request('INFO', 'answer', app.sip, { ...call, to: toOf(ok), cseq: 2 });
  await moved.next(/^SIP\/2\.0 200/);
  app.srf.disconnect();
  const bye = await moved.next(/^BYE sip:peer@10\.99\.99\.99/);
  moved.answer(bye, '200 OK', app.sip);
});

test('a BYE that comes twice is answered 200 twice, and one with an old CSeq 500', async () => {
  const { app, peer } = await pair();
  peer.request('INVITE', 'answer', app.sip, { cseq: 5 });
  const ok = await peer.next(/^SIP\/2\.0 200/);
  peer.request('ACK', 'answer', app.sip, { to: toOf(ok), cseq: 5 });
  peer.request('INFO', 'answer', app.sip, { to: toOf(ok), cseq: 4 });
  await peer.next(/^SIP\/2\.0 500/);
  peer.request('BYE', 'answer', app.sip, { to: toOf(ok), cseq: 6 });
  await peer.next(/^SIP\/2\.0 200/);
  peer.request('BYE', 'answer', app.sip, { to: toOf(ok), cseq: 7 });
  await peer.next(/^SIP\/2\.0 200/);
  assert.equal(app.server?.stats.dialogs, 0);
});

test('an early BYE of the caller ends the INVITE with 487', async () => {
  const { app, peer } = await pair();
  peer.request('INVITE', 'ring', app.sip);
  const ringing = await peer.next(/^SIP\/2\.0 180/);
  peer.request('BYE', 'ring', app.sip, { to: toOf(ringing), cseq: 2 });
  await peer.next(/^SIP\/2\.0 (200|487)/);
  await app.saw('invite cancel');
  assert.equal(app.server?.stats.pendingInbound, 0);
});

test('a request of ours that comes back by a proxy is refused with 482: it would go round for ever', async () => {
  const { app, peer, uri } = await pair();
  const calling = app.srf.createUAC(uri, { localSdp: sdp }).catch(() => undefined);
  const invite = await peer.next(/^INVITE/);
  const via = /^Via: .*$/m.exec(invite)?.[0].trim() ?? '';
  const hop = `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKproxy;rport`;
  peer.send(invite.replace(via, `${hop}\r\n${via}`).replace(/^INVITE \S+/, `INVITE sip:answer@${app.sip}`), app.sip);
  assert.match(await peer.next(/^SIP\/2\.0 [3-6]/), /^SIP\/2\.0 482/);
  assert.deepEqual(app.seen, []);
  peer.answer(invite, '486 Busy Here', app.sip, { tag: 'x' });
  await calling;
});

test('peers outside see our public address, and nowhere the one behind it', async () => {
  const outside = { externalAddress: '192.0.2.44', localNetworks: ['10.0.0.0/8'] };
  const { app, peer, uri } = await pair(outside);
  const own = app.server?.listenPoints.find(({ protocol }) => protocol === 'udp');
  const sip = `127.0.0.1:${own?.port}`;
  const headersOf = (text: string) =>
    text
      .split('\r\n\r\n')[0]
      ?.split('\r\n')
      // What the peer said of itself comes back.
      .filter((line) => !line.includes(String(peer.port))) ?? [];
  const calling = app.srf.createUAC(uri, { localSdp: sdp, headers: { 'P-Asserted-Identity': '<sip:demo@localhost>' } });
  const invite = await peer.next(/^INVITE/);
  for (const name of ['Via', 'From', 'Contact', 'P-Asserted-Identity']) {
    assert.match(invite, new RegExp(`^${name}: .*192\\.0\\.2\\.44`, 'm'));
  }
  assert.doesNotMatch(headersOf(invite).join('\n'), /127\.0\.0\.1/);
  assert.match(invite, /^Call-ID: [\da-f-]+\r$/m);
  peer.answer(invite, '200 OK', sip, { tag: 'one', body: sdp });
  assert.doesNotMatch(headersOf(await peer.next(/^ACK/)).join('\n'), /127\.0\.0\.1/);
  await calling;
  peer.request('INVITE', 'answer', sip);
  const ok = await peer.next(/^SIP\/2\.0 200/);
  assert.match(ok, /^Contact: <sip:192\.0\.2\.44:\d+>\r$/m);
  assert.match(ok, /^Server: Switchyard\r$/m);
});

test.each([
  ['PBX/1.0 (lab)', /^User-Agent: PBX\/1\.0 \(lab\)\r$/m, /^Server: PBX\/1\.0 \(lab\)\r$/m],
  ['', undefined, undefined],
])('we call ourselves "%s", or nothing at all', async (product, userAgent, serverName) => {
  const { app, peer, uri } = await pair({ product });
  const calling = app.srf.createUAC(uri, { localSdp: sdp }).catch(() => undefined);
  const invite = await peer.next(/^INVITE/);
  if (userAgent) assert.match(invite, userAgent);
  else assert.doesNotMatch(invite, /^(User-Agent|Server):/m);
  peer.answer(invite, '486 Busy Here', app.sip, { tag: 'x' });
  await calling;
  peer.request('INVITE', 'answer', app.sip);
  const ok = await peer.next(/^SIP\/2\.0 200/);
  if (serverName) assert.match(ok, serverName);
  else assert.doesNotMatch(ok, /^(User-Agent|Server):/m);
});

test('requests over the rate of an address are dropped unanswered, and counted', async () => {
  const { defaultTransportLimits } = await import('#gateways/sip/server/index.ts');
  const { app, peer } = await pair({ limits: { ...defaultTransportLimits, messagesPerSecond: 5 } });
  for (let i = 0; i < 40; i++) peer.request('OPTIONS', 'x', app.sip, { cseq: i + 1 });
  for (let i = 0; i < 10; i++) await peer.next(/^SIP\/2\.0 200/);
  assert.ok((app.server?.stats.droppedMessages ?? 0) >= 20);
});
