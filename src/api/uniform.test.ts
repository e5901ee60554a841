// The habits that every route has, read off the document: a route that lacks one fails here on the day it is declared.
import { strict as assert } from 'node:assert';
import { beforeAll, describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly enum?: readonly string[];
}
interface Answer {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, Answer>>;
}
interface Route extends Operation {
  readonly method: string;
  readonly path: string;
  readonly what: string;
}

let routes: readonly Route[];
let schemas: Readonly<Record<string, Schema>>;
let api: Awaited<ReturnType<typeof someApi>>;
beforeAll(async () => {
  api = await someApi();
  const document = JSON.parse(await (await api.app.request('/openapi.json')).text()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema> };
  };
  schemas = document.components.schemas;
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      return { ...operation, path, method, what: `${method.toUpperCase()} ${path}` };
    }),
  );
});

const resolved = (schema: Schema | undefined): Schema | undefined =>
  schema?.$ref === undefined ? schema : schemas[schema.$ref.split('/').at(-1) ?? ''];
const names = ({ parameters = [] }: Operation, where: string) =>
  parameters.filter((one) => one.in === where).map(({ name }) => name);
const jsonOf = (answer: Answer | undefined) => resolved(answer?.content?.['application/json']?.schema);
const of = (method: string) => routes.filter((route) => route.method === method && isClosed(route));
/** To whoever has no credential nothing is promised but an answer. */
const isClosed = ({ security }: Operation) => security === undefined || security.length > 0;

/** @returns those of the routes that something does not hold for */
const without = (some: readonly Route[], holds: (route: Route) => boolean) =>
  some.filter((route) => !holds(route)).map(({ what }) => what);

describe('every route', () => {
  test('that lists takes a cursor and a limit, and says where the next page begins', () => {
    const lists = of('get').filter((route) => jsonOf(route.responses['200'])?.properties?.items);
    assert.ok(lists.length > 20);
    assert.deepEqual(
      without(lists, (route) => ['limit', 'after'].every((name) => names(route, 'query').includes(name))),
      [],
    );
    assert.deepEqual(
      without(lists, (route) => jsonOf(route.responses['200'])?.required?.includes('next') ?? false),
      [],
    );
  });

  test('that reads JSON gives an ETag and takes it back', () => {
    const reads = of('get').filter((route) => jsonOf(route.responses['200']));
    const hasTag = ({ responses }: Route) => Object.hasOwn(responses['200']?.headers ?? {}, 'ETag');
    assert.deepEqual(without(reads, hasTag), []);
    assert.deepEqual(
      without(reads, (route) => names(route, 'header').includes('if-none-match') && '304' in route.responses),
      [],
    );
  });

  test('that posts can be asked twice under one Idempotency-Key, and says where to find what it made', () => {
    assert.deepEqual(
      without(of('post'), (route) => names(route, 'header').includes('idempotency-key')),
      [],
    );
    const made = of('post').filter(({ responses }) => '201' in responses);
    assert.deepEqual(
      without(made, ({ responses }) => Object.hasOwn(responses['201']?.headers ?? {}, 'Location')),
      [],
    );
  });

  test('that changes or deletes does so on condition', () => {
    const changes = ['patch', 'put', 'delete'].flatMap(of);
    assert.deepEqual(
      without(changes, (route) => names(route, 'header').includes('if-match') && '412' in route.responses),
      [],
    );
    assert.deepEqual(
      without(of('delete'), ({ responses }) => '204' in responses),
      [],
    );
  });

  test('that patches takes a merge patch, in which nothing is needed and nothing unknown is let pass', () => {
    const patches = of('patch');
    const bodyOf = ({ requestBody }: Route) => resolved(requestBody?.content['application/merge-patch+json']?.schema);
    assert.deepEqual(
      without(patches, (route) => bodyOf(route) !== undefined),
      [],
    );
    assert.deepEqual(
      without(patches, (route) => (bodyOf(route)?.required ?? []).length === 0),
      [],
    );
    assert.deepEqual(
      without(patches, (route) => bodyOf(route)?.additionalProperties === false),
      [],
    );
  });

  test('of an item that can be replaced can patch it too, and what can be changed can be read', () => {
    const has = (method: string, path: string) => of(method).some((route) => route.path === path);
    assert.deepEqual(
      without(of('put'), ({ path }) => has('patch', path)),
      // An image is given as a whole.
      ['PUT /api/rooms/{room}/participants/{participant}/avatar'],
    );
    assert.deepEqual(
      without([...of('patch'), ...of('put')], ({ path }) => has('get', path)),
      [],
    );
  });

  test('with a parameter in its path can answer 404, with input 400, and all of them 401, 403 and 429', () => {
    const closed = routes.filter(isClosed);
    assert.deepEqual(
      without(closed, (route) => names(route, 'path').length === 0 || '404' in route.responses),
      // A token is no record here: one that was never made can be revoked as well as one that was.
      ['DELETE /api/tokens/{token}'],
    );
    assert.deepEqual(
      without(closed, (route) => !route.requestBody || ('400' in route.responses && '415' in route.responses)),
      [],
    );
    for (const status of ['401', '403', '429', '500'])
      assert.deepEqual(
        without(closed, ({ responses }) => status in responses),
        [],
        status,
      );
    for (const status of ['429', '503']) {
      assert.deepEqual(
        without(routes, ({ path, responses }) => {
          const answer = responses[status];
          // Of /ready 503 is no refusal.
          return !answer || path === '/ready' || Object.hasOwn(answer.headers ?? {}, 'Retry-After');
        }),
        [],
      );
    }
  });

  test('refuses a query that it does not know by its name, instead of answering something else', async () => {
    const admin = { as: api.admin };
    for (const { path, method, what, requestBody } of routes.filter(isClosed)) {
      const url = `${path.replaceAll(/\{\w+\}/g, '1')}?colour=red`;
      const input = requestBody ? { json: {} } : {};
      const { status, json } = await api.call(method.toUpperCase(), url, { ...admin, ...input });
      assert.equal(status, 400, what);
      assert.deepEqual(json.errors, [{ path: 'colour', message: 'is not known here' }], what);
    }
  });

  test('has a name of its own and says what it does', () => {
    assert.equal(new Set(routes.map(({ operationId }) => operationId)).size, routes.length);
    assert.deepEqual(
      without(routes, ({ summary }) => /^[A-Z]/.test(summary)),
      [],
    );
  });
});

test('what the document says of pages and conditions is so: every list is walked, every item read again', async () => {
  const { rooms, call, admin } = api;
  const get = (url: string, options: object) => call('GET', url, options);
  const post = async (url: string, json: unknown) => {
    const made = await call('POST', url, { as: admin, json });
    assert.equal(made.status, 201, made.text);
  };
  for (const name of ['one', 'two', 'three']) await rooms.create({ name });
  for (const user of ['alice', 'bob', 'carol']) await joinAndPublish(await rooms.open('one'), user);
  for (const name of ['a', 'b', 'c']) {
    const hosts = [`${name}.example`];
    await post('/api/sip/trunks', { name, outbound: { hosts } });
    await post('/api/sip/dispatch-rules', { number: name, room: 'one' });
    await post('/api/sip/accounts', { username: name, password: name });
    await post('/api/stream-keys', { room: 'one', name });
    await post('/api/keys', { name, scopes: ['rooms:read'] });
    await post('/api/webhooks', { url: `https://${name}.example/hook` });
    await post('/api/rooms/one/messages', { text: name });
  }
  const lists = of('get').filter((route) => jsonOf(route.responses['200'])?.properties?.items);
  let walked = 0;
  for (const { path } of lists.filter((route) => names(route, 'path').every((name) => name === 'room'))) {
    const url = path.replace('{room}', 'one');
    const whole = await get(`${url}?limit=100`, { as: admin });
    assert.equal(whole.status, 200, url);
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = await get(`${url}?limit=2${after ? `&after=${encodeURIComponent(after)}` : ''}`, { as: admin });
      assert.equal(page.status, 200, `${url} ${page.text}`);
      assert.ok(page.json.items.length <= 2, url);
      seen.push(...page.json.items.map(({ id, name }: { id?: string; name: string }) => id ?? name));
      after = page.json.next;
      if (seen.length > 200) assert.fail(`${url} has no end`);
    }
    const ids = whole.json.items.map(({ id, name }: { id?: string; name: string }) => id ?? name);
    // Asking is written down and told as well.
    assert.deepEqual(seen.slice(0, ids.length), ids, url);
    if (ids.length > 2) walked++;
    const etag = whole.headers.get('etag');
    assert.ok(etag, url);
    const again = await get(`${url}?limit=100`, { as: admin, headers: { 'if-none-match': etag } });
    // What a node spends is measured anew for each answer.
    if (url !== '/api/nodes') assert.equal(again.status, 304, url);
  }
  assert.ok(walked >= 10, `${walked} lists had more than one page`);
});
