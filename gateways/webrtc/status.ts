// Owns: GatewayError -> what WHIP and WHEP answer: RFC 9457 problems, of the same shape as the API's. May import: core.
import { type ErrorCode, toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';

/** @param headers said beside the problem: Allow, Accept-Post, CORS */
export function problemResponse(thrown: unknown, headers: Headers, log: Logger): Response {
  const error = toGatewayError(thrown);
  const { http: status } = error.spec;
  if (error.code === 'internal') log.error({ err: thrown }, 'request failed');
  else log.info({ code: error.code, detail: error.message }, 'request refused');
  headers.set('content-type', 'application/problem+json');
  headers.set('cache-control', 'no-store');
  if (error.retryAfterMs !== undefined) {
    headers.set('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  }
  // RFC 9110 §11.6.1: a 401 names the scheme.
  if (status === 401) headers.set('www-authenticate', 'Bearer realm="switchyard"');
  const problem = {
    type: `urn:switchyard:problem:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.message,
    code: error.code,
  };
  return new Response(JSON.stringify(problem), { status, headers });
}

/** `room_full` as people write it: Room full. */
function titleOf(code: ErrorCode): string {
  const words = code.replaceAll('_', ' ').replace('sdp', 'SDP');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
