import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { contactsIn, firstHopOf, grantedSeconds, routeOf, secondsIn } from './register-words.ts';

const headersOf = (headers: Record<string, string>) => ({ header: (name: string) => headers[name] });

test.each([
  ['<sip:other@a.example>;expires=90, "Us, here" <sip:t123@b.example:5060;ob>;q=0.5;expires=300', '3600', 300],
  ['<sip:other@a.example>;expires=90', '3600', 3_600],
  ['<sip:t123@b.example>', undefined, undefined],
])('the time that a registrar grants us is read from our own Contact: %s', (contact, expires, seconds) => {
  const header = headersOf({ contact, ...(expires !== undefined && { expires }) });
  assert.equal(grantedSeconds(header, 't123'), seconds);
});

test('contacts are parted at commas outside of brackets and quotes', () => {
  const found = contactsIn('"A, b" <sip:a@h;x=1,2>;expires=5;+sip.instance="<urn:uuid:1>", sip:b@h;q=1, junk, *');
  assert.deepEqual(
    found.map(({ uri }) => uri),
    ['sip:a@h;x=1,2', 'sip:b@h'],
  );
  assert.equal(found[0]?.params.get('+sip.instance'), '<urn:uuid:1>');
  assert.equal(contactsIn('<sip:a@h>,'.repeat(100)).length, 32);
});

test('each hop of a Path or Service-Route is kept in its order, but one that the control protocol could not carry', () => {
  const route = routeOf('<sip:edge.example;lr>;x=1, "core" <sip:core.example;lr>, <sip:a|b;lr>');
  assert.equal(route, '<sip:edge.example;lr>, <sip:core.example;lr>');
  assert.equal(firstHopOf(route ?? ''), 'sip:edge.example;lr');
  assert.equal(routeOf('<sip:edge.example;lr>'), 'sip:edge.example;lr');
  assert.equal(firstHopOf('sip:edge.example;lr'), 'sip:edge.example;lr');
  assert.equal(routeOf(undefined), undefined);
});

test('numbers are read only where there are some', () => {
  assert.deepEqual([secondsIn('120 (busy)'), secondsIn('x'), secondsIn('9'.repeat(12))], [120, undefined, undefined]);
});
