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

/** @throws GatewayError `too_large`, `invalid_request` */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new GatewayError('too_large', `The body is longer than ${maxBytes} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body ?? []) {
      length += chunk.byteLength;
      if (length > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (thrown) {
    if (thrown instanceof GatewayError) throw thrown;
    throw new GatewayError('invalid_request', 'The body could not be read as UTF-8 text.', { cause: thrown });
  }
}
