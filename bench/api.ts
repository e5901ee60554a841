// How many requests a second the API answers and how long the slowest hundredth takes: the list of rooms and the making of
// a join token, against bare Hono on the same Node adapter that answers a body of the same size, in the same run.
// Run: node scripts/run.mjs node bench/api.ts [seconds] [connections] [rooms]
//
// The load generator and the server share the machine; both sides of a comparison pay for it alike. They take turns, a
// second each, so that what else the machine does falls on both.
import { once } from 'node:events';
import { Agent, type ClientRequest, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { adminKey, startGateway } from '#test/support/gateway.ts';
import { median } from './process-usage.ts';

const seconds = Number(process.argv[2] ?? 5);
const connections = Number(process.argv[3] ?? 32);
const roomCount = Number(process.argv[4] ?? 50);

const agent = new Agent({ keepAlive: true, maxSockets: connections });

interface Target {
  readonly name: string;
  readonly url: string;
  readonly method: string;
  readonly body?: string;
  readonly perSecond: number[];
  readonly latenciesMs: number[];
}

/** @returns its status and body, and how long it took */
async function ask({ url, method, body }: Target): Promise<{ text: string; ms: number }> {
  const startedAtMs = performance.now();
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
  const sent: ClientRequest = request(url, { method, agent, headers });
  sent.end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode >= 300) throw new Error(`${method} ${url}: ${response.statusCode} ${text}`);
  return { text, ms: performance.now() - startedAtMs };
}

async function loadFor(target: Target, durationMs: number): Promise<void> {
  const startedAtMs = performance.now();
  let answers = 0;
  const client = async () => {
    while (performance.now() - startedAtMs < durationMs) {
      target.latenciesMs.push((await ask(target)).ms);
      answers += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  target.perSecond.push((answers * 1_000) / (performance.now() - startedAtMs));
}

/** Bare Hono: one route that reads the body, if there is one, and answers the text. */
async function bareHono(text: string) {
  const app = new Hono();
  app.get('/', (c) => c.body(text, 200, { 'content-type': 'application/json' }));
  app.post('/', async (c) => {
    await c.req.json();
    return c.body(text, 201, { 'content-type': 'application/json' });
  });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => new Promise((closed) => server.close(closed)) };
}

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;

function report({ name, perSecond, latenciesMs }: Target): void {
  const sorted = latenciesMs.sort((a, b) => a - b);
  const [p50, p99] = [0.5, 0.99].map((q) => quantile(sorted, q).toFixed(1));
  console.log(`  ${name}: ${median(perSecond).toFixed(0)} requests/s, p50 ${p50} ms, p99 ${p99} ms`);
}

async function compare(what: string, ours: Omit<Target, 'perSecond' | 'latenciesMs'>): Promise<void> {
  const mine: Target = { ...ours, perSecond: [], latenciesMs: [] };
  const { text } = await ask(mine);
  const peer = await bareHono(text);
  const theirs: Target = { ...mine, name: 'bare Hono', url: peer.url, perSecond: [], latenciesMs: [] };
  try {
    for (const target of [mine, theirs]) await loadFor(target, 500);
    for (const target of [mine, theirs]) for (const list of [target.perSecond, target.latenciesMs]) list.length = 0;
    for (let second = 0; second < seconds; second++) for (const target of [mine, theirs]) await loadFor(target, 1_000);
    console.log(`${what}, ${text.length} characters, ${connections} connections, ${seconds} s each:`);
    for (const target of [mine, theirs]) report(target);
    console.log(`  ratio: ${(median(mine.perSecond) / median(theirs.perSecond)).toFixed(3)}`);
  } finally {
    await peer.close();
  }
}

const gateway = await startGateway({
  limits: { requestsPerMinute: 1e9, requestsPerMinutePerKey: 1e9, tokensPerMinute: 1e9 },
});
try {
  const rooms = Array.from({ length: roomCount }, (_, n) => gateway.api('POST', '/api/rooms', { name: `room-${n}` }));
  await Promise.all(rooms);
  await compare(`List of ${roomCount} rooms`, { name: 'switchyard', method: 'GET', url: `${gateway.url}/api/rooms` });
  await compare('Making a join token', {
    name: 'switchyard',
    method: 'POST',
    url: `${gateway.url}/api/rooms/room-0/tokens`,
    body: JSON.stringify({ user: 'alice', role: 'presenter' }),
  });
} finally {
  agent.destroy();
  await gateway.close();
}
