// A client that knows nothing but /openapi.json of a running gateway: it asks for every operation with what the document
// allows, and holds every answer against the document. Longer: SWITCHYARD_CONTRACT_RUNS=1000 (requests for each operation).
import { strict as assert } from 'node:assert';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { arbitraryOf, type JsonSchema } from '#test/support/schema-arbitrary.ts';
import { readSdp } from '#test/support/sdp-fixtures.ts';

const runs = Number(process.env.SWITCHYARD_CONTRACT_RUNS ?? 8);

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>;
}

interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly required?: boolean;
  readonly schema: JsonSchema;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

interface Asked {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

interface Generated {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly body: { readonly type: string; readonly value: unknown } | undefined;
  /** Which of the known ids is named; undefined takes what was made up. */
  readonly choice: number | undefined;
}

/** Lists and creations show the ids that the others need; what deletes comes last. */
const order = ['get', 'post', 'get {}', 'put', 'patch', 'delete'];
const placeOf = ({ path, method }: Asked) => order.indexOf(method === 'get' && path.endsWith('}') ? 'get {}' : method);

let gateway: TestGateway;
let document: OpenApi;
let ajv: Ajv2020;
/** Ids that answers have shown, by the name of the path parameter that takes them. */
const known = new Map<string, string[]>([
  ['room', ['demo']],
  ['view', ['common']],
]);

beforeAll(async () => {
  // Webhooks may go to this machine, to a port where nobody is. To try again and again would be all that it does.
  gateway = await startGateway({
    netPolicy: { allow: ['127.0.0.1'], otherwise: 'deny' },
    webhooks: { firstRetryMs: 600_000 },
  });
  document = await gateway.api<OpenApi>('GET', '/openapi.json');
  ajv = new Ajv2020({ strict: false, formats: fullFormats });
  ajv.addSchema(document, 'openapi');
  const token = await gateway.token();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' };
  const body = readSdp('chromium-send');
  // Somebody is in the room and publishes.
  assert.equal((await fetch(`${gateway.url}/whip/demo`, { method: 'POST', headers, body })).status, 201);
});
afterAll(() => gateway?.close());

const resolve = (ref: string): JsonSchema => {
  const found = document.components.schemas[ref.replace('#/components/schemas/', '')];
  assert.ok(found, `${ref} leads nowhere`);
  return found;
};

function operations(): Asked[] {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return all.sort((a, b) => placeOf(a) - placeOf(b));
}

function requestFor({ operation }: Asked): fc.Arbitrary<Generated> {
  const { parameters = [], requestBody } = operation;
  const values = Object.fromEntries(
    parameters.map((parameter) => [
      keyOf(parameter),
      arbitraryOf(parameter.schema, resolve).filter(sendable(parameter)),
    ]),
  );
  const requiredKeys = parameters.filter(({ required }) => required).map(keyOf);
  const contents = Object.entries(requestBody?.content ?? {});
  const choice = fc.option(fc.nat(), { nil: undefined, freq: 5 });
  const ofAll = (isBare: boolean) => {
    const bodies = contents.map(([type, { schema }]) =>
      fc.record({ type: fc.constant(type), value: bodyOf(schema, isBare) }),
    );
    return fc.record({
      parameters: fc.record(isBare ? pick(values, requiredKeys) : values, { requiredKeys }),
      body: bodies.length === 0 ? fc.constant(undefined) : fc.oneof(...bodies),
      choice,
    });
  };
  // Half of them with nothing but what has to be there: of many things that may be there one is soon out of place.
  return fc.oneof(ofAll(true), ofAll(false));
}

function bodyOf(schema: JsonSchema, isBare: boolean): fc.Arbitrary<unknown> {
  const { $ref, ...own } = schema;
  const whole = $ref === undefined ? own : resolve($ref);
  return arbitraryOf(
    isBare ? { ...whole, properties: pick(whole.properties ?? {}, whole.required ?? []) } : whole,
    resolve,
  );
}

const pick = <T>(from: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));

const keyOf = ({ in: place, name }: Pick<Parameter, 'in' | 'name'>) => `${place} ${name}`;

/** What HTTP cannot carry: dots that every client resolves, headers with more than visible characters. */
const sendable = (parameter: Parameter) => (value: unknown) => {
  if (parameter.in === 'path') return !['', '.', '..'].includes(String(value)) && String(value).isWellFormed();
  if (parameter.in === 'header') return /^[!-~]+$/.test(String(value));
  return value !== null && String(value).isWellFormed();
};

function urlOf({ path, operation }: Asked, { parameters, choice }: Generated): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(knownId(name, choice) ?? String(parameters[`path ${name}`])),
  );
  const query = new URLSearchParams();
  for (const { in: place, name } of operation.parameters ?? []) {
    const value = parameters[keyOf({ in: place, name })];
    // Waiting is asked for in part of a second: a minute for each request is not what is tried here.
    const sent = name === 'wait' ? Number(value) % 1 : value;
    if (place === 'query' && value !== undefined) query.set(name, String(sent));
  }
  return `${gateway.url}${filled}?${query}`;
}

function knownId(name: string, choice: number | undefined): string | undefined {
  const ids = known.get(name) ?? [];
  return choice === undefined ? undefined : ids[choice % ids.length];
}

/** A room that is named in a body is one that there is, as in a path. */
function textOf({ body, choice }: Generated): string | undefined {
  const room = knownId('room', choice);
  return body && JSON.stringify(body.value, (key, value) => (key === 'room' && room !== undefined ? room : value));
}

function headersOf({ parameters, body }: Generated): Headers {
  const headers = new Headers({ authorization: `Bearer ${adminKey}` });
  if (body) headers.set('content-type', body.type);
  for (const [key, value] of Object.entries(parameters)) {
    if (key.startsWith('header ')) headers.set(key.slice('header '.length), String(value));
  }
  return headers;
}

async function ask(asked: Asked, generated: Generated): Promise<number> {
  const url = urlOf(asked, generated);
  const body = textOf(generated);
  const response = await fetch(url, {
    method: asked.method.toUpperCase(),
    headers: headersOf(generated),
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(90_000),
  });
  const text = await response.text();
  const what = `${asked.method} ${url} ${body ?? ''} → ${response.status} ${text.slice(0, 500)}`;
  const { status } = response;
  // 502: a generated URL of somewhere that nobody listens at.
  assert.ok(status < 500 || status === 502 || status === 503, what);
  check(asked, status, response.headers.get('content-type') ?? '', text, what);
  if (status < 300) remember(asked.path, text);
  return status;
}

function check({ path, method, operation }: Asked, status: number, contentType: string, text: string, what: string) {
  const documented = operation.responses[status];
  assert.ok(documented, `${what}: this status is not documented`);
  const type = contentType.split(';', 1)[0] ?? '';
  if (!documented.content) return assert.equal(text, '', `${what}: no body is documented`);
  assert.ok(documented.content[type], `${what}: ${type} is not documented`);
  if (!/json$/.test(type)) return;
  const pointer = ['paths', path, method, 'responses', String(status), 'content', type, 'schema'];
  const ref = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = ajv.getSchema(ref) ?? ajv.compile({ $ref: ref });
  assert.ok(validate(JSON.parse(text)), `${what}: ${ajv.errorsText(validate.errors)}`);
}

/** Ids of a collection are what the path below it takes. */
function remember(path: string, text: string): void {
  const below = Object.keys(document.paths).find((other) => other.startsWith(`${path}/{`) && other.endsWith('}'));
  const [, name] = /\{(\w+)\}$/.exec(below ?? '') ?? [];
  if (name === undefined) return;
  const { id, items = [] } = JSON.parse(text) as { id?: string; items?: readonly { id?: string }[] };
  const ids = [id, ...items.map((item) => item.id)].filter((found) => found !== undefined);
  known.set(name, [...new Set([...(known.get(name) ?? []), ...ids])]);
}

test(
  'whatever the document allows is answered as the document says, and never with 500',
  async () => {
    const reached = new Set<string>();
    for (const asked of operations()) {
      const property = fc.asyncProperty(requestFor(asked), async (generated) => {
        if ((await ask(asked, generated)) < 300) reached.add(asked.operation.operationId);
      });
      await fc.assert(property, { numRuns: runs });
    }
    expect(gateway.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    // It did not only knock at the door.
    expect(reached.size).toBeGreaterThan(operations().length / 2);
  },
  60_000 + runs * 30_000,
);
