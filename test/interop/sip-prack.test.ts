// Provisional answers that must arrive (RFC 3262), and offers before the answer (RFC 3311), with us as the called party.
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { SipDialog } from '#gateways/sip/dialog.ts';
import type { InboundCall } from '#gateways/sip/index.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { type LinkApp, startLink } from '#test/support/sip-link-app.ts';
import {
  ack,
  ackFailure,
  invite,
  pause,
  recv,
  recvRequest,
  request,
  response,
  sdpOf,
  sipp,
  startSipp,
} from '#test/support/sipp.ts';
import { sdp, serverKinds } from '#test/support/sipp-app.ts';

const mustBeReliable = ['Require: 100rel', 'Supported: 100rel'];

/** A provisional with an RSeq, kept for the PRACK; `check` must be in it. */
const reliable = (status: number, check = 'RSeq: [0-9]+') =>
  `<recv response="${status}" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/><ereg regexp="${check}" search_in="msg" check_it="true" assign_to="seen"/><log message="[$rseq] [$seen]"/></action></recv>`;

const inDialog = (method: string, cseq: number, { headers = [] as string[], body = '' } = {}) =>
  request({
    method,
    cseq,
    isInDialog: true,
    uri: '[next_url]',
    headers: ['[routes]', ...headers],
    body,
    retransMs: 500,
  });
const prack = (body = '') => inDialog('PRACK', 2, { headers: ['RAck: [$rseq] 1 INVITE'], body });
const hangUp = (cseq = 3) => [inDialog('BYE', cseq), recv(200)];
const trying = recv(100, { optional: true });

/** Listens before anything of the call can have happened. */
function answerUntilTheEnd(call: InboundCall): Promise<void> {
  return new Promise((resolve, reject) => {
    call.answer(sdp, (dialog) => dialog.events.once('ended', () => resolve())).catch(reject);
  });
}

describe.each(serverKinds)('the called party on the %s server', (kind) => {
  let app: LinkApp;

  beforeAll(async () => {
    app = await startLink(kind);
  });
  afterAll(() => app.close());

  const run = (...parts: (string | string[])[]) => sipp({ target: app.target, scenario: parts.flat().join('\n') });

  test('a caller that requires 100rel gets a 180 with RSeq, again until its PRACK, and the 200 after it', async () => {
    const events: string[] = [];
    const taken = app.call().then(async (call) => {
      await call.progress(180);
      events.push('arrived');
      events.push('answered');
      await answerUntilTheEnd(call);
    });
    await run(invite({ headers: mustBeReliable }), trying, reliable(180), pause(700), prack(), recv(200), [
      recv(200, { rrs: true }),
      ack(),
      ...hangUp(),
    ]);
    await taken;
    assert.deepEqual(events, ['arrived', 'answered']);
  });

  test('early media for a caller that supports 100rel, an offer by UPDATE before the answer, and the answer', async () => {
    const offers: string[] = [];
    const taken = app.call().then(async (call) => {
      call.events.on('offered', (question) => {
        offers.push(`${question.method} ${/m=audio (\d+)/.exec(question.body)?.[1] === undefined ? 'none' : 'sdp'}`);
        question.respond(200, { headers: { 'content-type': 'application/sdp' }, body: sdp });
      });
      assert.equal(await call.progress(183, { sdp }), '');
      await new Promise<void>((resolve) => call.events.once('offered', () => resolve()));
      await answerUntilTheEnd(call);
    });
    await run(
      invite({ headers: ['Supported: 100rel'] }),
      trying,
      reliable(183, 'm=audio 4000'),
      prack(),
      recv(200),
      inDialog('UPDATE', 3, { body: sdpOf('a=ptime:20\n') }),
      recv(200, { expect: { body: 'm=audio 4000' } }),
      recv(200, { rrs: true }),
      ack(),
      hangUp(4),
    );
    await taken;
    assert.deepEqual(offers, ['UPDATE sdp']);
  });

  test('a caller that only supports 100rel hears of ringing without it', async () => {
    const taken = app.call().then(async (call) => {
      call.respond(180);
      await answerUntilTheEnd(call);
    });
    await run(invite({ headers: ['Supported: 100rel'] }), trying, recv(180), [
      recv(200, { rrs: true }),
      ack(),
      ...hangUp(2),
    ]);
    await taken;
  });

  test('an INVITE without an offer is not rung reliably without ours: it is in the 200, or in a 183', async () => {
    const silent = app.call().then(async (call) => {
      call.respond(180);
      return new Promise<string>((resolve, reject) => {
        let answer = '';
        const listen = (dialog: SipDialog) => {
          dialog.events.once('acknowledged', (heard) => (answer = heard));
          dialog.events.once('ended', () => resolve(answer));
        };
        call.answer(sdp, listen).catch(reject);
      });
    });
    const withAnswer = request({
      method: 'ACK',
      isInDialog: true,
      uri: '[next_url]',
      headers: ['[routes]'],
      body: sdpOf(),
    });
    await run(invite({ headers: mustBeReliable, body: '' }), trying, [
      recv(200, { rrs: true, expect: { body: 'm=audio 4000' } }),
      withAnswer,
      // Drachtio-srf loses an ACK that comes together with the BYE after it.
      pause(200),
      ...hangUp(2),
    ]);
    assert.match(await silent, /m=audio/);

    const early = app.call().then(async (call) => {
      const answer = await call.progress(183, { sdp });
      await answerUntilTheEnd(call);
      return answer;
    });
    await run(invite({ headers: mustBeReliable, body: '' }), trying, reliable(183, 'm=audio 4000'), [
      prack(sdpOf()),
      recv(200),
      recv(200, { rrs: true }),
      ack(),
      ...hangUp(),
    ]);
    assert.match(await early, /m=audio/);
  });

  test('two reliable answers go one after the other, and a CANCEL before the PRACK ends both', async () => {
    const outcome = app.call().then(async (call) => {
      const sent = [call.progress(180), call.progress(183, { sdp }), call.answer(sdp, () => undefined)];
      return (await Promise.allSettled(sent)).map(({ status }) => status);
    });
    const cancel = request({ method: 'CANCEL', branch: '[branch-4]' });
    await run(invite({ headers: mustBeReliable }), trying, reliable(180), pause(100), cancel, recv(200), recv(487), [
      ackFailure(1, 7),
    ]);
    assert.deepEqual(await outcome, ['rejected', 'rejected', 'rejected']);
  });

  test('what is no SDP is refused with 415 before anybody is asked, and who takes none back with 406', async () => {
    const refused = (status: number, header: string, words: Parameters<typeof invite>[0]) =>
      run(invite(words), trying, recv(status, { expect: { [header]: '.+' } }), ackFailure());
    await refused(415, 'Accept', { body: '<audio/>', contentType: 'application/unknownformat' });
    await refused(406, 'Accept', { headers: ['Accept: text/nobodyKnowsThis'] });
  });
});

test.each([
  ['takes it', '200 OK'],
  ['refuses it', '407 Proxy Authentication Required'],
])('a PBX that asks for the password of a PRACK is shown it once, %s, and then answers', async (_what, verdict) => {
  const app = await startLink('embedded');
  const localPort = await freePort();
  const kept = [
    '<recv request="INVITE"><action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>',
    '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="seq"/></action></recv>',
  ].join('');
  // The INVITE's own headers again.
  const final = `<send retrans="500"><![CDATA[\n\nSIP/2.0 200 OK\nVia: [$via]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: [$seq]\nContact: <sip:[local_ip]:[local_port]>\nContent-Type: application/sdp\nContent-Length: [len]\n\n${sdpOf()}\n]]></send>`;
  const challenge = ['Proxy-Authenticate: Digest realm="pbx", nonce="n", qop="auth"'];
  const shown = 'username="joe", realm="pbx", nonce="n".*response="[0-9a-f]{32}"';
  const called = startSipp({
    scenario: [
      kept,
      response('183 Session Progress', { headers: ['Require: 100rel', 'RSeq: 77'], body: sdpOf() }),
      recvRequest('PRACK', { expect: { RAck: '77 [0-9]+ INVITE' } }),
      response('407 Proxy Authentication Required', { tag: false, headers: challenge }),
      recvRequest('PRACK', { expect: { RAck: '77 [0-9]+ INVITE', 'Proxy-Authorization': shown } }),
      ...[response(verdict, { tag: false, headers: challenge }), pause(200), final, recvRequest('ACK')],
      ...[recvRequest('BYE'), response('200 OK', { tag: false })],
    ].join('\n'),
    ...{ localPort, timeoutSec: 20 },
  });
  try {
    await whenReceiving(localPort);
    const credentials = { username: 'joe', password: 'x' };
    const call = { sdp, credentials, headers: { Supported: '100rel' } };
    const asked = app.sip.link.call(`sip:pbx@127.0.0.1:${localPort}`, call);
    const outcome = await Promise.race([asked.outcome, called.done]);
    assert.ok(outcome?.kind === 'answered');
    assert.equal(app.sip.stats?.pendingOutbound, 0);
    await outcome.dialog.bye();
    await called.done;
  } finally {
    await app.close();
  }
});
