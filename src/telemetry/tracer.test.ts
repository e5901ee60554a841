import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { parseTraceParent, Tracer } from './tracer.ts';

const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

test.each([
  [`00-${traceId}-${spanId}-01`, { traceId, spanId, isSampled: true }],
  [`00-${traceId}-${spanId}-00`, { traceId, spanId, isSampled: false }],
  [`00-${'0'.repeat(32)}-${spanId}-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`ff-${traceId}-${spanId}-01`, undefined],
  ['garbage', undefined],
  [undefined, undefined],
])('traceparent %s', (header, expected) => {
  assert.deepEqual(parseTraceParent(header), expected);
});

test('a collector that is away costs spans and one line in the log, and nothing else', async () => {
  const server = createServer((_request, response) => response.writeHead(503).end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const log = new KeepingLog();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tracer = new Tracer({ url, samplePercent: 100, version: '1', log, flushIntervalMs: 5 });
  for (let i = 0; i < 6_000; i++) tracer.start('one', { i }).end();
  await tracer.close();
  server.close();
  assert.equal(log.lines.filter(({ message }) => message.includes('not brought')).length, 1);
  assert.ok(tracer.droppedCount >= 1_000, `${tracer.droppedCount}`);
  tracer.start('late', {}).end();
});

test('of traces that nobody samples nothing is sent', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tracer = new Tracer({ url, samplePercent: 0, version: '1', log: new KeepingLog() });
  const span = tracer.start('one', {});
  span.note('something');
  span.end();
  assert.equal(span.isSampled, false);
  await tracer.close();
  server.close();
  assert.equal(asked, 0);
});
