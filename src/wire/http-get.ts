// Owns: fetching what a URL names over HTTP and HTTPS, by the rules of a NetPolicy at each hop: redirects, sizes and
// times are bounded. May import: core, its neighbours.
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { dialHttp } from './dial.ts';

export interface HttpGetOptions {
  readonly policy: NetPolicy;
  /** Ends it at once, also while the body is read. */
  readonly signal: AbortSignal;
  readonly lookup?: LookupAll | undefined;
  readonly authorities?: string | undefined;
  /** From the connection to the head of the answer, with all redirects. */
  readonly timeoutMs: number;
  /** Whose user and password are sent, to its own host alone; those of the URL itself when absent. */
  readonly credentials?: URL | undefined;
  /** Bytes from `first` to `last`, both included; without `last` to the end. */
  readonly range?: { readonly first: number; readonly last?: number | undefined } | undefined;
}

export interface HttpAnswer {
  /** Where it was found in the end: what relative URLs in it are relative to. */
  readonly url: URL;
  /** 200, or 206 where a range was asked for and given. */
  readonly status: number;
  /** Without parameters, in lower case; empty where it says none. */
  readonly contentType: string;
  /** Of the body as it comes out, where that is known beforehand. */
  readonly length: number | undefined;
  readonly headers: IncomingMessage['headers'];
  /** Decoded. Destroying it closes the connection. */
  readonly body: Readable;
}

const maxRedirects = 5;
const maxHeaderBytes = 16 * 1024;

/** @throws GatewayError `invalid_request` for what is no such URL */
export function parseHttpUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new GatewayError('invalid_request', 'A URL of HTTP looks like http://user:password@host/path.');
}

/**
 * @throws GatewayError `forbidden` by policy, `upstream_refused` for a wrong password or certificate, `upstream_failed`
 *   for any other answer, also for redirects without end, `timeout`, `closed` when the signal fires
 */
export async function httpGet(url: URL, options: HttpGetOptions): Promise<HttpAnswer> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), options.timeoutMs);
  const signal = AbortSignal.any([options.signal, late.signal]);
  try {
    return await follow(url, { ...options, signal }, options.signal);
  } catch (error) {
    if (options.signal.aborted) throw new GatewayError('closed', 'It is not wanted any more.', { cause: error });
    if (!late.signal.aborted) throw error;
    throw new GatewayError('timeout', `${url.hostname} did not answer in time.`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** @returns the whole body @throws GatewayError `too_large`, `timeout`, `upstream_failed` when it is cut off */
export async function readBody(answer: HttpAnswer, maxBytes: number, timeoutMs: number): Promise<Buffer> {
  const { body, length } = answer;
  const timer = setTimeout(
    () => body.destroy(new GatewayError('timeout', `${answer.url.hostname} sends too slowly.`)),
    timeoutMs,
  );
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    if ((length ?? 0) > maxBytes) throw tooLarge(answer, maxBytes);
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(answer, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('upstream_failed', `${answer.url.hostname} hung up in the middle.`, { cause });
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

function tooLarge({ url }: HttpAnswer, maxBytes: number): GatewayError {
  return new GatewayError(
    'too_large',
    `${url.hostname} sends more than the ${maxBytes} bytes that such a file may have.`,
  );
}

async function follow(first: URL, options: HttpGetOptions, whole: AbortSignal): Promise<HttpAnswer> {
  let url = first;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const response = await ask(url, options, options.credentials ?? first);
    const { statusCode = 0, headers } = response;
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) {
      assertOk(response, statusCode);
      return answerOf(url, response, whole);
    }
    response.destroy();
    url = parseHttpUrl(headers.location, url);
  }
  throw new GatewayError('upstream_failed', `${first.hostname} sends on and on: more than ${maxRedirects} redirects.`);
}

async function ask(url: URL, options: HttpGetOptions, credentials: URL): Promise<IncomingMessage> {
  const socket = await dialHttp(url, options);
  const { range, signal } = options;
  const asked = request({
    // Without an agent: one would connect by itself, to wherever the name leads then.
    createConnection: () => socket,
    path: url.pathname + url.search,
    maxHeaderSize: maxHeaderBytes,
    signal,
    headers: {
      host: url.host,
      accept: '*/*',
      'user-agent': 'switchyard',
      ...(range ? { range: `bytes=${range.first}-${range.last ?? ''}` } : { 'accept-encoding': 'gzip, identity' }),
      // A password is for the server it was given for, not for wherever that one sends us.
      ...(url.host === credentials.host && authorizationOf(credentials)),
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  asked.once('response', resolve);
  asked.on('error', (cause) => {
    socket.destroy();
    reject(new GatewayError('upstream_failed', `${url.hostname} hung up.`, { cause }));
  });
  asked.end();
  return promise;
}

function assertOk(response: IncomingMessage, status: number): void {
  if (status === 200 || status === 206) return;
  response.destroy();
  if (status === 401 || status === 403) {
    throw new GatewayError('upstream_refused', `The HTTP server refused the user name or password (${status}).`);
  }
  throw new GatewayError('upstream_failed', `The HTTP server answered ${status}.`);
}

function answerOf(url: URL, response: IncomingMessage, signal: AbortSignal): HttpAnswer {
  const { headers, statusCode = 0 } = response;
  const encoding = headers['content-encoding'] ?? 'identity';
  const isPlain = encoding === 'identity' || encoding === '';
  const length = isPlain && headers['content-length'] !== undefined ? Number(headers['content-length']) : undefined;
  const contentType = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  // The request's own signal ends with its head.
  const onAbort = () => response.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  response.once('close', () => signal.removeEventListener('abort', onAbort));
  if (signal.aborted) response.destroy();
  const body = isPlain ? response : decoded(response, encoding);
  body.on('error', () => undefined); // told by `close`, or by who reads it
  return { url, status: statusCode, contentType, length, headers, body };
}

/** What is unpacked is bounded by who reads it: no more of it is made than is taken. */
function decoded(response: IncomingMessage, encoding: string): Readable {
  const decoder = decoders[encoding]?.();
  if (!decoder) {
    response.destroy();
    throw new GatewayError('upstream_failed', `The HTTP server sends its answer as "${encoding.slice(0, 32)}".`);
  }
  response.on('error', (error) => decoder.destroy(error));
  response.on('close', () => response.complete || decoder.destroy(new Error('cut off')));
  decoder.once('close', () => response.destroy());
  return response.pipe(decoder);
}

const decoders: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Basic, of a URL with a user. */
export function authorizationOf({ username, password }: URL): { authorization: string } | undefined {
  if (username === '') return undefined;
  const pair = `${unescaped(username)}:${unescaped(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % belongs to the password
  }
}
