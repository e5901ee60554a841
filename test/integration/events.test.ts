// The event log of a real gateway: as pages, as server-sent events and over WebSocket.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { afterAll, beforeAll, test } from 'vitest';
import WebSocket from 'ws';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { WebhookReceiver } from '#test/support/webhook-receiver.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    netPolicy: { allow: ['127.0.0.0/8'] },
    webhooks: { firstRetryMs: 5, maxRetryMs: 50 },
  });
});
afterAll(() => gateway.close());

interface Event {
  readonly id: string;
  readonly type: string;
  readonly room: { id: string; name: string } | null;
  readonly data: Record<string, unknown>;
}
type Page = { items: Event[]; next: string | null };

const headers = { authorization: `Bearer ${adminKey}` };

/** Reads frames of the stream until it has seen so many events. */
async function follow(query: string, count: number, extra: Record<string, string> = {}) {
  const controller = new AbortController();
  const response = await fetch(`${gateway.url}/api/events${query}`, {
    headers: { ...headers, accept: 'text/event-stream', ...extra },
    signal: AbortSignal.any([controller.signal, AbortSignal.timeout(20_000)]),
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const frames: { id: string | undefined; event: string; data: Event }[] = [];
  const done = (async () => {
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        text = text.slice(end + 2);
        const data = fields.get('data');
        if (data) frames.push({ id: fields.get('id'), event: fields.get('event') ?? '', data: JSON.parse(data) });
        if (frames.length >= count) {
          controller.abort();
          return frames;
        }
      }
    }
    return frames;
  })();
  return { done };
}

test('rooms, and what happens in them, are told in order, to pages and streams alike', async () => {
  const { done } = await follow('?type=room.*', 3);
  await gateway.api('POST', '/api/rooms', { name: 'told' });
  await gateway.api('PATCH', '/api/rooms/told', { displayName: 'Told' });
  await gateway.api('DELETE', '/api/rooms/told');
  const frames = await done;
  assert.deepEqual(
    frames.map(({ event }) => event),
    ['room.created', 'room.updated', 'room.deleted'],
  );
  assert.equal(frames[1]?.data.data.displayName, 'Told');
  assert.deepEqual(
    [...frames.map(({ id }) => id)].sort(),
    frames.map(({ id }) => id),
  );
  const { items } = await gateway.api<Page>('GET', '/api/events?type=room.*&limit=500');
  const ids = new Set(frames.map(({ id }) => id));
  assert.deepEqual(
    items.filter(({ id }) => ids.has(id)),
    frames.map(({ data }) => data),
  );
});

test('a stream that comes back gets what it missed, and a page goes on where the last one ended', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'missed' });
  const first = await gateway.api<Page>('GET', '/api/events?limit=1');
  assert.equal(first.items.length, 1);
  assert.equal(first.next, first.items[0]?.id);
  const rest = await gateway.api<Page>('GET', `/api/events?limit=500&after=${first.next}`);
  assert.equal(rest.next, null);
  const { done } = await follow('', rest.items.length, { 'last-event-id': String(first.next) });
  assert.deepEqual(
    (await done).map(({ id }) => id),
    rest.items.map(({ id }) => id),
  );
});

test('what happened in a room is told by its id when it is gone', async () => {
  const { id } = await gateway.api<{ id: string }>('POST', '/api/rooms', { name: 'short-lived' });
  await gateway.api('DELETE', `/api/rooms/${id}`);
  const { items } = await gateway.api<Page>('GET', `/api/events?room=${id}`);
  assert.deepEqual(
    items.map(({ type }) => type),
    ['room.created', 'room.deleted'],
  );
  assert.deepEqual(await gateway.api('GET', `/api/sip/calls?room=${id}`), { items: [], next: null });
  for (const path of ['events', 'sip/calls']) {
    await assert.rejects(gateway.api('GET', `/api/${path}?room=short-lived`), /404/);
  }
});

test('pages go backwards from what happened last, too', async () => {
  const all = await gateway.api<Page>('GET', '/api/events?limit=500');
  const newest = await gateway.api<Page>('GET', '/api/events?order=newest&limit=2');
  const older = await gateway.api<Page>('GET', `/api/events?order=newest&limit=500&after=${newest.next}`);
  const backwards = [...newest.items, ...older.items].map(({ id }) => id);
  assert.deepEqual(backwards, all.items.map(({ id }) => id).reverse());
  assert.equal(older.next, null);
});

test('an id of another folder is told as a gap, and nonsense is refused', async () => {
  const { done } = await follow('', 2, { 'last-event-id': 'EV_000000000001_abcdef' });
  const [gap, next] = await done;
  assert.equal(gap?.event, 'gap');
  assert.match(next?.id ?? '', /^EV_0+1_/);
  await assert.rejects(gateway.api('GET', '/api/events?after=yesterday'), /400.*id of an event/);
  await assert.rejects(gateway.api('GET', '/api/events?type=rooms.created'), /400.*stands for none/);
});

async function socket(
  first: object,
): Promise<{ messages: Event[]; ws: WebSocket; until: (n: number) => Promise<void> }> {
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}/api/events`);
  const messages: Event[] = [];
  ws.on('message', (data) => messages.push(JSON.parse(String(data))));
  await once(ws, 'open');
  ws.send(JSON.stringify(first));
  const until = async (n: number) => {
    const signal = AbortSignal.timeout(15_000);
    while (messages.length < n) await once(ws, 'message', { signal });
  };
  return { messages, ws, until };
}

test('a moderator follows its own room over WebSocket, and nobody another or all', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'mine' });
  const { items } = await gateway.api<Page>('GET', '/api/events?room=mine');
  const token = await gateway.token({ room: 'mine', role: 'moderator' });
  const mine = await socket({ token, room: 'mine', after: items[0]?.id, types: ['room.updated'] });
  await gateway.api('PATCH', '/api/rooms/demo', { displayName: 'Other' });
  await gateway.api('PATCH', '/api/rooms/mine', { displayName: 'Mine' });
  await mine.until(1);
  assert.deepEqual([mine.messages[0]?.type, mine.messages[0]?.data.displayName], ['room.updated', 'Mine']);
  mine.ws.close();
  for (const first of [{ token }, { token, room: 'demo' }, { room: 'mine' }, { token: 'sk_wrong', room: 'mine' }]) {
    const { ws, messages, until } = await socket(first);
    const closed = once(ws, 'close');
    await until(1);
    assert.equal(messages[0]?.type, 'error');
    assert.equal((await closed)[0], 1008);
  }
});

test('a follower that floods its socket is cut off', async () => {
  const { ws } = await socket({ token: adminKey });
  const closed = once(ws, 'close');
  for (let i = 0; i < 100; i++) ws.send('again');
  assert.equal((await closed)[0], 1008);
});

test('a key without the scope reads no events', async () => {
  const made = await gateway.api<{ id: string; key: string }>('POST', '/api/keys', {
    name: 'x',
    scopes: ['rooms:read'],
  });
  const response = await fetch(`${gateway.url}/api/events`, { headers: { 'x-auth-token': made.key } });
  assert.equal(response.status, 403);
});

test('a webhook made by the API gets signed events, and its log can be read and played again', async () => {
  const receiver = new WebhookReceiver();
  await receiver.open();
  try {
    const hook = await gateway.api<{ id: string; secret: string }>('POST', '/api/webhooks', {
      url: receiver.url,
      types: ['room.created'],
    });
    receiver.secret = hook.secret;
    await gateway.api('POST', '/api/rooms', { name: 'hooked' });
    await receiver.untilTaken(1);
    assert.equal(receiver.taken[0]?.event.data.name, 'hooked');
    const path = `/api/webhooks/${hook.id}`;
    const [delivery] = (await gateway.api<{ items: { id: string }[] }>('GET', `${path}/deliveries`)).items;
    await gateway.api('POST', `${path}/deliveries/${delivery?.id}/replay`);
    await receiver.untilTaken(2);
    assert.deepEqual([receiver.taken[1]?.id, receiver.taken[1]?.isReplay], [receiver.taken[0]?.id, true]);
    await gateway.api('POST', `${path}/test`);
    await receiver.untilTaken(3);
    assert.equal(receiver.taken[2]?.event.type, 'webhook.tested');
    const all = await gateway.api<Page>('GET', '/api/events?limit=1');
    const replayed = await gateway.api<{ count: number }>('POST', `${path}/replay`, { after: all.items[0]?.id });
    await receiver.untilTaken(3 + replayed.count);
    assert.equal(receiver.forged, 0);
    const shown = await gateway.api<Record<string, unknown>>('GET', path);
    assert.ok(!('secret' in shown) && !JSON.stringify(shown).includes(hook.secret.slice(6)));
    await gateway.api('DELETE', path);
    await assert.rejects(gateway.api('GET', path), /404/);
  } finally {
    await receiver.shut();
  }
});
