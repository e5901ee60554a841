// Owns: a client of the HTTP API for programs: one function for each operation of the OpenAPI document. Plain JavaScript with
// its types beside it, so that Node, Deno, Bun and browsers take it as it is, from the package or from a gateway's /client/.
// May import: ./operations.mjs, which is made from the document.
import { operations } from './operations.mjs';

const defaultTimeoutMs = 30_000;
const ownFields = new Set(['query', 'body', 'headers', 'signal', 'timeoutMs']);

/** What the gateway answered instead of doing it: a problem of RFC 9457. */
export class ApiError extends Error {
  constructor(operation, response, problem) {
    super(`${operation}: ${problem.detail ?? problem.title ?? `answered with ${response.status}`}`);
    this.name = 'ApiError';
    this.operation = operation;
    this.status = response.status;
    this.code = problem.code ?? 'unknown';
    this.detail = problem.detail ?? '';
    /** Which fields were wrong, and how. */
    this.errors = problem.errors ?? [];
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    this.retryAfterMs = Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined;
    this.problem = problem;
  }
}

/** No connection to it, or no answer in time. */
export class Unreachable extends Error {
  constructor(url, cause) {
    super(`${url} cannot be reached: ${reasonOf(cause)}`, { cause });
    this.name = 'Unreachable';
    this.url = url;
  }
}

/**
 * @param options.url of the gateway
 * @param options.token API key, session or join token
 */
export function createClient(options) {
  const ask = (name) => async (input) => (await send(options, name, input ?? {})).data;
  const calls = Object.fromEntries(Object.keys(operations).map((name) => [name, ask(name)]));
  return { ...calls, withResponse: (name, input) => send(options, name, input ?? {}) };
}

/** Every item of a list, page by page as they are asked for. */
export async function* itemsOf(list, input = {}) {
  let after;
  do {
    const page = await list({ ...input, query: { ...input.query, ...(after === undefined ? {} : { after }) } });
    yield* page.items;
    after = page.next;
  } while (after !== null);
}

async function send(options, name, input) {
  const operation = operations[name];
  if (operation === undefined) throw new TypeError(`The API has no operation ${name}.`);
  const url = addressOf(options.url, operation, name, input);
  const response = await answerTo(options, operation, url, input);
  const data = await contentOf(response, url);
  if (!response.ok && response.status !== 304) throw new ApiError(name, response, problemOf(data));
  return { data, status: response.status, headers: response.headers };
}

function addressOf(base, [, path], name, input) {
  const filled = path.replace(/\{(\w+)\}/g, (_, field) => {
    const value = input[field];
    if (value === undefined || value === '') throw new TypeError(`${name} needs ${field}.`);
    return encodeURIComponent(String(value));
  });
  const known = new Set([...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => field));
  const odd = Object.keys(input).find((field) => !known.has(field) && !ownFields.has(field));
  if (odd !== undefined) throw new TypeError(`${name} takes no ${odd}.`);
  const url = new URL(base.replace(/\/+$/, '') + filled);
  for (const [field, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined) url.searchParams.set(field, String(value));
  }
  return url;
}

async function answerTo({ token, fetch: own, timeoutMs: usual }, [method, , contentType], url, input) {
  const { body, headers, signal, timeoutMs = usual ?? defaultTimeoutMs } = input;
  const timer = AbortSignal.timeout(timeoutMs);
  try {
    return await (own ?? fetch)(url, {
      method,
      headers: {
        accept: 'application/json, text/plain;q=0.5',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, timer]) : timer,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Unreachable(url.origin, cause);
  }
}

async function contentOf(response, url) {
  let text;
  try {
    text = await response.text();
  } catch (cause) {
    throw new Unreachable(url.origin, cause);
  }
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  if (text === '') return undefined;
  return isJson ? JSON.parse(text) : text;
}

const problemOf = (data) => (typeof data === 'object' && data !== null ? data : { detail: data });

/** The runtime says "fetch failed" and keeps the reason below it. */
function reasonOf(cause) {
  if (cause?.name === 'TimeoutError') return 'no answer in time';
  const deeper = cause?.cause;
  return deeper?.code ?? deeper?.message ?? cause?.message ?? String(cause);
}
