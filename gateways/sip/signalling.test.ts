import assert from 'node:assert/strict';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { SipSource, statusOf } from '#test/support/sip-source.ts';
import { SipSignalling } from './signalling.ts';

let signalling: SipSignalling;
let source: SipSource;
let log: KeepingLog;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  log = new KeepingLog();
  const sip = { isEnabled: true, hosts: ['127.0.0.1'], port: 0, hasTcp: false, hasTls: false };
  const config = configSchema.parse({ sip }).sip;
  const screen = ({ uri }: { readonly uri: string }) =>
    uri.startsWith('sip:full@') ? { reason: 'No room.', retryAfterMs: 1_000 } : undefined;
  signalling = await SipSignalling.create({ config, screen, log });
  source = await SipSource.open({ address: '127.0.0.1', serverPort: signalling.listenPoints[0]?.port ?? 0 });
});

afterEach(async () => {
  source.socket.close();
  await signalling.close();
  vi.useRealTimers();
});

test('calls that are refused unseen are told of in one line, and not again', async () => {
  const told = () => log.lines.filter(({ message }) => message === 'calls refused unseen').map(({ fields }) => fields);
  vi.advanceTimersByTime(10_000);
  assert.deepEqual(told(), []);
  for (const callId of ['one', 'two', 'three']) {
    assert.equal(statusOf(await source.ask('INVITE', { service: 'full', callId })), 503);
  }
  vi.advanceTimersByTime(10_000);
  expect(told()).toEqual([expect.objectContaining({ refused: 3, waitedTooLong: 0, withinMs: 10_000 })]);
  vi.advanceTimersByTime(20_000);
  assert.equal(told().length, 1);
});
