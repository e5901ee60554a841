// baresip, a user agent of others, calls rooms: sound both ways, hold, keys, SDES that it insists on, TLS.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { Room } from '#core/room.ts';
import { Baresip, type BaresipOptions } from '#test/support/baresip.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { SipWays } from '#test/support/sip-ways.ts';
import { ack, bye, invite, pause, recv } from '#test/support/sipp.ts';
import { usualLevel } from '#test/support/tone.ts';

let ways: SipWays;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  ways = await SipWays.start('embedded', { rtp: { listenAddress: '127.0.0.1', firstPort: 43_700, lastPort: 43_799 } });
  room = await ways.warmUp();
}, 150_000);
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});
afterAll(() => ways.close());

const portOf = (protocol: string) =>
  ways.gateway.app.sip.listenPoints.find((point) => point.protocol === protocol && point.host === '127.0.0.1')?.port;
const lastCall = () => ways.gateway.app.sip.callsOf(room.id).at(-1);

async function phoneIn(): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  for (;;) {
    const [participant] = (await once(room.events, 'participantJoined', { signal })) as [{ kind: string }];
    if (participant.kind === 'sip') return;
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 400, JSON.stringify(lastCall()?.info));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function baresip(protocol: 'udp' | 'tls', options: BaresipOptions): Promise<Baresip> {
  const phone = await Baresip.start(options);
  opened.push(phone);
  const joining = phoneIn();
  phone.command('dial', `sip:demo@127.0.0.1:${portOf(protocol)};transport=${protocol}`);
  await Promise.all([joining, phone.saw('CALL_ESTABLISHED')]).catch((cause: unknown) => {
    const said = ways.gateway.log.lines.filter(({ message }) => /^call /.test(message)).slice(-3);
    throw new Error(JSON.stringify(said), { cause });
  });
  return phone;
}

/** Another phone, plain RTP, that speaks 660 Hz and is in the room for so long. */
async function another(ms: number): Promise<{ phone: PhonePeer; left: Promise<void> }> {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 660, levelDbov: -20 });
  opened.push(phone);
  const { remotePort } = phone.parameters();
  const body = `v=0\no=p 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${remotePort} RTP/AVP 0\n`;
  const joining = phoneIn();
  const answered = [recv(100, { optional: true }), recv(180, { optional: true }), recv(200, { rrs: true }), ack()];
  const run = await ways.callIn('udp', {
    service: 'demo',
    scenario: [invite({ body }), ...answered, pause(ms), bye(), recv(200)].join('\n'),
    timeoutSec: 30,
  });
  await joining;
  phone.talkTo([...ways.gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
  return { phone, left: run.done };
}

const cases: readonly (readonly [string, 'udp' | 'tls', BaresipOptions])[] = [
  ['over UDP', 'udp', { toneHz: 440 }],
  ['over TLS with SDES that it insists on', 'tls', { toneHz: 440, mediaEncryption: 'srtp-mand' }],
  ['over UDP with G.722 and SDES', 'udp', { toneHz: 440, mediaEncryption: 'srtp-mand', codec: 'G722' }],
];

test.each(cases)(
  'baresip calls %s: each phone hears the other, keys arrive, it hangs up',
  async (_how, via, options) => {
    const bare = await baresip(via, options);
    const isEncrypted = options.mediaEncryption !== undefined;
    await until(() => lastCall()?.info.isEncrypted === isEncrypted);
    const { phone, left } = await another(6_000);
    await phone.hear(1_000);
    const heard = await phone.hear(600);
    assert.ok(usualLevel(heard, 440, 8_000) > -40, `${usualLevel(heard, 440, 8_000)} dBov of baresip at the phone`);
    await until(async () => {
      const { samples, sampleRateHz } = await bare.heard();
      const last = samples.slice(-sampleRateHz / 2);
      return last.length > sampleRateHz / 4 && Math.abs(usualLevel(last, 660, sampleRateHz) + 20) < 2;
    });
    bare.command('sndcode', '5');
    const call = ways.gateway.app.sip.callsOf(room.id).find(({ info }) => info.displayName.includes('Bare'));
    assert.ok(call);
    await until(() => call.info.digits.includes('5'));
    bare.command('hangup');
    await until(() => call.info.end?.by === 'peer');
    await left;
  },
  60_000,
);

test('baresip holds the call and takes it back', async () => {
  const bare = await baresip('udp', { toneHz: 440 });
  const call = lastCall();
  bare.command('hold');
  await until(() => call?.info.isHeldByPeer === true);
  bare.command('resume');
  await until(() => call?.info.isHeldByPeer === false);
  bare.command('hangup');
  await until(() => call?.info.end?.by === 'peer');
}, 150_000);

test('the room hangs up on baresip, which is told', async () => {
  const bare = await baresip('tls', { toneHz: 440, mediaEncryption: 'srtp-mand' });
  const call = lastCall();
  assert.ok(call);
  await ways.gateway.api('DELETE', `/api/rooms/demo/sipcalls/${call.id}`);
  await bare.saw('CALL_CLOSED');
}, 150_000);
