import { describe, expect, test } from 'vitest';
import type { DialOptions } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';
import type { TrunkOutbound, TrunkRecord } from '#core/trunk.ts';
import { planOf } from './dial-plan.ts';
import type { TrunkLine } from './trunks/trunk-line.ts';

const hosts = ['sip1.carrier.example:5070', 'sip2.carrier.example'];
const nobody = { accounts: { find: () => undefined }, phonesOf: () => [] };

function planThrough(outbound: Partial<TrunkOutbound>, options: Partial<DialOptions> = {}, allowed: string[] = []) {
  const trunk: TrunkRecord = {
    ...{ id: 'TK_1', name: 'carrier', createdAtMs: 1, isEnabled: true, outbound: { hosts, ...outbound } },
    headers: { allowed },
  };
  const line = { trunk, credentials: undefined, targetsFor: (number: string) => [{ uri: number }] };
  const lines = { outbound: () => line as unknown as TrunkLine };
  return planOf(
    { room: 'RM_1', to: '+49 (30) 123', trunk: 'carrier', ...options },
    { lines, phones: nobody, roomName: 'demo', allowedHeaders: [] },
  );
}
const codeOf = (act: () => unknown) => {
  try {
    act();
    return 'taken';
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
};

describe('the number that a trunk shows', () => {
  const number = '+4930555';
  const shown = { username: 'acct', domain: 'carrier.example', callerId: { number } };
  const by = (header: NonNullable<NonNullable<TrunkOutbound['callerId']>['header']>) =>
    planThrough({ ...shown, callerId: { number, header } }).headers;

  test('is in From, or beside the name of the account, as the carrier wants it', () => {
    expect(planThrough(shown).headers).toEqual({ from: `<sip:${number}@carrier.example>` });
    const from = '<sip:acct@carrier.example>';
    const identity = `<sip:${number}@carrier.example>`;
    expect(by('p-asserted-identity')).toEqual({ from, 'p-asserted-identity': identity });
    expect(by('p-preferred-identity')).toEqual({ from, 'p-preferred-identity': identity });
    expect(by('diversion')).toEqual({ from, diversion: `${identity};reason=unconditional` });
    const party = `${identity};party=calling;screen=yes;privacy=off`;
    expect(by('remote-party-id')).toEqual({ from, 'remote-party-id': party });
  });

  test('is hidden from the called one and told to the carrier where the call asks for privacy', () => {
    for (const header of ['p-asserted-identity', 'remote-party-id'] as const) {
      const callerId = { number, header, displayName: 'Front desk' };
      const { headers } = planThrough({ ...shown, callerId }, { headers: { PRIVACY: 'id;critical' } });
      expect(headers.from).toBe('"Anonymous" <sip:anonymous@anonymous.invalid>');
      expect(headers.privacy).toBe('id;critical');
      expect(headers[header]).toContain(`"Front desk" <sip:${number}@carrier.example>`);
      if (header === 'remote-party-id') expect(headers[header]).toMatch(/;privacy=full$/);
    }
    const open = planThrough(
      { ...shown, callerId: { number, header: 'p-asserted-identity' } },
      { headers: { Privacy: 'none' } },
    );
    expect(open.headers.from).toBe('<sip:acct@carrier.example>');
  });

  test('is one that the trunk may show, or the call is not made', () => {
    const allowed = { callerId: { number, allowed: ['+4989*'] } };
    const fromOf = (from: string) => planThrough(allowed, { from }).from;
    expect([fromOf('+4989123'), fromOf(number), fromOf('tel:+49-89-9')]).toEqual(['+4989123', number, '+49899']);
    expect(codeOf(() => fromOf('+1555'))).toBe('invalid_request');
    expect(planThrough({}, { from: '+1555' }).headers.from).toBe('<sip:+1555@sip1.carrier.example>');
  });

  test('stands after a name whose quotes are no end of it', () => {
    const callerId = { number, header: 'p-asserted-identity' } as const;
    const { headers } = planThrough({ callerId }, { displayName: 'A "B" \\ C' });
    expect(headers['p-asserted-identity']).toBe(`"A B  C" <sip:${number}@sip1.carrier.example>`);
  });
});

test.each([
  ['+49 (30) 12-34', '+49301234'],
  ['tel:+49-30-1234;phone-context=x', '+49301234'],
  ['sip:+49301234@elsewhere;user=phone', '+49301234'],
  ['alice', 'alice'],
])('a trunk calls %s as %s, at the domain of the carrier', (to, number) => {
  const { to: shown, hunt } = planThrough({ domain: 'carrier.example' }, { to });
  expect([shown, hunt.targets]).toEqual([`sip:${number}@carrier.example`, [{ uri: number }]]);
});

test.each(['', 'sip:host', '12|3', 'a b@c', '"x"'])('%j is no number that a trunk calls', (to) =>
  expect(codeOf(() => planThrough({}, { to }))).toBe('invalid_request'),
);

test('headers that the trunk allows go along, others are refused', () => {
  const headers = { Unheard: 'of' };
  expect(planThrough({}, { headers }, ['unheard']).headers.unheard).toBe('of');
  expect(codeOf(() => planThrough({}, { headers }))).toBe('invalid_request');
});
