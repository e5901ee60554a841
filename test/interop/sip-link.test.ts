import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { Logger } from '#core/ports.ts';
import type { SipDialog, SipQuestion } from '#gateways/sip/dialog.ts';
import { type InboundCall, SipSignalling } from '#gateways/sip/index.ts';
import { SipLink } from '#gateways/sip/link.ts';
import { SipServer } from '#gateways/sip/server/index.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { recvRequest, response, startSipp } from '#test/support/sipp.ts';
import { sdp } from '#test/support/sipp-app.ts';

const nothing = (): void => undefined;
const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };

let closing: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(closing.map((each) => each.close()));
  closing = [];
});

async function signalling(): Promise<{ sip: SipSignalling; uri: string }> {
  const config = configSchema.parse({ sip: { hosts: ['127.0.0.1'], port: 0, hasTls: false } }).sip;
  const sip = await SipSignalling.create({ config, log });
  closing.push(sip);
  return { sip, uri: `sip:demo@127.0.0.1:${sip.listenPoints[0]?.port}` };
}

const held = sdp.replace('sendrecv', 'sendonly');

describe('two gateways, each on its own embedded server', () => {
  test('call, re-INVITE both ways at once, INFO, and the end seen on both sides', async () => {
    const caller = await signalling();
    const callee = await signalling();
    const seen: string[] = [];
    const arrived = new Promise<InboundCall>((resolve) => callee.sip.link.onCall(resolve));
    const call = caller.sip.link.call(callee.uri, {
      sdp,
      headers: { 'X-Room': 'demo' },
      onProgress: ({ status }) => seen.push(String(status)),
    });
    const inbound = await arrived;
    assert.equal(inbound.header('X-Room'), 'demo');
    inbound.respond(180);
    const theirs = await inbound.answer(sdp, (dialog) => {
      dialog.events.on('asked', (question) => {
        seen.push(`${question.method} ${question.body}`);
        question.respond(200);
      });
      dialog.events.on('offered', (question) => {
        seen.push(`offer ${/a=(\w+)/.exec(question.body)?.[1]}`);
        question.respond(200, { body: held.replace('sendonly', 'recvonly') });
      });
    });
    const outcome = await call.outcome;
    assert.ok(outcome.kind === 'answered');
    const { dialog: ours } = outcome;
    assert.equal(ours.callId, theirs.callId);
    await ours.ask('INFO', { body: 'Signal=1', headers: { 'content-type': 'application/dtmf-relay' } });
    const [one, other] = await Promise.all([ours.reinvite(held), theirs.reinvite(held)]);
    assert.deepEqual([one.status, other.status], [200, 200], 'glare is waited out');
    const ended = once(theirs.events, 'ended');
    await ours.bye({ Reason: 'Q.850;cause=16' });
    assert.deepEqual(await ended, ['peer', 'Q.850;cause=16']);
    assert.ok(seen.includes('180') && seen.includes('INFO Signal=1') && seen.includes('offer sendonly'));
    assert.equal(caller.sip.stats?.dialogs, 0);
    assert.equal(callee.sip.stats?.dialogs, 0);

    const ladder = callee.sip.ladderForCall(ours.callId);
    const titles = ladder?.messages.map(({ direction, title }) => `${direction} ${title}`) ?? [];
    assert.deepEqual(titles.slice(0, 2), ['in INVITE', 'out 180 Ringing (INVITE)']);
    assert.equal(titles.at(-1), 'out 200 OK (BYE)');
  });

  test('a route of several hops goes along whole and first to the first; a plain outbound proxy is only where it goes', async () => {
    const caller = await signalling();
    const edge = await signalling();
    const routes: (string | undefined)[] = [];
    edge.sip.link.onRequest((request) => {
      routes.push(`${request.uri} by ${request.header('route')}`);
      request.respond(200);
    });
    const hop = edge.uri.replace('demo@', '');
    for (const proxy of [`<${hop};lr>, <sip:core.example;lr>`, `${hop};lr`, hop]) {
      assert.equal((await caller.sip.link.request('OPTIONS', 'sip:far@away.example', { proxy })).status, 200);
    }
    assert.deepEqual(routes, [
      `sip:far@away.example by <${hop};lr>,<sip:core.example;lr>`,
      `sip:far@away.example by <${hop};lr>`,
      'sip:far@away.example by undefined',
    ]);
  });

  test('a refusal is an outcome, with its headers', async () => {
    const caller = await signalling();
    const callee = await signalling();
    callee.sip.link.onCall((call) => call.respond(603, { headers: { Warning: '399 x "no"' } }));
    const outcome = await caller.sip.link.call(callee.uri, { sdp }).outcome;
    assert.ok(outcome.kind === 'refused');
    assert.equal(outcome.answer.status, 603);
    assert.equal(outcome.answer.header('warning'), '399 x "no"');
  });

  test('a cancelled call tells the callee and ends as 487', async () => {
    const caller = await signalling();
    const callee = await signalling();
    const arrived = new Promise<InboundCall>((resolve) => callee.sip.link.onCall(resolve));
    const call = caller.sip.link.call(callee.uri, { sdp });
    const inbound = await arrived;
    const cancelled = once(inbound.events, 'cancelled');
    call.cancel();
    await cancelled;
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'refused' && outcome.answer.status, 487);
    assert.equal(callee.sip.stats?.pendingInbound, 0);
  });

  test('a challenge with SHA-256 beside MD5 is answered with SHA-256, for the URI that was sent', async () => {
    const caller = await signalling();
    const callee = await signalling();
    const digest = 'realm="a, b", nonce="n", qop="auth"';
    const given: string[] = [];
    callee.sip.link.onCall((call) => {
      const authorization = call.header('authorization');
      if (authorization === undefined) {
        call.respond(401, {
          headers: { 'WWW-Authenticate': `Digest ${digest}, algorithm=MD5,Digest ${digest}, algorithm=SHA-256` },
        });
        return;
      }
      given.push(authorization);
      void call.answer(sdp, nothing);
    });
    const outcome = await caller.sip.link.call(callee.uri, { sdp, credentials: { username: 'joe', password: 'x' } })
      .outcome;
    assert.equal(outcome.kind, 'answered');
    assert.match(given[0] ?? '', /realm="a, b".*algorithm=SHA-256/);
    assert.ok(given[0]?.includes(`uri="${callee.uri}"`));
  });

  test('who is called by a PBX that asks for a password within the call shows it, and is refused with none', async () => {
    const pbx = await signalling();
    const ours = await signalling();
    const given: string[] = [];
    const answered = new Promise<SipDialog>((resolve) => {
      ours.sip.link.onCall((call) => void call.answer(sdp, resolve));
    });
    const outcome = await pbx.sip.link.call(ours.uri, { sdp }).outcome;
    assert.ok(outcome.kind === 'answered');
    const challenge = { 'www-authenticate': 'Digest realm="pbx", nonce="n", qop="auth", algorithm=SHA-256' };
    const ask = (question: SipQuestion, status: number) => {
      const authorization = question.header('authorization');
      if (authorization === undefined) question.respond(401, { headers: challenge });
      else {
        given.push(authorization);
        question.respond(status, question.method === 'INVITE' ? { body: sdp } : {});
      }
    };
    outcome.dialog.events.on('asked', (question) => ask(question, 202));
    outcome.dialog.events.on('offered', (question) => ask(question, 200));
    const dialog = await answered;
    const refer = () => dialog.ask('REFER', { headers: { 'refer-to': '<sip:desk@pbx.example>' } });
    assert.equal((await refer()).status, 401);
    dialog.useCredentials({ username: 'trunk', password: 'x' });
    assert.equal((await refer()).status, 202);
    assert.equal((await dialog.reinvite(held)).status, 200);
    // The digest is over the Contact of the PBX, which is where the request went.
    const uri = /username="trunk".*uri="(sip:[^"]*)"/;
    for (const words of given) assert.equal(uri.exec(words)?.[1], dialog.remoteUri);
    assert.equal(given.length, 2);
    await dialog.bye();
  });

  test('a 202 to an INVITE is an answer as 200 is; a re-INVITE that is answered 481 ends the call, and the peer is told', async () => {
    const ours = await signalling();
    const localPort = await freePort();
    const run = startSipp({
      localPort,
      scenario: [
        recvRequest('INVITE', { rrs: true }),
        response('202 Accepted', { body: sdp, retransMs: 500 }),
        recvRequest('ACK'),
        recvRequest('INVITE'),
        response('481 Call/Transaction Does Not Exist', { tag: false }),
        recvRequest('ACK'),
        recvRequest('BYE', { expect: { Reason: 'cause=481' } }),
        response('200 OK', { tag: false }),
      ].join('\n'),
    });
    await whenReceiving(localPort);
    const outcome = await ours.sip.link.call(`sip:pbx@127.0.0.1:${localPort}`, { sdp }).outcome;
    assert.ok(outcome.kind === 'answered');
    const ended = once(outcome.dialog.events, 'ended');
    assert.equal((await outcome.dialog.reinvite(held)).status, 481);
    assert.deepEqual(await ended, ['server', 'The other side knows nothing of this call any more.']);
    await run.done;
    assert.equal(ours.sip.stats?.dialogs, 0);
  });

  test('a BYE that is challenged is sent again with the password, and ends the call there too; without one it is over here', async () => {
    const ours = await signalling();
    for (const credentials of [{ username: 'trunk', password: 'x' }, undefined]) {
      const seen: string[] = [];
      const localPort = await freePort();
      const asked = 'WWW-Authenticate: Digest realm="pbx", nonce="n", qop="auth"';
      const run = startSipp({
        localPort,
        scenario: [
          recvRequest('INVITE', { rrs: true }),
          response('200 OK', { body: sdp, retransMs: 500 }),
          recvRequest('ACK'),
          recvRequest('BYE'),
          response('401 Unauthorized', { tag: false, headers: [asked] }),
          ...(credentials
            ? [
                recvRequest('BYE', { expect: { Authorization: 'username="trunk"' } }),
                response('200 OK', { tag: false }),
              ]
            : []),
        ].join('\n'),
      });
      await whenReceiving(localPort);
      const outcome = await ours.sip.link.call(`sip:pbx@127.0.0.1:${localPort}`, { sdp, credentials }).outcome;
      assert.ok(outcome.kind === 'answered');
      outcome.dialog.events.on('ended', (by) => seen.push(by));
      await outcome.dialog.bye();
      await run.done;
      assert.deepEqual(seen, ['us']);
      if (credentials) assert.equal(ours.sip.stats?.dialogs, 0);
    }
  });

  test('a proxy and who is behind it are both shown the password, and a younger nonce is taken; a second no is one', async () => {
    const ours = await signalling();
    const localPort = await freePort();
    const asks = (status: string, name: string, nonce: string, more = '') =>
      response(status, { headers: [`${name}: Digest realm="pbx", nonce="${nonce}", qop="auth"${more}`] });
    const proxy = (nonce: string, more = '') =>
      asks('407 Proxy Authentication Required', 'Proxy-Authenticate', nonce, more);
    const end = (nonce: string) => asks('401 Unauthorized', 'WWW-Authenticate', nonce);
    const invited = (expect = {}) => recvRequest('INVITE', { rrs: true, expect });
    const acknowledged = recvRequest('ACK');
    const run = startSipp({
      localPort,
      scenario: [
        ...[invited(), proxy('a'), acknowledged],
        ...[invited({ 'Proxy-Authorization': 'nonce="a"' }), proxy('b', ', stale=true'), acknowledged],
        ...[invited({ 'Proxy-Authorization': 'nonce="b"' }), end('c'), acknowledged],
        // SIPp would find the first in the second.
        invited({ 'Proxy-Authorization': 'nonce="b"', body: 'username="trunk", realm="pbx", nonce="c"' }),
        ...[end('d'), acknowledged],
      ].join('\n'),
    });
    await whenReceiving(localPort);
    const credentials = { username: 'trunk', password: 'x' };
    const outcome = await ours.sip.link.call(`sip:pbx@127.0.0.1:${localPort}`, { sdp, credentials }).outcome;
    assert.equal(outcome.kind === 'refused' && outcome.answer.status, 401);
    await run.done;
  });

  test('a call without an offer gets one from the callee and sends the answer in the ACK', async () => {
    const caller = await signalling();
    const callee = await signalling();
    const acknowledged = new Promise<string>((resolve) => {
      callee.sip.link.onCall((call) => void call.answer(sdp, (dialog) => dialog.events.on('acknowledged', resolve)));
    });
    const outcome = await caller.sip.link.call(callee.uri, { onOffer: async (offer) => offer.replace('4000', '4444') })
      .outcome;
    assert.equal(outcome.kind, 'answered');
    assert.match(await acknowledged, /m=audio 4444/);
  });

  test('requests outside calls, and without a handler', async () => {
    const caller = await signalling();
    const callee = await signalling();
    assert.equal((await caller.sip.link.request('OPTIONS', callee.uri)).status, 200);
    assert.equal(
      (await caller.sip.link.request('MESSAGE', callee.uri, { body: 'hi', headers: { 'content-type': 'text/plain' } }))
        .status,
      405,
    );
    callee.sip.link.onRequest((request) => request.respond(202, { headers: { 'X-Said': request.body } }));
    const answer = await caller.sip.link.request('MESSAGE', callee.uri, {
      body: 'grüße',
      headers: { 'content-type': 'text/plain' },
    });
    assert.deepEqual([answer.status, answer.header('X-Said')], [202, 'grüße']);
  });
});

describe('the link', () => {
  /** A relay that can fall silent or die, in front of the control port. */
  async function relay(target: number): Promise<{ port: number; stall(): void; cut(): void; server: Server }> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      const onward = connect(target, '127.0.0.1');
      sockets.push(socket, onward);
      for (const each of [socket, onward]) each.on('error', nothing);
      socket.on('close', () => onward.destroy());
      onward.on('close', () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    closing.push({
      close: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return {
      port: typeof address === 'object' ? (address?.port ?? 0) : 0,
      server,
      stall: () => {
        for (const socket of sockets) {
          socket.unpipe();
          socket.resume();
        }
      },
      cut: () => {
        for (const socket of sockets.splice(0)) socket.destroy();
      },
    };
  }

  test.each(['cut', 'stall'] as const)('a %s link ends its calls on both sides and comes back', async (how) => {
    const server = await SipServer.create({ hosts: ['127.0.0.1'], port: 0 });
    const way = await relay(server.control.port);
    const link = await SipLink.connect({
      ...server.control,
      port: way.port,
      log,
      pingIntervalMs: 100,
      pingTimeoutMs: 100,
    });
    closing.push(link, server);
    const caller = await signalling();
    const ours = new Promise<string>((resolve) => {
      link.onCall((call) => void call.answer(sdp, (dialog) => dialog.events.on('ended', (by) => resolve(by))));
    });
    const outcome = await caller.sip.link.call(`sip:x@127.0.0.1:${server.listenPoints[0]?.port}`, { sdp }).outcome;
    assert.ok(outcome.kind === 'answered');
    const theirs = once(outcome.dialog.events, 'ended');
    const back = once(link.events, 'connected');
    way[how]();
    assert.equal(await ours, 'lost');
    assert.equal((await theirs)[0], 'peer');
    await back;
    assert.equal(link.callCount, 0);
    const again = await caller.sip.link.call(`sip:x@127.0.0.1:${server.listenPoints[0]?.port}`, { sdp }).outcome;
    assert.equal(again.kind, 'answered');
  });

  test('a wrong secret is said at once', async () => {
    const server = await SipServer.create({ hosts: ['127.0.0.1'], port: 0 });
    closing.push(server);
    await assert.rejects(SipLink.connect({ ...server.control, secret: 'no', log }), { code: 'unauthorized' });
  });
});
