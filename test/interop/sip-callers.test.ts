// Who calls and how it ends where nobody says so: numbers that are to stay private, and phones that fall silent.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { byeComes, callWithPhone, hangUp, nextPhone } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { pause } from '#test/support/sipp.ts';

const number = '+49301234567';
let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_500, lastPort: 43_599, timeoutMs: 1_500 },
  });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function caller(name: string, rest: string, headers: string[] = []) {
  await gateway.app.rooms.create({ name });
  const joining = nextPhone(await gateway.app.rooms.open(name));
  const call = await callWithPhone(gateway, name, rest, { toneHz: 440, headers });
  opened.push(call);
  return { participant: await joining, ...call };
}

const callOf = async (room: string) =>
  (await gateway.api<{ items: SipCallResource[] }>('GET', `/api/sip/calls?room=${room}`)).items[0];

/** Whatever a browser in the room, an application and a receiver of events see of it. */
const shown = async (room: string) =>
  JSON.stringify([
    await gateway.api('GET', `/api/rooms/${room}/participants`),
    await gateway.api('GET', `/api/events?room=${room}&type=participant.*`),
  ]);

test('a number that is to stay private (RFC 3323, RFC 3325 §9.3) is seen by nobody in the room', async () => {
  const identity = `P-Asserted-Identity: "Ada" <sip:${number}@pbx.example>`;
  const open = await caller('open', [pause(300), hangUp].join('\n'), [identity]);
  assert.equal(open.participant.displayName, 'Ada');
  assert.match(await shown('open'), /Ada/);
  await open.run.done;

  const hidden = await caller('hidden', [pause(300), hangUp].join('\n'), [identity, 'Privacy: Id']);
  assert.deepEqual([hidden.participant.displayName, hidden.participant.user], ['Anonymous', 'anonymous']);
  const seen = await shown('hidden');
  assert.doesNotMatch(seen, /Ada|49301234567/);
  assert.match(seen, /Anonymous/);
  await hidden.run.done;
});

test('a phone that falls silent without a word is let go, and the record says so', async () => {
  const { phone, run } = await caller('silent', byeComes('rtp_timeout'));
  await phone.hear(500);
  phone.stopTalking();
  await run.done;
  const { end } = (await callOf('silent')) ?? {};
  assert.deepEqual([end?.reason, end?.by], ['rtp_timeout', 'us']);
});
