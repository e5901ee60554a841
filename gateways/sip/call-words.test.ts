import { describe, expect, test } from 'vitest';
import { callerOf } from './caller.ts';
import { assertDialable, inviteHeaders } from './dial-request.ts';
import { digitsOf } from './info-digits.ts';

const from = (headers: Record<string, string>) => callerOf((name) => headers[name]);

describe('the caller', () => {
  test.each([
    ['"Alice \\"A\\"" <sip:alice@host>;tag=1', 'Alice "A"', 'alice'],
    ['Bob <sip:bob@host;transport=tcp>', 'Bob', 'bob'],
    ['<sip:+4930123@host>', '+4930123', '+4930123'],
    ['sip:carol@host;tag=9', 'carol', 'carol'],
    ['"" <sip:host>', 'Phone', ''],
    ['nonsense', 'Phone', ''],
    ['"\u0007\u202e" <sip:eve@host>', 'eve', 'eve'],
  ])('of From %s is named', (value, displayName, user) => {
    expect(from({ from: value })).toMatchObject({ displayName, user });
  });

  test('is named by P-Asserted-Identity first, and not at all where privacy is asked for', () => {
    const headers = { from: '<sip:anonymous@x>', 'p-asserted-identity': '"Dan" <sip:dan@host>' };
    expect(from(headers).displayName).toBe('Dan');
    expect(from({ ...headers, privacy: 'ID' })).toMatchObject({ displayName: 'Anonymous', user: 'anonymous' });
  });
});

describe('who sets Remote-Party-ID', () => {
  const party = '"Eve" <sip:+4930777@pbx>;party=calling;screen=yes';
  const sender = '<sip:trunk@pbx>';

  test('is believed before From, and after P-Asserted-Identity', () => {
    expect(from({ from: sender, 'remote-party-id': party })).toMatchObject({ displayName: 'Eve', user: '+4930777' });
    const asserted = { from: sender, 'remote-party-id': party, 'p-asserted-identity': '<tel:+4930555>' };
    expect(from(asserted)).toMatchObject({ displayName: '+4930555', user: '+4930555' });
  });

  test.each(['full', 'name', '"uri"', 'FULL'])('may keep the number private with privacy=%s', (privacy) => {
    const caller = from({ from: sender, 'remote-party-id': `${party};privacy=${privacy}` });
    expect(JSON.stringify(caller)).not.toMatch(/Eve|4930777|trunk/);
    expect(caller.user).toBe('anonymous');
  });

  test.each(['off', 'none'])('does not by privacy=%s', (privacy) =>
    expect(from({ from: sender, 'remote-party-id': `${party};privacy=${privacy}` }).user).toBe('+4930777'),
  );
});

test.each(['none', 'session', 'critical', 'idle'])('Privacy: %s hides no number', (privacy) =>
  expect(from({ from: '<sip:bob@host>', privacy }).user).toBe('bob'),
);

test.each([' '.repeat(8_000), `${' \\\\'.repeat(4_000)}"`, `<sip:${'1'.repeat(8_000)}x@h>`])(
  'a header that would take a pattern for ever is cut, case %#',
  (header) => expect(from({ from: header }).displayName.length).toBeLessThanOrEqual(128),
);

describe('an address to call', () => {
  test.each([
    'sip:alice@host',
    'sips:alice@host.example:5061;transport=tcp',
    'sip:+4930@[2001:db8::1]:5060',
    'sip:host',
    'tel:+49-30-123',
  ])('%s is taken', (uri) => expect(() => assertDialable(uri)).not.toThrow());

  test.each([
    '',
    'alice',
    'http://host/',
    'sip:a@host\r\nVia: x',
    'sip:a@host|x',
    'sip:a b@host',
    'sip:a@host>',
    'sip:a@host,sip:b@host',
    `sip:${'a'.repeat(600)}@host`,
  ])('%j is refused', (uri) => expect(() => assertDialable(uri)).toThrow(/SIP address/));
});

describe('the headers of a call', () => {
  const dial: { from?: string; displayName?: string } = {};

  test('carry who calls, in quotes', () => {
    expect(inviteHeaders({ ...dial, from: '+4930', displayName: 'A "B"' }, 'demo')).toEqual({
      from: '"A \\"B\\"" <sip:+4930@localhost>',
    });
    expect(inviteHeaders(dial, 'demo').from).toBe('<sip:demo@localhost>');
  });

  test.each([
    { Via: 'x' },
    { contact: 'x' },
    { 'Content-Length': '0' },
    { 'X A': 'x' },
    { Unheard: 'of' },
    { 'X-A': 'x\r\nRoute: y' },
    { 'X-A': 'x'.repeat(2_000) },
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`X-${i}`, 'x'])),
  ])('%j are refused', (headers) => expect(() => inviteHeaders({ ...dial, headers }, 'demo')).toThrow(/headers/));
});

test('headers that the configuration names may be brought, but none that the call needs', () => {
  expect(inviteHeaders({ headers: { Unheard: 'of', Diversion: '<sip:a@b>' } }, 'demo', ['unheard'])).toMatchObject({
    unheard: 'of',
    diversion: '<sip:a@b>',
  });
  expect(() => inviteHeaders({ headers: { Route: 'x' } }, 'demo', ['route'])).toThrow(/set by the call/);
});

test.each([
  ['application/dtmf-relay', 'Signal=5\r\nDuration=160', '5'],
  ['application/dtmf-relay', 'Signal= #\r\n', '#'],
  ['application/dtmf-relay', 'Signal=10', '*'],
  ['application/dtmf', '7', '7'],
  ['Application/DTMF; x=y', '123', '123'],
  ['application/dtmf-relay', 'Duration=5', ''],
  ['application/dtmf', 'x'.repeat(5_000), ''],
  ['text/plain', '5', ''],
])('INFO %s %j brings the keys "%s"', (contentType, body, keys) => {
  expect(digitsOf({ contentType, body }).join('')).toBe(keys);
});
