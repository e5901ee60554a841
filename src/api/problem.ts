// Owns: errors as RFC 9457 problems. May import: core, ./field-issues.

import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type ErrorCode, errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import { type FieldIssue, unfolded } from './field-issues.ts';

export const problemMediaType = 'application/problem+json';

/** RFC 9457 §3.1, with the extensions `code`, `requestId` and `errors`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly requestId?: string | undefined;
  readonly errors?: readonly { readonly path: string; readonly message: string }[] | undefined;
}

/** What Hono and its validators throw by themselves, by HTTP status. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  413: 'too_large',
  415: 'unsupported_media_type',
};

const wordsOfStatus: Readonly<Record<number, string>> = {
  400: 'The request body is not valid JSON.',
  415: 'Send JSON, with Content-Type: application/json (application/merge-patch+json for PATCH).',
};

/** Anything thrown while a request was handled. */
export function errorOfRequest(thrown: unknown): GatewayError {
  if (thrown instanceof HTTPException) {
    const code = codeOfStatus[thrown.status];
    if (code) return new GatewayError(code, wordsOfStatus[thrown.status] ?? titleOf(code), { cause: thrown });
  }
  // A client that goes away in the middle of its body; nobody reads this answer.
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new GatewayError('invalid_request', 'The request ended before it was complete.', { cause: thrown });
  }
  return toGatewayError(thrown);
}

export function problemBody(error: GatewayError, requestId: string | undefined): ProblemBody {
  return {
    type: `urn:switchyard:problem:${error.code}`,
    title: titleOf(error.code),
    status: error.spec.http,
    detail: error.message,
    code: error.code,
    requestId,
    errors: error.fields.length > 0 ? error.fields : undefined,
  };
}

const defaultRetryAfterMs = 2_000;

/**
 * @param error.retryAfterMs becomes Retry-After (RFC 9110 §10.2.3), whole seconds rounded up
 * @param headers of this answer alone, `Allow` with 405
 */
export function problemResponse(
  error: GatewayError,
  requestId: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const all = new Headers({ 'content-type': problemMediaType, 'cache-control': 'no-store', ...headers });
  // RFC 9110 §15.6.4: whoever is told to come again is told when.
  const isForLater = error.spec.http === 503 || error.spec.http === 429;
  const retryAfterMs = error.retryAfterMs ?? (isForLater ? defaultRetryAfterMs : undefined);
  if (retryAfterMs !== undefined) all.set('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1_000))));
  // RFC 9110 §11.6.1: a 401 names the scheme.
  if (error.code === 'unauthorized') all.set('www-authenticate', 'Bearer realm="switchyard"');
  const status = error.spec.http as ContentfulStatusCode;
  return new Response(JSON.stringify(problemBody(error, requestId)), { status, headers: all });
}

/** `room_full` as people write it: Room full. */
export function titleOf(code: ErrorCode): string {
  const words = code.replaceAll('_', ' ').replace('sdp', 'SDP');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const maxFields = 20;

/** A failed validation, with the path of each field that did not fit. */
export function invalidFields(where: string, issues: readonly FieldIssue[]): GatewayError {
  const fields = unfolded(issues.slice(0, maxFields))
    .flatMap(({ path, message, code, keys = [] }) =>
      code === 'unrecognized_keys'
        ? keys.slice(0, maxFields).map((key) => ({ path: pathText([...path, key]), message: 'is not known here' }))
        : [{ path: pathText(path), message }],
    )
    .slice(0, maxFields);
  const named = fields.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  return new GatewayError('invalid_request', `The ${where} does not fit. ${named}`.slice(0, 1_000), { fields });
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, 128);
}

/** Status codes that any route can answer; each route adds its own. */
export function statusesOf(codes: readonly ErrorCode[]): number[] {
  return [...new Set(codes.map((code) => errorTable[code].http))].sort((a, b) => a - b);
}
