import assert from 'node:assert/strict';
import { afterEach, expect, test, vi } from 'vitest';
import { Bans } from '#core/bans.ts';
import { someRooms } from '#test/support/some-room.ts';
import { Defence } from './defence.ts';

const minuteMs = 60_000;
const from = (address: string, headers: Record<string, string> = {}) => ({
  ...{ source: { address, port: 5060, protocol: 'udp' }, callId: 'x' },
  header: (name: string) => headers[name],
});

async function someDefence(exemptNetworks: string[] = []) {
  const { store, log } = someRooms();
  const settings = { isEnabled: true, tolerance: 3, firstBanMs: minuteMs, maxBanMs: minuteMs, exemptNetworks };
  const bans = await Bans.create({ store, settings });
  const limits = { callsPerSecondPerAddress: 2, callsPerSecond: 8 };
  return { bans, log, defence: new Defence({ bans, ...limits, exemptNetworks, log }) };
}

test('who calls numbers that are nobody’s again and again is banned, which the log says in a line for fail2ban', async () => {
  const { bans, defence, log } = await someDefence();
  const caller = from('192.0.2.1');
  for (let i = 0; i < 6; i++) defence.note('nowhere', caller);
  expect(bans.isBanned('192.0.2.1')).toBe(false);
  defence.note('nowhere', caller);
  expect([bans.isBanned('192.0.2.1'), bans.isBanned('192.0.2.2')]).toEqual([true, false]);
  expect(bans.all[0]?.reason).toBe('Too many calls to nobody.');
  const offences = log.lines.filter(({ message }) => message === 'sip offence');
  expect([offences.length, offences[0]?.fields]).toMatchObject([7, { offender: '192.0.2.1', offence: 'nowhere' }]);
  expect(log.lines.at(-1)).toMatchObject({ message: 'sip address banned', fields: { offender: '192.0.2.1' } });
});

test.each(['friendly-scanner', 'sipcli/v1.8', 'SIPVicious', 'VaxSIPUserAgent/3.1', 'pplsip'])(
  '%s is a scanner, and banned with its first request',
  async (agent) => {
    const { bans, defence } = await someDefence();
    expect(defence.isScanner(from('192.0.2.3', { 'user-agent': agent }))).toBe(true);
    expect(bans.isBanned('192.0.2.3')).toBe(true);
  },
);

test('the names of PBXs and phones are none of a scanner', async () => {
  const { bans, defence } = await someDefence();
  for (const agent of ['Asterisk PBX 20', 'FreeSWITCH', 'Cisco-CUCM12.5', 'Yealink SIP-T46', 'sipp', 'baresip v1.0']) {
    expect(defence.isScanner(from('192.0.2.4', { 'user-agent': agent, from: '"Bob" <sip:bob@h>' })), agent).toBe(false);
  }
  expect(bans.all).toEqual([]);
});

afterEach(() => void vi.restoreAllMocks());

test('an address has its calls a second, twice as many at once, and exempt ones are not bound by that', async () => {
  vi.spyOn(performance, 'now').mockReturnValue(1_000_000);
  const { defence } = await someDefence(['10.0.0.0/8']);
  const isTaken = (address: string) => {
    try {
      defence.assertMayCall(from(address));
      return true;
    } catch (error) {
      expect(error).toMatchObject({
        code: 'rate_limited',
        retryAfterMs: expect.toSatisfy((ms: number) => ms >= 1_000),
      });
      return false;
    }
  };
  const ofOne = Array.from({ length: 10 }, () => isTaken('192.0.2.1'));
  expect(ofOne).toEqual([...Array(4).fill(true), ...Array(6).fill(false)]);
  expect(isTaken('192.0.2.2')).toBe(true);
  expect(Array.from({ length: 50 }, () => isTaken('10.1.2.3'))).not.toContain(false);
});

test('what one address may not, it does not take from the calls that all of them may make', async () => {
  const settings = { isEnabled: false, tolerance: 10, firstBanMs: 1, maxBanMs: 1, exemptNetworks: [] };
  const bans = await Bans.create({ store: someRooms().store, settings });
  const limits = { callsPerSecondPerAddress: 0.001, callsPerSecond: 2, exemptNetworks: [] };
  const defence = new Defence({ bans, ...limits, log: someRooms().log });
  const call = (address: string) =>
    defence.assertMayCall({ source: { address, port: 5060, protocol: 'udp' }, callId: 'a@b' });
  call('192.0.2.1');
  for (let i = 0; i < 50; i++) assert.throws(() => call('192.0.2.1'), { code: 'rate_limited' });
  for (const other of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) call(other);
  // Those were all that there are.
  assert.throws(() => call('192.0.2.5'), { code: 'rate_limited' });
});
