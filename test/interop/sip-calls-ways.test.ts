// Whole calls between SIPp and the product, with real media, over every transport and on whichever SIP server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { SipWays, type WayName, wayNames, wayNamesOut } from '#test/support/sip-ways.ts';
import {
  ack,
  byeOfCallee,
  invite,
  pause,
  recv,
  recvInviteToKeep,
  recvRequest,
  request,
  response,
  responseToInvite,
} from '#test/support/sipp.ts';
import { serverKinds } from '#test/support/sipp-app.ts';
import { usualLevel } from '#test/support/tone.ts';

const calls = '/api/rooms/demo/sipcalls';
const toneHz = 440;
const levelDbov = -20;
const toleranceDb = 1.5;

const trying = [recv(100, { optional: true }), recv(180, { optional: true }), recv(183, { optional: true })];
const answered = [...trying, recv(200, { rrs: true }), ack()];
const inDialog = (method: string, cseq: number, more: Partial<Parameters<typeof request>[0]> = {}) =>
  request({ method, cseq, isInDialog: true, uri: '[next_url]', headers: ['[routes]'], retransMs: 500, ...more });
const hangUp = (cseq: number) => [inDialog('BYE', cseq), recv(200)];
/** A phone that takes no keys in RTP is told by INFO, whenever we have heard enough of it. */
const untilToldByInfo = [recvRequest('INFO', { timeoutMs: 40_000 }), response('200 OK', { tag: false })];
const endedByUs = [recvRequest('BYE'), response('200 OK', { tag: false })];
const reliable = (status: number) =>
  `<recv response="${status}" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/></action></recv>`;
const script = (...parts: (string | string[])[]): string => parts.flat().join('\n');

describe.each(serverKinds)('on the %s server', (kind) => {
  let ways: SipWays;
  let room: Room;
  const phones: PhonePeer[] = [];
  const here = kind === 'embedded' ? wayNames : wayNames.filter((name) => name === 'udp' || name === 'tcp');
  const hereOut = wayNamesOut.filter((name) => here.some((one) => one === name));

  beforeAll(async () => {
    ways = await SipWays.start(kind, {
      rtp: { listenAddress: '127.0.0.1', firstPort: 43_500, lastPort: 43_699 },
    });
    room = await ways.warmUp();
  }, 150_000);
  afterEach(async () => {
    for (const phone of phones.splice(0)) phone.close();
    await until(() => ways.gateway.app.phones.legs.size === 0);
  });
  afterAll(() => ways.close());

  async function phoneFor(way: WayName, hz = 0) {
    const address = way.endsWith('IPv6') ? '::1' : '127.0.0.1';
    const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: hz, levelDbov, address });
    phones.push(phone);
    const { remotePort } = phone.parameters();
    const family = address === '::1' ? 'IP6' : 'IP4';
    const head = `v=0\no=phone 1 1 IN ${family} ${address}\ns=-\nc=IN ${family} ${address}\nt=0 0\n`;
    const lines = `m=audio ${remotePort} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n`;
    return {
      phone,
      sdp: (direction = 'sendrecv') => `${head}${lines}a=${direction}\n`,
      sdpWithoutKeys: `${head}m=audio ${remotePort} RTP/AVP 0\na=sendrecv\n`,
    };
  }

  const legPort = () => [...ways.gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0;
  const lastCall = () => ways.gateway.app.sip.callsOf(room.id).at(-1);

  async function nextPhone(): Promise<void> {
    const signal = AbortSignal.timeout(40_000);
    for (;;) {
      const [participant] = (await once(room.events, 'participantJoined', { signal })) as [{ kind: string }];
      if (participant.kind === 'sip') return;
    }
  }

  async function until(isSo: () => boolean): Promise<void> {
    for (let tries = 0; !isSo(); tries++) {
      assert.ok(tries < 800, 'did not come about');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** A second phone in the room hears the first, which hears nothing of itself. */
  async function assertHeard(way: WayName, talker: PhonePeer): Promise<void> {
    const listener = await phoneFor(way);
    const joining = nextPhone();
    const other = await ways.callIn(way, {
      service: 'demo',
      scenario: script(invite({ body: listener.sdpWithoutKeys }), answered, untilToldByInfo, hangUp(2)),
      timeoutSec: 50,
    });
    await joining;
    const call = lastCall();
    listener.phone.talkTo(legPort());
    await listener.phone.hear(1_000);
    const heard = await listener.phone.hear(600);
    const level = usualLevel(heard, toneHz, 8_000);
    assert.ok(Math.abs(level - levelDbov) < toleranceDb, `${level} dBov`);
    const own = usualLevel(talker.samples.slice(-4_800), toneHz, 8_000);
    assert.ok(own < -60, `${own} dBov of itself`);
    await call?.sendDtmf('1');
    await other.done;
  }

  test.each(here)(
    '%s: a phone calls the room, is heard by another and hangs up',
    async (way) => {
      const { phone, sdpWithoutKeys } = await phoneFor(way, toneHz);
      const joining = nextPhone();
      const run = await ways.callIn(way, {
        service: 'demo',
        scenario: script(invite({ body: sdpWithoutKeys }), answered, untilToldByInfo, hangUp(2)),
        timeoutSec: 55,
      });
      await joining;
      const call = lastCall();
      phone.talkTo(legPort());
      await assertHeard(way, phone);
      await call?.sendDtmf('1');
      await run.done;
      assert.equal(call?.info.end?.by, 'peer');
    },
    60_000,
  );

  test.each(here)(
    '%s: without an offer the phone gets ours, and is heard',
    async (way) => {
      const { phone, sdpWithoutKeys } = await phoneFor(way, toneHz);
      const joining = nextPhone();
      const withAnswer = request({
        method: 'ACK',
        isInDialog: true,
        uri: '[next_url]',
        headers: ['[routes]'],
        body: sdpWithoutKeys,
      });
      const taken = [recv(200, { rrs: true, expect: { body: 'm=audio 43' } }), withAnswer];
      const run = await ways.callIn(way, {
        service: 'demo',
        scenario: script(invite({ body: '' }), trying, taken, untilToldByInfo, hangUp(2)),
        timeoutSec: 55,
      });
      await joining;
      const call = lastCall();
      phone.talkTo(legPort());
      await assertHeard(way, phone);
      await call?.sendDtmf('1');
      await run.done;
    },
    60_000,
  );

  test.each(here)('%s: held and taken back by re-INVITE and by UPDATE, with keys by INFO between', async (way) => {
    const { sdp } = await phoneFor(way);
    const again = (method: string, direction: string, cseq: number) => [
      inDialog(method, cseq, { body: sdp(direction) }),
      ...(method === 'INVITE' ? [recv(100, { optional: true })] : []),
      recv(200, { expect: { body: `a=${direction === 'sendonly' ? 'recvonly' : 'sendrecv'}` } }),
      ...(method === 'INVITE' ? [ack(cseq)] : []),
    ];
    const info = inDialog('INFO', 4, {
      body: 'Signal=5\nDuration=160\n',
      contentType: 'application/dtmf-relay',
      headers: ['[routes]'],
    });
    const run = await ways.callIn(way, {
      service: 'demo',
      scenario: script(
        invite({ body: sdp() }),
        answered,
        again('INVITE', 'sendonly', 2),
        again('UPDATE', 'sendrecv', 3),
        info,
        recv(200),
        again('UPDATE', 'sendonly', 5),
        again('INVITE', 'sendrecv', 6),
        hangUp(7),
      ),
    });
    await run.done;
    await until(() => lastCall()?.info.digits === '5');
  });

  test.each(here)(
    '%s: keys by RTP, from a capture that SIPp plays',
    async (way) => {
      const address = way.endsWith('IPv6') ? '::1' : '127.0.0.1';
      const family = address === '::1' ? 'IP6' : 'IP4';
      // The captures of SIPp have their events as payload type 101.
      const body = `v=0\no=sipp 1 1 IN ${family} [local_ip]\ns=-\nc=IN ${family} [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n`;
      const play = (key: string) =>
        `<nop><action><exec play_pcap_audio="/usr/share/sip-tester/dtmf_2833_${key}.pcap"/></action></nop>`;
      const run = await ways.callIn(way, {
        service: 'demo',
        scenario: script(
          invite({ body: body.replaceAll('[local_ip]', address).replaceAll('[media_ip]', address) }),
          answered,
          pause(300),
          play('4'),
          pause(700),
          play('pound'),
          pause(700),
          hangUp(2),
        ),
        args: ['-mi', address],
        timeoutSec: 15,
      });
      await run.done;
      await until(() => lastCall()?.info.digits === '4#');
    },
    20_000,
  );

  test.each(here)('%s: a caller that requires 100rel is rung reliably, then answered', async (way) => {
    const { sdp } = await phoneFor(way);
    const run = await ways.callIn(way, {
      service: 'demo',
      scenario: script(
        invite({ body: sdp(), headers: ['Require: 100rel', 'Supported: 100rel'] }),
        recv(100, { optional: true }),
        reliable(180),
        inDialog('PRACK', 2, { headers: ['RAck: [$rseq] 1 INVITE'] }),
        recv(200),
        recv(200, { rrs: true }),
        ack(),
        hangUp(3),
      ),
    });
    await run.done;
    await until(() => lastCall()?.info.end?.by === 'peer');
  });

  test.each(here)(
    '%s: session timers are agreed with the caller as refresher, with us, and not below 90 s',
    async (way) => {
      const { sdp } = await phoneFor(way);
      const asking = (refresher: 'uac' | 'uas') => [
        invite({ body: sdp(), headers: ['Supported: timer', `Session-Expires: 1800;refresher=${refresher}`] }),
        ...trying,
        recv(200, { rrs: true, expect: { 'Session-Expires': `1800;refresher=${refresher}` } }),
        ack(),
      ];
      const refresh = [
        inDialog('UPDATE', 2, { headers: ['[routes]', 'Supported: timer', 'Session-Expires: 1800;refresher=uac'] }),
        recv(200, { expect: { 'Session-Expires': '1800;refresher=uac' } }),
      ];
      for (const scenario of [script(asking('uac'), refresh, hangUp(3)), script(asking('uas'), hangUp(2))]) {
        await (await ways.callIn(way, { service: 'demo', scenario })).done;
      }
      const tooShort = [
        invite({ body: sdp(), headers: ['Supported: timer', 'Session-Expires: 30'] }),
        recv(100, { optional: true }),
        recv(422, { expect: { 'Min-SE': '90' } }),
        request({ method: 'ACK', isInDialog: true, branch: '[branch-3]' }),
      ];
      await (await ways.callIn(way, { service: 'demo', scenario: script(tooShort) })).done;
    },
  );

  test.each(hereOut)(
    '%s: the room calls a phone: early media, reliably, an answer, keys after it, our BYE',
    async (way) => {
      const { phone, sdp } = await phoneFor(way, toneHz);
      const early = response('183 Session Progress', { body: sdp(), headers: ['Require: 100rel', 'RSeq: 77'] });
      const { run, to } = await ways.waitForCall(way, {
        scenario: script(
          recvInviteToKeep({ expect: { Supported: '100rel', From: 'demo' } }),
          early,
          recvRequest('PRACK', { expect: { RAck: '77 [0-9]+ INVITE' } }),
          response('200 OK', { tag: false }),
          pause(1_500),
          responseToInvite('200 OK', sdp()),
          recvRequest('ACK'),
          endedByUs,
        ),
        timeoutSec: 30,
      });
      const joining = nextPhone();
      const making = ways.gateway.api<SipCallResource>('POST', `${calls}?wait=8`, {
        ...{ to, digits: '12', hasEarlyMedia: true },
      });
      await joining;
      assert.equal(lastCall()?.info.state, 'ringing');
      phone.talkTo(legPort());
      await phone.hear(300);
      const made = await making;
      assert.equal(made.state, 'connected', JSON.stringify(made.end));
      await phone.until(({ digits }) => digits.join('') === '12');
      await ways.gateway.api('DELETE', `${calls}/${made.id}`);
      await run.done;
    },
    30_000,
  );

  test.each(hereOut)(
    '%s: the room holds a phone by re-INVITE, and the phone hangs up',
    async (way) => {
      const { sdp } = await phoneFor(way);
      const { run, to } = await ways.waitForCall(way, {
        scenario: script(
          recvInviteToKeep(),
          response('180 Ringing'),
          response('200 OK', { body: sdp() }),
          recvRequest('ACK'),
          recvRequest('INVITE', { expect: { body: 'a=sendonly' } }),
          response('200 OK', { body: sdp('recvonly'), tag: false }),
          recvRequest('ACK'),
          pause(100),
          byeOfCallee(),
          recv(200),
        ),
        timeoutSec: 15,
      });
      const made = await ways.gateway.api<SipCallResource>('POST', `${calls}?wait=8`, { to });
      assert.equal(made.state, 'connected', JSON.stringify(made.end));
      await ways.gateway.api('PATCH', `${calls}/${made.id}`, { isHeld: true });
      await run.done;
      await until(() => lastCall()?.info.end?.by === 'peer');
    },
    20_000,
  );

  test.each(hereOut)('%s: a phone that is given up while it rings is cancelled', async (way) => {
    const { run, to } = await ways.waitForCall(way, {
      scenario: script(
        recvInviteToKeep(),
        response('180 Ringing'),
        recvRequest('CANCEL'),
        response('200 OK', { tag: false }),
        responseToInvite('487 Request Terminated'),
        recvRequest('ACK'),
      ),
    });
    const made = await ways.gateway.api<SipCallResource>('POST', calls, { to });
    await until(() => lastCall()?.info.state === 'ringing');
    await ways.gateway.api('DELETE', `${calls}/${made.id}`);
    await run.done;
  });
});
