// Owns: sending a file to an HTTP or HTTPS server (PUT, POST), or having it taken away (DELETE), by the rules of a
// NetPolicy. May import: core, its neighbours.
import { type IncomingMessage, request } from 'node:http';
import { GatewayError } from '#core/errors.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { dialHttp } from './dial.ts';
import { authorizationOf } from './http-get.ts';

export interface HttpSendOptions {
  readonly method: 'PUT' | 'POST' | 'DELETE';
  readonly policy: NetPolicy;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  readonly lookup?: LookupAll | undefined;
  /** From the connection to the answer. */
  readonly timeoutMs: number;
  readonly contentType?: string | undefined;
}

const maxHeaderBytes = 16 * 1024;

/**
 * One connection each: an origin that restarts costs one file. Redirects are not followed; the answer's body is not read.
 * @param url its user and password are sent as Basic
 * What is to be taken away and is not there is fine.
 * @throws GatewayError `forbidden` by policy, `upstream_refused` (401, 403, a certificate), `upstream_failed` for any other
 *   answer but 2xx, `timeout`, `closed` when the signal fires
 */
export async function httpSend(url: URL, body: Uint8Array | undefined, options: HttpSendOptions): Promise<void> {
  const late = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, late]);
  try {
    const status = await ask(url, body, { ...options, signal });
    const isGone = options.method === 'DELETE' && (status === 404 || status === 410);
    if (!isGone) assertTaken(url, status);
  } catch (error) {
    if (options.signal.aborted) throw new GatewayError('closed', 'It is not wanted any more.', { cause: error });
    if (!late.aborted) throw error;
    throw new GatewayError('timeout', `${url.hostname} did not take it in time.`, { cause: error });
  }
}

async function ask(url: URL, body: Uint8Array | undefined, options: HttpSendOptions): Promise<number> {
  const { method, contentType, signal } = options;
  const socket = await dialHttp(url, options);
  const asked = request({
    ...{
      method,
      createConnection: () => socket,
      path: url.pathname + url.search,
      maxHeaderSize: maxHeaderBytes,
      signal,
    },
    headers: {
      host: url.host,
      'user-agent': 'switchyard',
      connection: 'close',
      ...(body && { 'content-length': body.byteLength, 'content-type': contentType ?? 'application/octet-stream' }),
      ...authorizationOf(url),
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  asked.once('response', resolve);
  asked.on('error', (cause) => reject(new GatewayError('upstream_failed', `${url.hostname} hung up.`, { cause })));
  asked.end(body);
  try {
    const response = await promise;
    response.on('error', () => undefined); // it has said what counts
    return response.statusCode ?? 0;
  } finally {
    socket.destroy();
  }
}

function assertTaken({ hostname }: URL, status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 401 || status === 403) {
    throw new GatewayError('upstream_refused', `${hostname} refused the user name or password (${status}).`);
  }
  throw new GatewayError('upstream_failed', `${hostname} answered ${status}.`);
}
