// Owns: what is read from a WHIP or WHEP request before anything is done: type, credential, body. May import: core.
import { GatewayError } from '#core/errors.ts';

/** Media type without parameters, in lower case. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Whether `Accept` lets us answer with `type` (RFC 9110 §12.5.1); absent means anything. */
export function accepts(request: Request, type: string): boolean {
  const header = request.headers.get('accept');
  if (header === null || header.trim() === '') return true;
  const [group] = type.split('/');
  return header.split(',').some((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return !isRefused && (name === type || name === `${group}/*` || name === '*/*');
  });
}

/** The bearer token (RFC 6750 §2.1), undefined without one. */
export function bearerOf(request: Request): string | undefined {
  const match = /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '');
  return match?.[1];
}

/** A client that sends its body more slowly than this is not waited for. */
const bodyTimeoutMs = 10_000;

/** @throws GatewayError `too_large`, `invalid_request` */
export async function readText(request: Request, maxBytes: number, timeoutMs = bodyTimeoutMs): Promise<string> {
  const tooLarge = () => new GatewayError('too_large', `The body is longer than ${maxBytes} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  let isLate = false;
  // Ends a read that waits, as if the body had come to its end: only the flag tells the two apart.
  const timer = setTimeout(() => {
    isLate = true;
    void reader?.cancel('too slow').catch(() => undefined);
  }, timeoutMs).unref();
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      length += next.value.byteLength;
      if (length > maxBytes) throw tooLarge();
      chunks.push(next.value);
    }
    if (isLate) {
      throw new GatewayError('invalid_request', `The body did not arrive within ${timeoutMs / 1_000} s.`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (thrown) {
    if (thrown instanceof GatewayError) throw thrown;
    throw new GatewayError('invalid_request', 'The body could not be read as UTF-8 text.', { cause: thrown });
  } finally {
    clearTimeout(timer);
    // Lets go of what was refused half-way; nothing to do when all of it was read.
    await reader?.cancel().catch(() => undefined);
  }
}
