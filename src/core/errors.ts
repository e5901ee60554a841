// Owns: the one table of failures and what each protocol answers. docs/errors.md is checked against it.

interface ErrorSpec {
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /** SIP status (RFC 3261 §21). */
  readonly sip: number;
  /** Who has to act; feeds metrics and alerts. */
  readonly blame: 'client' | 'upstream' | 'server';
  /** True where the same request may succeed later. */
  readonly retryable?: true;
}

export const errorTable = {
  invalid_request: { http: 400, sip: 400, blame: 'client' },
  invalid_sdp: { http: 400, sip: 400, blame: 'client' },
  unauthorized: { http: 401, sip: 401, blame: 'client' },
  forbidden: { http: 403, sip: 403, blame: 'client' },
  not_found: { http: 404, sip: 404, blame: 'client' },
  method_not_allowed: { http: 405, sip: 405, blame: 'client' },
  not_acceptable: { http: 406, sip: 406, blame: 'client' },
  conflict: { http: 409, sip: 486, blame: 'client' },
  closed: { http: 409, sip: 481, blame: 'client' },
  must_wait: { http: 409, sip: 480, blame: 'client', retryable: true },
  not_admitted: { http: 403, sip: 603, blame: 'client' },
  consent_required: { http: 403, sip: 403, blame: 'client' },
  room_locked: { http: 423, sip: 403, blame: 'client' },
  meeting_over: { http: 410, sip: 410, blame: 'client' },
  room_full: { http: 409, sip: 486, blame: 'client', retryable: true },
  limit_reached: { http: 409, sip: 486, blame: 'client', retryable: true },
  precondition_failed: { http: 412, sip: 412, blame: 'client' },
  too_large: { http: 413, sip: 513, blame: 'client' },
  unsupported_media_type: { http: 415, sip: 415, blame: 'client' },
  range_not_satisfiable: { http: 416, sip: 400, blame: 'client' },
  unprocessable: { http: 422, sip: 488, blame: 'client' },
  no_common_codec: { http: 422, sip: 488, blame: 'client' },
  precondition_required: { http: 428, sip: 428, blame: 'client' },
  rate_limited: { http: 429, sip: 503, blame: 'client', retryable: true },
  upstream_refused: { http: 502, sip: 502, blame: 'upstream' },
  upstream_failed: { http: 502, sip: 502, blame: 'upstream', retryable: true },
  internal: { http: 500, sip: 500, blame: 'server' },
  media_lost: { http: 503, sip: 503, blame: 'server', retryable: true },
  signalling_lost: { http: 503, sip: 503, blame: 'server', retryable: true },
  overloaded: { http: 503, sip: 503, blame: 'server', retryable: true },
  insufficient_storage: { http: 507, sip: 500, blame: 'server', retryable: true }, // RFC 4918 §11.5
  draining: { http: 503, sip: 503, blame: 'server', retryable: true },
  timeout: { http: 504, sip: 408, blame: 'upstream', retryable: true },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorTable;

/** One field of a request that did not fit, as a JSON pointer-like path (`settings.lastN`). */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface GatewayErrorOptions extends ErrorOptions {
  /** Which fields were wrong, for `invalid_request`. */
  readonly fields?: readonly FieldError[];
  /** When to try again, for retryable codes. */
  readonly retryAfterMs?: number;
}

/** The only error that crosses a part's border. Its message is shown to the user: say what to do, name no internals. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  get spec(): ErrorSpec {
    return errorTable[this.code];
  }
}

/** Anything thrown, as a GatewayError: unknown ones become `internal` with their cause kept for the log. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('internal', 'Something went wrong on our side; the server log has the details.', {
    cause: thrown,
  });
}
