// Traces as a collector gets them: a small OTLP receiver, and what a gateway sends it.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
  readonly events: readonly { name: string }[];
  readonly status: { code?: number };
}

let collector: Server;
let gateway: TestGateway;
const spans: ReceivedSpan[] = [];
const seen: { path: string | undefined; authorization: string | undefined; service: unknown }[] = [];

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const [{ resource, scopeSpans }] = JSON.parse(text).resourceSpans;
    seen.push({
      path: request.url,
      authorization: request.headers.authorization,
      service: resource.attributes[0],
    });
    for (const scope of scopeSpans) spans.push(...scope.spans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    collector.emit('spans');
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  gateway = await startGateway({
    sip: { isEnabled: true },
    telemetry: { otlp: { url, authorization: 'Bearer traces' } },
  });
}, 30_000);
afterAll(async () => {
  await gateway.close();
  collector.close();
});

async function received(fits: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
  for (;;) {
    const found = spans.find(fits);
    if (found) return found;
    await once(collector, 'spans');
  }
}
const attributeOf = ({ attributes }: ReceivedSpan, key: string) =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];

test('requests, joins and calls become spans with their ids, under the trace of whoever asked', async () => {
  const traceId = 'a'.repeat(32);
  const answer = await fetch(`${gateway.url}/api/rooms/demo`, {
    headers: { authorization: `Bearer ${adminKey}`, traceparent: `00-${traceId}-${'b'.repeat(16)}-01` },
  });
  const request = await received(({ name }) => name === 'GET /api/rooms/:room');
  assert.deepEqual([request.traceId, request.parentSpanId, request.kind], [traceId, 'b'.repeat(16), 2]);
  assert.equal(attributeOf(request, 'http.response.status_code'), 200);
  assert.equal(attributeOf(request, 'request.id'), answer.headers.get('x-request-id'));
  assert.ok(BigInt(request.endTimeUnixNano) >= BigInt(request.startTimeUnixNano));
  expect(seen[0]).toEqual({
    ...{ path: '/v1/traces', authorization: 'Bearer traces' },
    service: { key: 'service.name', value: { stringValue: 'switchyard' } },
  });

  const unsampled = { authorization: `Bearer ${adminKey}`, traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00` };
  await fetch(`${gateway.url}/api/rooms`, { headers: unsampled });
  const { peer } = await SignallingPeer.join(gateway.webSocketUrl, { token: await gateway.token() });
  await peer.request('leave', {});
  const stay = await received(({ name }) => name === 'participant');
  assert.match(String(attributeOf(stay, 'participant.id')), /^PA_/);
  assert.match(String(attributeOf(stay, 'room.id')), /^RM_/);
  assert.equal(attributeOf(stay, 'participant.kind'), 'webrtc');

  const nobody = await gateway.api<{ id: string }>('POST', '/api/rooms/demo/sipcalls', {
    to: 'sip:nobody@127.0.0.1:9',
  });
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${nobody.id}`);
  const call = await received((span) => span.name === 'call' && attributeOf(span, 'call.id') === nobody.id);
  assert.equal(attributeOf(call, 'call.direction'), 'outbound');
  assert.ok(attributeOf(call, 'reason'));
  const job = await received((span) => span.name === 'job mix');
  assert.match(String(attributeOf(job, 'job.id')), /^JB_/);
  assert.ok(!spans.some((span) => span.traceId === 'c'.repeat(32)));
  assert.ok(!JSON.stringify(spans).includes(adminKey));
}, 60_000);
