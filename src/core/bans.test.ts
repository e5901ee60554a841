import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { Bans } from './bans.ts';

const minuteMs = 60_000;
const settings = {
  isEnabled: true,
  tolerance: 3,
  firstBanMs: minuteMs,
  maxBanMs: 10 * minuteMs,
  exemptNetworks: ['10.0.0.0/8'],
};

async function someBans() {
  const now = { ms: 1_000_000 };
  const { store } = someRooms();
  const options = { store, settings, isExempt: (address: string) => address === '192.0.2.99', nowMs: () => now.ms };
  return { now, store, options, bans: await Bans.create(options) };
}

const offend = (bans: Bans, address: string, times: number) => {
  for (let i = 0; i < times; i++) bans.note(address, 'wrong password');
};

test('who does wrong too often is banned, for four times as long each time, up to the longest', async () => {
  const { now, bans } = await someBans();
  const told: string[] = [];
  bans.events.on('banned', ({ address }) => told.push(address));
  offend(bans, '192.0.2.1', 3);
  assert.equal(bans.isBanned('192.0.2.1'), false);
  for (const minutes of [1, 4, 10, 10]) {
    offend(bans, '192.0.2.1', 4);
    assert.equal(bans.isBanned('192.0.2.1'), true);
    now.ms += minutes * minuteMs - 1;
    assert.equal(bans.isBanned('192.0.2.1'), true, `${minutes} min`);
    now.ms += 2;
    assert.equal(bans.isBanned('192.0.2.1'), false);
  }
  assert.equal(told.length, 4);
});

test('one mistake a minute is borne for ever, and some addresses are borne with anyway', async () => {
  const { now, bans } = await someBans();
  for (let i = 0; i < 100; i++) {
    bans.note('192.0.2.1', 'wrong password');
    now.ms += minuteMs;
  }
  offend(bans, '10.1.2.3', 50);
  offend(bans, '192.0.2.99', 50);
  assert.deepEqual(bans.all, []);
});

test('an IPv6 customer is one, another address is not held for it', async () => {
  const { bans } = await someBans();
  for (let i = 1; i < 6; i++) bans.note(`2001:db8::${i}`, 'x');
  assert.deepEqual([bans.isBanned('2001:db8::99'), bans.isBanned('2001:db8:0:1::1')], [true, false]);
});

test('bans by hand are ranges, outlive a restart, end by themselves and are taken back', async () => {
  const { now, bans, options } = await someBans();
  const { id } = await bans.create({ address: '198.51.100.0/24', reason: 'Scans.' });
  await bans.create({ address: '203.0.113.5', durationSec: 60 });
  const again = await Bans.create(options);
  assert.deepEqual(
    ['198.51.100.7', '203.0.113.5', '203.0.113.6'].map((one) => again.isBanned(one)),
    [true, true, false],
  );
  now.ms += 60_001;
  assert.deepEqual([again.isBanned('203.0.113.5'), again.all.length], [false, 1]);
  await again.delete(id);
  assert.equal(again.isBanned('198.51.100.7'), false);
  await assert.rejects(again.delete(id), { code: 'not_found' });
  await assert.rejects(again.create({ address: 'nowhere' }), { code: 'invalid_request' });
});

test('three thousand bans by hand hold each for its own range, and for as long as it says', async () => {
  const { now, store, options } = await someBans();
  for (let i = 0; i < 3_000; i++) {
    const address = `198.${18 + (i >> 15)}.${(i >> 7) & 255}.${(i & 127) * 2}`;
    const ban = { id: `SB_${i}`, address, source: 'api', reason: 'x', createdAtMs: i, untilMs: now.ms + 60_000 };
    await store.put('sip-bans', ban.id, ban, 0);
  }
  const bans = await Bans.create(options);
  await bans.create({ address: '198.18.0.2', durationSec: 3_600 });
  await bans.create({ address: '2001:db8::/32' });
  const asked = ['198.18.0.0', '198.18.0.1', '198.18.0.2', '198.18.20.254', '2001:db8:7::1', '2001:db9::', '192.0.2.1'];
  const all = () => asked.map((address) => bans.isBanned(address));
  assert.deepEqual(all(), [true, false, true, true, true, false, false]);
  now.ms += 61_000;
  assert.deepEqual(all(), [false, false, true, false, true, false, false]);
});
