import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest';
import {
  ack,
  ackFailure,
  bye,
  invite,
  pause,
  recv,
  recvRequest,
  request,
  response,
  sdpOf,
  sipp,
} from '#test/support/sipp.ts';
import { type AppUnderTest, installBehaviours, serverKinds, startApp } from '#test/support/sipp-app.ts';

const answered = (more = ''): string =>
  [
    recv(100, { optional: true }),
    recv(180, { optional: true }),
    recv(183, { optional: true }),
    recv(200, { rrs: true }),
    ack(),
    more,
  ].join('\n');

describe.each(serverKinds)('calls from SIPp to drachtio-srf on the %s server', (kind) => {
  let app: AppUnderTest;
  const call = (service: string, scenario: string, transport: 'udp' | 'tcp' = 'udp', calls = 1) =>
    sipp({ target: app.sip, service, scenario, transport, calls });

  beforeAll(async () => {
    app = await startApp(kind);
    installBehaviours(app, () => 'sip:127.0.0.1:1');
  });
  afterAll(() => app.close());
  beforeEach(() => void app.seen.splice(0));

  test.each(['udp', 'tcp'] as const)(
    'a call over %s is answered, acknowledged and ended by the caller',
    async (transport) => {
      await call('answer', [invite(), answered(), pause(50), bye(), recv(200)].join('\n'), transport, 5);
      await app.saw('uas destroy');
      assert.equal(app.seen.filter((what) => what === 'uas ack').length, 5);
      assert.equal(app.srf._dialogs.size, 0);
    },
  );

  test('a refusal carries its status and headers', async () => {
    await call(
      'busy',
      [
        invite(),
        recv(100, { optional: true }),
        recv(486, { expect: { 'X-Why': 'in another call' } }),
        ackFailure(),
      ].join('\n'),
    );
  });

  test('CANCEL is answered 200, the INVITE 487, and the application told', async () => {
    const cancel = request({ method: 'CANCEL', branch: '[branch-4]' });
    await call(
      'ring',
      [
        invite(),
        recv(100, { optional: true }),
        recv(180),
        pause(50),
        cancel,
        recv(200),
        recv(487),
        ackFailure(1, 7),
      ].join('\n'),
    );
    await app.saw('invite cancel');
  });

  test('a re-INVITE for hold reaches the dialog and is answered from the offer', async () => {
    const hold = invite({
      cseq: 2,
      isInDialog: true,
      uri: '[next_url]',
      headers: ['[routes]'],
      body: sdpOf().replace('sendrecv', 'sendonly'),
    });
    await call(
      'modify',
      [
        invite(),
        answered(),
        pause(50),
        hold,
        recv(100, { optional: true }),
        recv(200, { rrs: true, expect: { body: 'recvonly' } }),
        ack(2),
        bye(3),
        recv(200),
      ].join('\n'),
    );
    await app.saw('uas modify sendonly');
  });

  test('our re-INVITE and our BYE are sent in the dialog', async () => {
    await call(
      'rering',
      [
        invite(),
        answered(),
        recvRequest('INVITE', { expect: { body: 'm=audio 4002' } }),
        response('200 OK', { tag: false, body: sdpOf() }),
        recvRequest('ACK'),
        recvRequest('BYE'),
        response('200 OK', { tag: false }),
      ].join('\n'),
    );
    await app.saw('modified');
  });

  // A drachtio-server sends it at once.
  test.runIf(kind === 'embedded')('a BYE of ours waits for the ACK of our 200', async () => {
    await call(
      'hangup',
      [
        invite(),
        recv(100, { optional: true }),
        recv(200, { rrs: true }),
        pause(300),
        ack(),
        recvRequest('BYE', { expect: { Reason: 'Q.850' } }),
        response('200 OK', { tag: false }),
      ].join('\n'),
    );
    await app.saw('hung up');
  });

  test('a 200 is repeated until its ACK comes', async () => {
    await call(
      'answer',
      [
        invite(),
        recv(100, { optional: true }),
        recv(200, { rrs: true }),
        pause(1200),
        ack(),
        pause(50),
        bye(),
        recv(200),
      ].join('\n'),
    );
    await app.saw('uas destroy');
  });

  test('early media comes with a 183, the answer later', async () => {
    await call(
      'early',
      [
        invite(),
        recv(100, { optional: true }),
        recv(183, { expect: { body: 'm=audio 4000' } }),
        recv(200, { rrs: true }),
        ack(),
        bye(),
        recv(200),
      ].join('\n'),
    );
    await app.saw('uas destroy');
  });

  test('a delayed offer: SDP in the 200, the answer in the ACK', async () => {
    const late = request({ method: 'ACK', isInDialog: true, uri: '[next_url]', headers: ['[routes]'], body: sdpOf() });
    await call(
      'answer',
      [
        invite({ body: '' }),
        recv(100, { optional: true }),
        recv(200, { rrs: true, expect: { body: 'm=audio' } }),
        late,
        pause(50),
        bye(),
        recv(200),
      ].join('\n'),
    );
    await app.saw('uas ack sdp');
  });

  test('a reliable 183 is repeated until PRACK, which is answered; then the call is', async () => {
    const prack = request({
      method: 'PRACK',
      cseq: 2,
      isInDialog: true,
      uri: '[next_url]',
      headers: ['RAck: [$rseq] 1 INVITE'],
      retransMs: 500,
    });
    const take =
      '<recv response="183" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/></action></recv>';
    await call(
      'prack',
      [
        invite({ headers: ['Supported: 100rel'] }),
        recv(100, { optional: true }),
        take,
        pause(700),
        prack,
        recv(200),
        recv(200, { rrs: true }),
        ack(),
        request({ method: 'BYE', cseq: 3, isInDialog: true, uri: '[next_url]', retransMs: 500 }),
        recv(200),
      ].join('\n'),
    );
    await app.saw('prack');
    await app.saw('uas destroy');
  });

  test('INFO, MESSAGE, UPDATE and REFER in a dialog reach it', async () => {
    const inside = (method: string, cseq: number, body: string, contentType: string, headers: string[] = []) =>
      request({
        method,
        cseq,
        isInDialog: true,
        uri: '[next_url]',
        headers: ['[routes]', ...headers],
        body,
        contentType,
        retransMs: 500,
      });
    await call(
      'answer',
      [
        invite(),
        answered(),
        pause(50),
        inside('INFO', 2, 'Signal=5', 'application/dtmf-relay'),
        recv(200),
        inside('MESSAGE', 3, 'hello', 'text/plain'),
        recv(200),
        inside('UPDATE', 4, sdpOf(), 'application/sdp'),
        recv(200, { expect: { body: 'm=audio 4000' } }),
        inside('REFER', 5, '', '', ['Refer-To: <sip:other@example.com>']),
        recv(202),
        bye(6),
        recv(200),
      ].join('\n'),
    );
    await app.saw('uas destroy');
    assert.deepEqual(
      app.seen.filter((what) => /info|message|update|refer/.test(what)),
      ['uas info Signal=5', 'uas message hello', 'uas update', 'uas refer <sip:other@example.com>'],
    );
  });

  test('OPTIONS, MESSAGE and REGISTER with a challenge are answered outside a dialog', async () => {
    await call(
      'x',
      [request({ method: 'OPTIONS', retransMs: 500 }), recv(200, { expect: { Accept: 'application/sdp' } })].join('\n'),
    );
    await call(
      'x',
      [request({ method: 'MESSAGE', body: 'grüße', contentType: 'text/plain', retransMs: 500 }), recv(202)].join('\n'),
    );
    await app.saw('message grüße');
    const register = (cseq: number, headers: string[] = []) =>
      request({ method: 'REGISTER', cseq, headers: ['Expires: 60', ...headers], retransMs: 500 });
    await call(
      'x',
      [
        register(1),
        '<recv response="401" auth="true"></recv>',
        register(2, ['[authentication username=joe password=secret]']),
        recv(200, { expect: { Contact: 'expires=60' } }),
      ].join('\n'),
    );
    await app.saw('registered');
  });

  test('a session timer that is too short is answered 422 with Min-SE; one that is not is agreed', async () => {
    const asking = (seconds: number): string =>
      invite({ headers: ['Supported: timer', `Session-Expires: ${seconds};refresher=uac`] });
    if (kind === 'embedded') {
      await call(
        'answer',
        [asking(60), recv(100, { optional: true }), recv(422, { expect: { 'Min-SE': '90' } }), ackFailure()].join('\n'),
      );
    }
    await call(
      'answer',
      [
        asking(120),
        recv(100, { optional: true }),
        recv(200, { rrs: true, expect: { 'Session-Expires': '120;refresher=uac' } }),
        ack(),
        pause(50),
        bye(),
        recv(200),
      ].join('\n'),
    );
  });

  test('what belongs to no dialog is answered 481', async () => {
    const stray = (method: string) =>
      request({ method, cseq: 9, headers: [], retransMs: 500 }).replace(
        'To: <sip:[service]@[remote_ip]:[remote_port]>',
        'To: <sip:[service]@[remote_ip]>;tag=nosuch',
      );
    // A drachtio-server says 503 to an INFO that no application asked for.
    for (const method of ['BYE', ...(kind === 'embedded' ? ['INFO'] : []), 'INVITE']) {
      const end = method === 'INVITE' ? ackFailure(9) : '';
      await call('answer', [stray(method), recv(100, { optional: true }), recv(481), end].join('\n'));
    }
  });

  // A drachtio-server takes both.
  test.runIf(kind === 'embedded')(
    'an INVITE that came by two ways is one call: the second is refused with 482',
    async () => {
      const socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const { port } = socket.address();
      const [host = '', sipPort = ''] = app.sip.split(':');
      const copy = (branch: string): string =>
        `INVITE sip:ring@${app.sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${branch}\r\nFrom: <sip:a@b>;tag=m1\r\nTo: <sip:c@d>\r\n` +
        `Call-ID: merged-${port}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:${port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`;
      const statuses = new Map<string, number[]>();
      const merged = new Promise<void>((resolve) => {
        socket.on('message', (bytes) => {
          const text = bytes.toString();
          const branch = /branch=z9hG4bK(\w+)/.exec(text)?.[1] ?? '';
          const status = Number(text.slice(8, 11));
          statuses.set(branch, [...(statuses.get(branch) ?? []), status]);
          if (status >= 400) resolve();
        });
      });
      socket.send(copy('one'), Number(sipPort), host);
      await app.saw('ringing');
      socket.send(copy('two'), Number(sipPort), host);
      await merged;
      socket.close();
      assert.ok(statuses.get('two')?.includes(482), JSON.stringify([...statuses]));
      assert.ok(!statuses.get('one')?.includes(482));
    },
  );
});
