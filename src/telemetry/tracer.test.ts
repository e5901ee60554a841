import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { Tracer } from './tracer.ts';

let collector: Server;
let url: string;
let status = 200;
const bodies: string[] = [];

beforeEach(async () => {
  status = 200;
  bodies.length = 0;
  collector = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    bodies.push(text);
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});

afterEach(() => void collector.close());

const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

test.each([
  [`00-${traceId}-${spanId}-01`, [traceId, spanId]],
  [`00-${traceId}-${spanId}-00`, undefined],
  [`00-${'0'.repeat(32)}-${spanId}-01`, 'another'],
  [`00-${traceId}-${'0'.repeat(16)}-01`, 'another'],
  [`ff-${traceId}-${spanId}-01`, 'another'],
  ['garbage', 'another'],
  [undefined, 'another'],
])('a request with the traceparent %s', async (header, expected) => {
  const tracer = await Tracer.create({ url, samplePercent: 100, version: '1', log: new KeepingLog() });
  tracer.startRequest(header, { 'http.request.method': 'GET' }).end({ name: 'GET /x', error: '500' });
  await tracer.close();
  const [span] = bodies.flatMap((text) => JSON.parse(text).resourceSpans[0].scopeSpans[0].spans);
  if (expected === undefined) {
    assert.equal(span, undefined);
    return;
  }
  assert.deepEqual([span.name, span.kind, span.status], ['GET /x', 2, { code: 2, message: '500' }]);
  if (expected === 'another') assert.ok(!span.parentSpanId && span.traceId !== traceId);
  else assert.deepEqual([span.traceId, span.parentSpanId], expected);
});

test('a collector that is away costs spans and one line in the log, and nothing else', async () => {
  status = 400;
  const log = new KeepingLog();
  const tracer = await Tracer.create({ url, samplePercent: 100, version: '1', log, flushIntervalMs: 5 });
  for (let i = 0; i < 6_000; i++) tracer.start('one', { i }).end();
  await tracer.close();
  assert.equal(log.lines.filter(({ message }) => message.includes('not brought')).length, 1);
  tracer.start('late', {}).end();
});

test('of two gateways in one process each complains of its own collector, in its own log', async () => {
  status = 400;
  const logs = [new KeepingLog(), new KeepingLog()] as const;
  const open = (log: KeepingLog) => Tracer.create({ url, samplePercent: 100, version: '1', log });
  const [first, second] = [await open(logs[0]), await open(logs[1])];
  const complaints = () =>
    logs.map(({ lines }) => lines.filter(({ message }) => message.includes('not brought')).length);
  first.start('one', {}).end();
  await first.close();
  assert.deepEqual(complaints(), [1, 0]);
  second.start('one', {}).end();
  await second.close();
  assert.deepEqual(complaints(), [1, 1]);
});

test('of traces that nobody samples nothing is sent', async () => {
  const tracer = await Tracer.create({ url, samplePercent: 0, version: '1', log: new KeepingLog() });
  const span = tracer.start('one', {});
  span.note('something');
  span.end();
  assert.equal(span.isSampled, false);
  await tracer.close();
  assert.equal(bodies.length, 0);
});
