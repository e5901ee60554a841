// Callers that hold a place and do nothing with it: they never send their ACK, or never type the PIN.
import assert from 'node:assert/strict';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { level } from '#test/support/tone.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({
    sip: {
      ...{ isEnabled: true, access: 'open', limits: { unacknowledgedPerAddress: 2, askingPerAddress: 2 } },
      timers: { t1Ms: 50, t2Ms: 400, t4Ms: 500 },
    },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_400, lastPort: 43_449 },
  });
}, 60_000);

afterAll(() => gateway?.close());

async function call(acknowledges: boolean, room = 'demo', ownAddress = '127.0.0.1'): Promise<SipCaller> {
  const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const server = { address: '127.0.0.1', port: point?.port ?? 0 };
  return SipCaller.call({ server, room, ownAddress, codec: 'pcmu', toneHz: 440, acknowledges });
}

const records = async () => (await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=50')).items;

test('it hears nothing, one more than the address may have is refused with the reason, and its record says whose fault it was', async () => {
  const silent = [await call(false), await call(false)];
  await assert.rejects(call(false), /503[\s\S]*wait for their ACK[\s\S]*Retry-After: 5/);
  const [first] = silent;
  assert.ok(first);
  // A greeting would be heard by now: what comes is silence.
  expect(level(await first.phone.hear(1_000))).toBeLessThan(-60);
  expect((await records()).filter(({ state }) => state === 'connected')).toEqual([]);
  const ends = async () => (await records()).map(({ end }) => end).filter((end) => end?.reason === 'no_ack');
  await expect.poll(ends, { timeout: 20_000 }).toMatchObject([
    { by: 'peer', reason: 'no_ack', blame: 'upstream' },
    { by: 'peer', reason: 'no_ack', blame: 'upstream' },
  ]);
  expect(gateway.app.phones.legs.size).toBe(0);
  // Their places are free again, for who does it right: that one is greeted.
  const right = await call(true);
  await expect.poll(async () => level(await right.phone.hear(300)), { timeout: 10_000 }).toBeGreaterThan(-50);
  await right.close();
  for (const { phone } of silent) phone.close();
}, 60_000);

test('so many calls of one address may be at a PIN; one more is refused with the reason and builds nothing, others are not', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'guarded', sip: { access: 'pin', pin: '4711' } });
  const asking = [await call(true, 'guarded'), await call(true, 'guarded')];
  const legs = gateway.app.phones.legs.size;
  await assert.rejects(call(true, 'guarded'), /503[\s\S]*2 calls of this address are at a PIN[\s\S]*Retry-After: 5/);
  expect(gateway.app.phones.legs.size).toBe(legs);
  const [refused] = await records();
  expect(refused).toMatchObject({
    to: expect.stringContaining('guarded'),
    end: { reason: 'rate_limited', sipStatus: 503 },
  });
  const metrics = async () =>
    (await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } })).text();
  expect(await metrics()).toMatch(/switchyard_sip_calls\{state="asking"\} 2/);
  expect(await metrics()).toMatch(
    /sip_calls_ended_total\{direction="inbound",reason="rate_limited",blame="client"\} [1-9]/,
  );

  // Who brings the PIN along is asked nothing, and other addresses have places of their own.
  const knowing = await call(true, 'guarded*4711');
  const other = await call(true, 'guarded', '127.0.0.3');
  // Let in, it leaves its place to the next.
  asking[0]?.phone.press('4711#');
  await expect.poll(() => [...gateway.app.sip.live].filter(({ info }) => info.state === 'connected').length).toBe(2);
  const next = await call(true, 'guarded');
  for (const caller of [...asking, knowing, other, next]) await caller.close();
  await expect.poll(() => gateway.app.phones.legs.size).toBe(0);
}, 60_000);
