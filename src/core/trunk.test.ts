import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { isNumberIn, matchTrunk, type TrunkInbound, type TrunkRecord } from './trunk.ts';

const trunkWith = (inbound: TrunkInbound | undefined, isEnabled = true): TrunkRecord => {
  return { id: 'TK_1', name: 'one', createdAtMs: 1, isEnabled, inbound };
};
const call = { address: '192.0.2.7', dialled: '+4930123' };

test.each<[string, TrunkRecord, Partial<typeof call> & { username?: string }, string | undefined]>([
  ['its address', trunkWith({ addresses: ['192.0.2.0/24'] }), {}, undefined],
  ['an IPv6 range', trunkWith({ addresses: ['2001:db8::/32'] }), { address: '2001:db8:1::5' }, undefined],
  [
    'an IPv4 address mapped into IPv6',
    trunkWith({ addresses: ['192.0.2.7'] }),
    { address: '::ffff:192.0.2.7' },
    undefined,
  ],
  ['another address', trunkWith({ addresses: ['198.51.100.0/24'] }), {}, '192.0.2.7 is in none of its addresses'],
  ['its name', trunkWith({ username: 'pbx' }), { username: 'pbx' }, undefined],
  ['no name', trunkWith({ username: 'pbx' }), {}, 'the call shows no credentials'],
  ['another name', trunkWith({ username: 'pbx' }), { username: 'x' }, 'the credentials are of another name'],
  ['a number of its own', trunkWith({ addresses: ['192.0.2.7'], numbers: ['004930*'] }), {}, undefined],
  [
    'a number of others',
    trunkWith({ addresses: ['192.0.2.7'], numbers: ['+49301'] }),
    {},
    'it may not bring calls to +4930123',
  ],
  ['a disabled one', trunkWith({ addresses: ['192.0.2.7'] }, false), {}, 'it is disabled'],
  ['one for calls out', trunkWith(undefined), {}, 'it takes no calls (it has no "inbound")'],
])('a call is compared with a trunk: %s', (_what, trunk, over, reason) => {
  const match = matchTrunk([trunk], { ...call, ...over });
  assert.deepEqual(
    match.rejected.map((one) => one.reason),
    reason === undefined ? [] : [reason],
  );
  assert.equal(match.trunk, reason === undefined ? trunk : undefined);
});

test('a trunk with addresses and a name asks for both; the first that fits has the call', () => {
  const both = trunkWith({ addresses: ['192.0.2.7'], username: 'pbx' });
  const match = matchTrunk(
    [trunkWith({ addresses: ['10.0.0.0/8'] }), both, trunkWith({ addresses: ['192.0.2.7'] })],
    call,
  );
  assert.deepEqual([match.trunk, match.needsDigest, match.rejected.length], [both, true, 1]);
});

test('a trunk that says the number in To is asked for it there, and one that does not is not', () => {
  const inbound = { addresses: ['192.0.2.7'], numbers: ['+4930*'] };
  const byTo = trunkWith({ ...inbound, numberIn: 'to' });
  const pilot = { address: '192.0.2.7', dialled: 'account4711' };
  assert.equal(matchTrunk([byTo], { ...pilot, dialledInTo: '+4930123' }).trunk, byTo);
  const elsewhere = matchTrunk([byTo], { ...pilot, dialledInTo: '+1555' });
  assert.equal(elsewhere.rejected[0]?.reason, 'it may not bring calls to +1555');
  assert.equal(matchTrunk([trunkWith(inbound)], { ...pilot, dialledInTo: '+4930123' }).trunk, undefined);
  // Where nothing is known of To, as in a simulation.
  assert.equal(matchTrunk([byTo], call).trunk, byTo);
});

test.each([
  ['+4930123', '4930123', true],
  ['004930123', '+4930123', true],
  ['030123', '+4930123', false],
  ['alice', 'Alice', true],
  ['+493', '+4930*', false],
])('%s and %s: %s', (number, pattern, isSame) => {
  assert.equal(isNumberIn(number, [pattern]), isSame);
});
