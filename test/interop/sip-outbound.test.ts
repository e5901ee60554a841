import assert from 'node:assert/strict';
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest';
import { freePort, whenListening, whenReceiving } from '#test/support/ports.ts';
import {
  ack,
  bye,
  invite,
  pause,
  recv,
  recvRequest,
  request,
  response,
  type SippTransport,
  sdpOf,
  startSipp,
} from '#test/support/sipp.ts';
import { type AppUnderTest, installBehaviours, sdp, serverKinds, startApp } from '#test/support/sipp-app.ts';

const answer = (headers: readonly string[] = []): string =>
  [
    recvRequest('INVITE'),
    response('100 Trying', { tag: false }),
    response('180 Ringing'),
    response('200 OK', { body: sdpOf(), headers, retransMs: 500 }),
    recvRequest('ACK'),
  ].join('\n');

describe.each(serverKinds)('calls from drachtio-srf on the %s server to SIPp', (kind) => {
  let app: AppUnderTest;
  let peer = '';

  /** Plays a called party while `act` calls it. */
  async function against<T>(
    scenario: string,
    act: (uri: string) => Promise<T>,
    transport: SippTransport = 'udp',
    calls = 1,
  ): Promise<T> {
    const port = await freePort();
    const suffix = transport === 'udp' ? '' : `;transport=${transport}`;
    peer = `sip:peer@127.0.0.1:${port}${suffix}`;
    const run = startSipp({ scenario, localPort: port, transport, calls });
    await (transport === 'udp' ? whenReceiving(port) : whenListening(port));
    try {
      const result = await act(peer);
      await run.done;
      return result;
    } finally {
      run.stop();
    }
  }

  beforeAll(async () => {
    app = await startApp(kind);
    installBehaviours(app, () => peer);
  });
  afterAll(() => app.close());
  beforeEach(() => void app.seen.splice(0));

  test.each(['udp', 'tcp'] as const)('a call over %s is answered and ended by us', async (transport) => {
    const scenario = [answer(), recvRequest('BYE'), response('200 OK', { tag: false })].join('\n');
    await against(
      scenario,
      async (uri) => {
        const dialog = await app.srf.createUAC(uri, { localSdp: sdp, callingNumber: '1000' });
        assert.match(dialog.remote.sdp, /m=audio/);
        assert.match(dialog.req.get('From'), /sip:1000@127\.0\.0\.1:\d+/);
        await dialog.destroy();
      },
      transport,
    );
    assert.equal(app.srf._dialogs.size, 0);
  });

  test('a call that we re-INVITE, and that the called one ends', async () => {
    const scenario = [
      answer(),
      recvRequest('INVITE', { expect: { body: 'a=inactive' } }),
      response('200 OK', { tag: false, body: sdpOf(), retransMs: 500 }),
      recvRequest('ACK'),
      pause(50),
      request({ method: 'BYE', retransMs: 500 })
        .replace(/From: [^\n]*/, 'From: [$me]')
        .replace(/To: [^\n]*/, 'To: [$you]')
        .replace(/BYE \S+/, 'BYE [next_url]'),
      recv(200),
    ]
      .join('\n')
      .replace(
        recvRequest('INVITE'),
        [
          '<recv request="INVITE" rrs="true"><action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="you"/>',
          '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/><assignstr assign_to="me" value="[$to];tag=[pid]SIPpTag01[call_number]"/></action></recv>',
        ].join(''),
      );
    await against(scenario, async (uri) => {
      const dialog = await app.srf.createUAC(uri, { localSdp: sdp });
      const ended = new Promise((resolve) => dialog.on('destroy', resolve));
      await dialog.modify(sdp.replace('sendrecv', 'inactive'));
      await ended;
    });
  });

  test('a CANCEL of ours waits for the first provisional response', async () => {
    const scenario = [
      recvRequest('INVITE'),
      pause(300),
      response('180 Ringing'),
      recvRequest('CANCEL'),
      response('200 OK', { tag: false }),
      request({ method: 'X' }).replace(/<send[\s\S]*<\/send>/, ''),
    ].join('\n');
    // The 487 belongs to the INVITE: its headers are kept aside.
    const keep = scenario.replace(
      recvRequest('INVITE'),
      [
        '<recv request="INVITE"><action>',
        '<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/><ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>',
        '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/><ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="seq"/></action></recv>',
      ].join(''),
    );
    const terminated = `<send retrans="500"><![CDATA[\n\nSIP/2.0 487 Request Terminated\nVia: [$via]\nFrom: [$from]\nTo: [$to];tag=[pid]SIPpTag01[call_number]\n[last_Call-ID:]\nCSeq: [$seq] INVITE\nContent-Length: 0\n\n]]></send>`;
    await against(`${keep}\n${terminated}\n${recvRequest('ACK')}`, async (uri) => {
      const status = await new Promise((resolve) => {
        app.srf.createUAC(
          uri,
          { localSdp: sdp },
          { cbRequest: (_error: unknown, req: { cancel(): void }) => req.cancel() },
          (error: { status: number }) => resolve(error.status),
        );
      });
      assert.equal(status, 487);
    });
  });

  test('a busy peer, and nobody at all', async () => {
    const scenario = [recvRequest('INVITE'), response('486 Busy Here', { retransMs: 500 }), recvRequest('ACK')].join(
      '\n',
    );
    await against(scenario, (uri) => assert.rejects(app.srf.createUAC(uri, { localSdp: sdp }), { status: 486 }));
    await assert.rejects(app.srf.createUAC(`sip:x@127.0.0.1:${await freePort()};transport=tcp`, { localSdp: sdp }), {
      status: 503,
    });
  });

  test('a reliable 183 is acknowledged by PRACK', async () => {
    const scenario = [
      recvRequest('INVITE'),
      response('183 Session Progress', { headers: ['Require: 100rel', 'RSeq: 77'], body: sdpOf() }),
      recvRequest('PRACK', { expect: { RAck: '77 [0-9]+ INVITE' } }),
      response('200 OK', { tag: false }),
      // The INVITE's own headers again.
    ]
      .join('\n')
      .replace(
        recvRequest('INVITE'),
        [
          '<recv request="INVITE"><action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/><ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="seq"/></action></recv>',
        ].join(''),
      );
    const final = `<send retrans="500"><![CDATA[\n\nSIP/2.0 200 OK\nVia: [$via]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: [$seq]\nContact: <sip:[local_ip]:[local_port]>\nContent-Type: application/sdp\nContent-Length: [len]\n\n${sdpOf()}\n]]></send>`;
    await against(
      [scenario, final, recvRequest('ACK'), recvRequest('BYE'), response('200 OK', { tag: false })].join('\n'),
      async (uri) => {
        const dialog = await app.srf.createUAC(uri, { localSdp: sdp, headers: { Supported: '100rel' } });
        await dialog.destroy();
      },
    );
  });

  test('REGISTER is sent again with credentials when challenged', async () => {
    const scenario = [
      recvRequest('REGISTER'),
      response('401 Unauthorized', { headers: ['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5'] }),
      recvRequest('REGISTER', { expect: { Authorization: 'username="joe"' } }),
      response('200 OK', { headers: ['Expires: 60'] }),
    ].join('\n');
    await against(
      scenario,
      (uri) =>
        new Promise<void>((resolve, reject) => {
          const options = {
            method: 'REGISTER',
            headers: { Contact: 'sip:joe@localhost', Expires: '60' },
            auth: { username: 'joe', password: 'secret' },
          };
          app.srf.request(
            uri,
            options,
            (error: Error | null, req: { on(event: string, listener: (res: { status: number }) => void): void }) => {
              if (error) return reject(error);
              req.on('response', (res) => (res.status === 200 ? resolve() : reject(new Error(String(res.status)))));
            },
          );
        }),
    );
  });

  test('a request to ourselves is refused before it loops', async () => {
    await assert.rejects(app.srf.createUAC(`sip:demo@${app.sip}`, { localSdp: sdp }), /can not send request to myself/);
  });

  test('a B2BUA joins two calls, and ends one when the other ends', async () => {
    const scenario = [answer(['X-From-B: yes']), recvRequest('BYE'), response('200 OK', { tag: false })].join('\n');
    await against(scenario, async () => {
      const caller = startSipp({
        target: app.sip,
        service: 'b2b',
        scenario: [
          invite(),
          recv(100, { optional: true }),
          recv(180, { optional: true }),
          recv(200, { rrs: true, expect: { 'X-From-B': 'yes' } }),
          ack(),
          pause(100),
          bye(),
          recv(200),
        ].join('\n'),
      });
      await caller.done;
    });
    assert.ok(app.seen.includes('b2b'));
  });

  test('CANCEL goes through a B2BUA to the other leg', async () => {
    const scenario = [
      recvRequest('INVITE'),
      response('180 Ringing'),
      recvRequest('CANCEL'),
      response('200 OK', { tag: false }),
    ].join('\n');
    await against(scenario, async () => {
      const cancel = request({ method: 'CANCEL', branch: '[branch-4]' });
      const caller = startSipp({
        target: app.sip,
        service: 'b2b',
        scenario: [
          invite(),
          recv(100, { optional: true }),
          recv(180),
          pause(100),
          cancel,
          recv(200),
          recv(487),
          request({ method: 'ACK', isInDialog: true, branch: '[branch-7]' }),
        ].join('\n'),
      });
      await caller.done;
    });
  });
});
