// Owns: one POST to a receiver, bounded in time, size and where it may lead. May import: core, src/wire.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { NetPolicy } from '#core/net-policy.ts';
import { dial } from '#wire/dial.ts';

export interface PostOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly policy: NetPolicy;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  /** Of the answer, when it says when to come again. */
  readonly retryAfterMs: number | undefined;
  /** Its body, as far as it is of any use. */
  readonly text: string;
}

/** Nobody has more than this to say. */
const maxAnswerBytes = 64_000;
const maxRetryAfterMs = 3_600_000;

/**
 * The name is resolved and judged for each attempt, and the address that passed is the one connected to. Redirects are
 * not followed: they are an answer like any other.
 * @throws GatewayError `forbidden`, `upstream_failed`, `upstream_refused`, `timeout`, `closed`
 */
export async function post({ url, headers, body, policy, timeoutMs, signal }: PostOptions): Promise<PostAnswer> {
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([late, signal]);
  try {
    const isEncrypted = url.protocol === 'https:';
    const port = url.port === '' ? (isEncrypted ? 443 : 80) : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket = await dial({ scheme: url.protocol.slice(0, -1), host, port }, isEncrypted, {
      policy,
      signal: either,
    });
    try {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const request = httpRequest({
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        headers: { ...headers, host: url.host, 'content-length': Buffer.byteLength(body), connection: 'close' },
        createConnection: () => socket,
        signal: either,
      });
      request.on('response', resolve);
      request.on('error', reject);
      request.end(body);
      const response = await promise;
      const text = await drained(response);
      const retryAfterMs = retryAfterOf(response.headers['retry-after']);
      return { status: response.statusCode ?? 0, retryAfterMs, text };
    } finally {
      socket.destroy();
    }
  } catch (thrown) {
    if (signal.aborted) throw new GatewayError('closed', 'Not sent: the gateway is closing.', { cause: thrown });
    if (late.aborted) throw new GatewayError('timeout', `No answer within ${timeoutMs / 1_000} s.`, { cause: thrown });
    if (thrown instanceof GatewayError) throw thrown;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new GatewayError('upstream_failed', `The receiver could not be reached: ${reason}.`, { cause: thrown });
  }
}

/** A receiver that answers without end is cut off; its status counts. */
async function drained(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxAnswerBytes) break;
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    throw toGatewayError(
      cause instanceof GatewayError ? cause : new GatewayError('upstream_failed', 'The receiver hung up.', { cause }),
    );
  }
}

function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header.trim())) return undefined;
  return Math.min(maxRetryAfterMs, Number(header) * 1_000);
}
