// Owns: what SRT answers for each GatewayError, and what a refusal of a server means to us. Pure. May import: core/errors.
import { type ErrorCode, GatewayError } from '#core/errors.ts';

/** libsrt's own reasons, and those of its access control guideline (1000 and more), as `srt_getrejectreason` has them. */
export const rejection = {
  unknown: 0,
  rogue: 4,
  version: 8,
  badSecret: 10,
  unsecure: 11,
  messageApi: 12,
  congestion: 13,
  filter: 14,
  group: 15,
  badRequest: 1_400,
  unauthorized: 1_401,
  overload: 1_402,
  forbidden: 1_403,
  notFound: 1_404,
  badMode: 1_405,
  unacceptable: 1_406,
  conflict: 1_409,
  unsupportedMedia: 1_415,
  internal: 1_500,
  unimplemented: 1_501,
  down: 1_503,
} as const;

/** In a handshake a reason stands behind this. */
export const rejectionBase = 1_000;

const codes: Partial<Record<ErrorCode, number>> = {
  invalid_request: rejection.badRequest,
  unauthorized: rejection.unauthorized,
  forbidden: rejection.forbidden,
  not_found: rejection.notFound,
  method_not_allowed: rejection.badMode,
  not_acceptable: rejection.unacceptable,
  conflict: rejection.conflict,
  unsupported_media_type: rejection.unsupportedMedia,
  room_full: rejection.overload,
  limit_reached: rejection.overload,
  rate_limited: rejection.overload,
  overloaded: rejection.overload,
  draining: rejection.down,
  timeout: rejection.down,
};

export function rejectionOf(error: GatewayError): number {
  return codes[error.code] ?? rejection.internal;
}

/** What the handshake itself is refused for: a reason of libsrt's and words for the log. */
export class HandshakeRefusal extends GatewayError {
  readonly rejection: number;

  constructor(reason: number, message: string) {
    super('invalid_request', message);
    this.rejection = reason;
  }
}

interface RefusalWords {
  readonly code: ErrorCode;
  readonly words: string;
}

const refusals: Readonly<Record<number, RefusalWords>> = {
  [rejection.version]: { code: 'upstream_refused', words: 'it speaks another version of SRT' },
  [rejection.badSecret]: { code: 'upstream_refused', words: 'the passphrase is wrong' },
  [rejection.unsecure]: { code: 'upstream_refused', words: 'one side has a passphrase and the other has none' },
  [rejection.messageApi]: { code: 'upstream_refused', words: 'it is in file mode' },
  [rejection.congestion]: { code: 'upstream_refused', words: 'it is in file mode' },
  [rejection.filter]: { code: 'upstream_refused', words: 'it asks for a packet filter' },
  [rejection.group]: { code: 'upstream_refused', words: 'it asks for bonding' },
  [rejection.badRequest]: { code: 'upstream_refused', words: 'it does not understand the stream id' },
  [rejection.unauthorized]: { code: 'upstream_refused', words: 'the stream id or its user is not authorised' },
  [rejection.forbidden]: { code: 'upstream_refused', words: 'access is forbidden' },
  [rejection.notFound]: { code: 'upstream_failed', words: 'there is no such stream at this time' },
  [rejection.badMode]: { code: 'upstream_refused', words: 'the stream is not to be had in this direction' },
  [rejection.conflict]: { code: 'upstream_failed', words: 'somebody publishes there already' },
  [rejection.overload]: { code: 'upstream_failed', words: 'it is overloaded' },
  [rejection.down]: { code: 'upstream_failed', words: 'it is down for maintenance' },
};

/** @param reason as it stands in the handshake, less 1000 */
export function refusedBy(host: string, reason: number): GatewayError {
  const { code, words } = refusals[reason] ?? { code: 'upstream_failed', words: 'it gives no reason that we know' };
  return new GatewayError(code, `${host} refused the SRT connection: ${words} (${reason}).`);
}
