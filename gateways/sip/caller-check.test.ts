import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { TrunkInbound, TrunkRecord } from '#core/trunk.ts';
import { CallerCheck, type CallerCheckOptions } from './caller-check.ts';
import type { InboundCall } from './inbound-call.ts';

const trunkOf = (name: string, inbound: TrunkInbound): TrunkRecord => {
  return { id: `TK_${name}`, name, createdAtMs: 1, isEnabled: true, inbound };
};

/** `proof` is what comes of asking for a password: who it is, a challenge (undefined), or a refusal. */
function someCheck(trunks: TrunkRecord[], more: { callers?: 'anyone' | 'known'; proof?: string | Error } = {}) {
  const asked: string[] = [];
  const account = { username: 'alice', isEnabled: true };
  const lines = [{ trunk: { name: 'registered' }, isCalledBy: (user: string) => user === 't4711' }];
  const options = {
    trunks: { all: trunks, passwordOf: () => 'secret' },
    lines: { all: lines, find: (id: string) => ({ trunk: trunks.find((one) => one.id === id) }) },
    accounts: { find: (name: string) => (name === 'alice' ? account : undefined), passwordOf: () => 'pa55' },
    passwords: {
      claimedIn: ({ header }: InboundCall) => header('authorization'),
      prove: (_call: InboundCall, passwordOf: (name: string) => string | undefined) => {
        asked.push(passwordOf('pbx') ?? 'nobody');
        if (more.proof instanceof Error) throw more.proof;
        return more.proof;
      },
    },
    callers: more.callers ?? 'anyone',
  } as unknown as CallerCheckOptions;
  const check = new CallerCheck(options);
  const call = (uri: string, address: string, headers: Record<string, string> = {}) => {
    const given: Record<string, string> = { from: '<sip:bob@h>', to: `<${uri}>`, ...headers };
    const source = { address, port: 5060, protocol: 'udp' };
    const found = check.check({ uri, source, header: (name: string) => given[name] } as unknown as InboundCall);
    return found && { ...found, trunk: found.line?.trunk.name, account: found.account?.username };
  };
  return { call, asked };
}

const carrier = trunkOf('carrier', { addresses: ['192.0.2.0/24'] });

test('the address of the packet decides, whatever the headers say of themselves', () => {
  const { call } = someCheck([carrier]);
  expect(call('sip:1@h', '192.0.2.7')?.trunk).toBe('carrier');
  const liar = call('sip:1@h', '198.51.100.1', { from: '<sip:x@192.0.2.7>', via: 'SIP/2.0/UDP 192.0.2.7' });
  expect([liar?.trunk, liar?.rejected[0]?.reason]).toEqual([undefined, '198.51.100.1 is in none of its addresses']);
});

test('what was called is in the Request-URI, in To where the trunk says so, and in To of a call to our Contact', () => {
  const byTo = trunkOf('by-to', { addresses: ['198.51.100.0/24'], numberIn: 'to' });
  const { call } = someCheck([carrier, byTo]);
  const to = { to: '"Demo" <sip:+4930123@carrier.example>;tag=x' };
  expect(call('sip:account@h', '192.0.2.7', to)?.uri).toBe('sip:account@h');
  expect(call('sip:account@h', '198.51.100.7', to)?.uri).toBe('sip:+4930123@carrier.example');
  const registered = call('sip:t4711@h', '203.0.113.9', to);
  expect([registered?.trunk, registered?.uri]).toEqual(['registered', 'sip:+4930123@carrier.example']);
});

test('a trunk with addresses and a name has to fit both: the address alone is asked for the password', () => {
  const both = trunkOf('both', { addresses: ['192.0.2.0/24'], username: 'pbx' });
  const challenged = someCheck([both]);
  expect([challenged.call('sip:1@h', '192.0.2.7'), challenged.asked]).toEqual([undefined, ['secret']]);
  expect(someCheck([both], { proof: 'pbx' }).call('sip:1@h', '192.0.2.7')?.trunk).toBe('both');
  const wrong = someCheck([both], { proof: new GatewayError('forbidden', 'wrong') });
  expect(() => wrong.call('sip:1@h', '192.0.2.7')).toThrow('wrong');
  expect(someCheck([both]).call('sip:1@h', '198.51.100.1', { authorization: 'pbx' })?.trunk).toBeUndefined();
});

test('who says it is an account has to show it, and with callers: known everybody has to', () => {
  const stranger = someCheck([]);
  expect([stranger.call('sip:1@h', '192.0.2.7')?.account, stranger.asked]).toEqual([undefined, []]);
  const claims = someCheck([]);
  expect([claims.call('sip:1@h', '192.0.2.7', { from: '<sip:alice@h>' }), claims.asked.length]).toEqual([undefined, 1]);
  expect(someCheck([], { proof: 'alice' }).call('sip:1@h', '192.0.2.7', { from: '<sip:alice@h>' })?.account).toBe(
    'alice',
  );
  const closed = someCheck([], { callers: 'known' });
  expect([closed.call('sip:1@h', '192.0.2.7'), closed.asked.length]).toEqual([undefined, 1]);
});
