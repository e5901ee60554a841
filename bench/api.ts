// How many requests a second the API answers and how long the slowest hundredth takes: the list of rooms and the making of
// a join token, against two servers of bare Hono on the same Node adapter in the same run: one that does the work of the
// route as an application would that has only this one (it checks the key, validates what is asked, writes down who asked,
// signs with the same code, and turns its objects into the same JSON with an ETag), and one that answers a text of the same
// size and does nothing. What the first has not: rate limits, request ids, counters, a store, the address for players.
// Run: node scripts/run.mjs node bench/api.ts [seconds] [connections] [rooms]
//
// The load generator and the server share the machine; both sides of a comparison pay for it alike. They take turns, a
// second each, so that what else the machine does falls on both.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type ClientRequest, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { tokenInput } from '#api/contract.ts';
import { SignedTokens } from '#api/signed-tokens.ts';
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

async function listening(app: Hono): Promise<{ url: string; close: () => Promise<unknown> }> {
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => new Promise((closed) => server.close(closed)) };
}

/** One route that reads the body, if there is one, and answers the text. */
function idleHono(text: string): Hono {
  const app = new Hono();
  app.get('/', (c) => c.body(text, 200, { 'content-type': 'application/json' }));
  app.post('/', async (c) => {
    await c.req.json();
    return c.body(text, 201, { 'content-type': 'application/json' });
  });
  return app;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** @param answer what the API answered: the list is kept as objects, the token is made anew */
function workingHono(answer: { readonly items?: readonly unknown[]; readonly play?: unknown }): Hono {
  const app = new Hono();
  const expected = sha256(adminKey);
  const tokens = new SignedTokens(new Uint8Array(32).fill(7));
  const database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE audit (at INTEGER, who TEXT, what TEXT, room TEXT)');
  const write = database.prepare('INSERT INTO audit VALUES (?, ?, ?, ?)');
  app.use(async (c, next) => {
    const [, key = ''] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? [];
    if (!timingSafeEqual(sha256(key), expected)) return c.json({ code: 'unauthorized' }, 401);
    return next();
  });
  app.get('/', (c) => {
    const text = JSON.stringify(answer);
    const etag = `"${sha256(text).toString('base64url').slice(0, 16)}"`;
    return c.body(text, 200, { 'content-type': 'application/json', etag });
  });
  app.post('/', async (c) => {
    const { user, name, role, attributes, ttlMs = 600_000 } = tokenInput.parse(await c.req.json());
    const expiresAtMs = Date.now() + ttlMs;
    const [id, room] = [randomUUID(), 'RM_4zVbNz0mGh2x'];
    const grant = {
      tokenId: id,
      room,
      user,
      displayName: name ?? user,
      role,
      attributes: attributes ?? {},
      expiresAtMs,
    };
    const token = await tokens.signJoin(grant);
    write.run(Date.now(), 'admin', 'createToken', room);
    const url = `${new URL(c.req.url).origin}/r/room-0#token=${token}`;
    return c.json({ id, token, url, play: answer.play, expiresAt: new Date(expiresAtMs).toISOString() }, 201);
  });
  return app;
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
  const peers = [
    { name: 'Hono doing the same', server: await listening(workingHono(JSON.parse(text))) },
    { name: 'Hono doing nothing', server: await listening(idleHono(text)) },
  ];
  const theirs = peers.map(
    ({ name, server }): Target => ({ ...mine, name, url: server.url, perSecond: [], latenciesMs: [] }),
  );
  const targets = [mine, ...theirs];
  try {
    for (const target of targets) await loadFor(target, 500);
    for (const target of targets) for (const list of [target.perSecond, target.latenciesMs]) list.length = 0;
    for (let second = 0; second < seconds; second++) for (const target of targets) await loadFor(target, 1_000);
    console.log(`${what}, ${text.length} characters, ${connections} connections, ${seconds} s each:`);
    for (const target of targets) report(target);
    for (const { name, perSecond } of theirs) {
      console.log(`  ratio to ${name}: ${(median(mine.perSecond) / median(perSecond)).toFixed(3)}`);
    }
  } finally {
    await Promise.all(peers.map(({ server }) => server.close()));
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
