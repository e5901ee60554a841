import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import type { AccountRecord } from '#core/sip-account.ts';
import { type Binding, ContactBook } from './contact-book.ts';

const account: AccountRecord = {
  ...{ id: 'SA_1', username: 'alice', displayName: undefined, isEnabled: true, maxContacts: 2 },
  ...{ sealedPassword: 's', createdAtMs: 0 },
};

function someBook() {
  const now = { ms: 1_000 };
  const book = new ContactBook(() => now.ms);
  const told: string[] = [];
  book.events.on('online', () => told.push('online'));
  book.events.on('offline', () => told.push('offline'));
  const phone = (uri: string, over: Partial<Binding> = {}): Binding => ({
    ...{ uri, userAgent: '', source: 'udp/192.0.2.1:5060', path: undefined, callId: uri, cseq: 1 },
    ...{ registeredAtMs: now.ms, expiresAtMs: now.ms + 60_000 },
    ...over,
  });
  return { now, book, told, phone };
}

test('an account is online from its first phone to the end of its last one, and is told of once', () => {
  const { now, book, told, phone } = someBook();
  book.update(account, [phone('sip:a@h1')]);
  book.update(account, [phone('sip:a@h2', { expiresAtMs: 90_000 })]);
  assert.deepEqual(
    book.of(account.id).map(({ uri }) => uri),
    ['sip:a@h2', 'sip:a@h1'],
  );
  now.ms = 61_001;
  book.sweep();
  assert.deepEqual([book.of(account.id).length, book.onlineCount, told.join()], [1, 1, 'online']);
  now.ms = 90_001;
  book.sweep();
  assert.deepEqual([book.of(account.id).length, book.onlineCount, told.join()], [0, 0, 'online,offline']);
});

test('a refresh replaces its phone, whatever its parameters; an older one of the same Call-ID does nothing', () => {
  const { book, phone } = someBook();
  book.update(account, [phone('sip:a@h1:5070;transport=tcp', { callId: 'x', cseq: 5 })]);
  assert.equal(book.update(account, [phone('sip:A@H1:5070;ob', { callId: 'x', cseq: 6 })]), undefined);
  assert.equal(book.update(account, [phone('sip:a@h1:5070', { callId: 'x', cseq: 6 })]), 'out_of_order');
  assert.equal(book.of(account.id).length, 1);
});

test('phones from before a restart hold until their time is over, and do not overrule who registered since', () => {
  const { book, told, phone } = someBook();
  const kept: string[] = [];
  book.changes.on('changed', (id) => kept.push(id));
  book.restore(account, [phone('sip:a@h1'), phone('sip:a@h2', { expiresAtMs: 900 })]);
  assert.deepEqual([book.of(account.id).map(({ uri }) => uri), told.join()], [['sip:a@h1'], 'online']);
  book.restore(account, [phone('sip:a@h3')]);
  assert.deepEqual(
    book.of(account.id).map(({ uri }) => uri),
    ['sip:a@h1'],
  );
  assert.deepEqual(kept, [], 'what comes from the store is not written there again');
});

test('one phone too many changes nothing; taking one out is always possible', () => {
  const { book, phone } = someBook();
  book.update(account, [phone('sip:a@h1'), phone('sip:a@h2')]);
  assert.equal(book.update(account, [phone('sip:a@h3')]), 'too_many');
  assert.equal(book.of(account.id).length, 2);
  assert.equal(book.update(account, [phone('sip:a@h1', { callId: 'y', expiresAtMs: 0 })]), undefined);
  assert.equal(book.update(account, [phone('sip:a@h3')]), undefined);
  book.clear(account);
  assert.deepEqual(book.of(account.id), []);
});

test('a phone that comes back at another address takes its own place, by its instance and its way', () => {
  const { book, phone } = someBook();
  const here = { id: '<urn:uuid:1>', regId: '' };
  for (const uri of ['sip:x1@one.invalid', 'sip:x2@two.invalid', 'sip:x3@three.invalid', 'sip:x4@four.invalid']) {
    assert.equal(book.update(account, [phone(uri, { instance: here })]), undefined);
    assert.deepEqual(
      book.of(account.id).map(({ uri }) => uri),
      [uri],
    );
  }
  assert.equal(book.update(account, [phone('sip:y@h2', { instance: { ...here, regId: '2' } })]), undefined);
  assert.equal(book.of(account.id).length, 2, 'its second way is one more');
  assert.equal(book.update(account, [phone('sip:z@h3', { instance: { id: '<urn:uuid:2>', regId: '' } })]), 'too_many');
});

test('a restarted phone without an instance is not kept out by what it was, and takes the place of no other', () => {
  const { book, phone } = someBook();
  const snom = { userAgent: 'snom' };
  book.update(account, [phone('sip:a@h1:1001', snom)]);
  book.update(account, [phone('sip:a@h1:1002', { ...snom, source: 'udp/192.0.2.1:6000' })]);
  assert.equal(book.update(account, [phone('sip:a@h1:1003', { ...snom, source: 'udp/192.0.2.1:7000' })]), undefined);
  assert.deepEqual(
    book.of(account.id).map(({ uri }) => uri),
    ['sip:a@h1:1003', 'sip:a@h1:1002'],
  );
  assert.equal(book.update(account, [phone('sip:b@h2', { ...snom, source: 'udp/192.0.2.2:6000' })]), 'too_many');
  assert.equal(book.update(account, [phone('sip:b@h2', { userAgent: 'yealink' })]), 'too_many');
  const three = ['sip:c@h1', 'sip:d@h1', 'sip:e@h1'].map((uri) => phone(uri, snom));
  assert.equal(book.update(account, three), 'too_many');
  assert.equal(book.of(account.id).length, 2);
});
