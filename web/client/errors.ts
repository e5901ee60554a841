// Owns: what goes wrong on this side of the socket. May import: signalling protocol (types).
import type { ErrorInfo } from '#signalling/protocol.ts';

/** Codes of the server's table, and those that only a client can know. */
export type ClientErrorCode =
  | ErrorInfo['code']
  /** The socket is away or went away before the answer came; the request may or may not have been done. */
  | 'disconnected'
  /** This browser cannot do WebRTC as needed. */
  | 'unsupported_browser'
  /** The browser refused a device or screen. */
  | 'permission_denied'
  | 'no_device'
  | 'device_busy';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly fields: ErrorInfo['fields'];

  constructor(
    code: ClientErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; fields?: ErrorInfo['fields'] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.fields = options.fields;
  }

  static fromServer(error: ErrorInfo): ClientError {
    return new ClientError(error.code, error.message, { retryAfterMs: error.retryAfterMs, fields: error.fields });
  }
}

export function toClientError(thrown: unknown): ClientError {
  if (thrown instanceof ClientError) return thrown;
  return new ClientError('internal', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

/** Whether the same join may work a little later, without anybody doing anything. */
export function isPassing(code: ClientErrorCode): boolean {
  return passing.has(code);
}

const passing: ReadonlySet<ClientErrorCode> = new Set([
  'disconnected',
  'timeout',
  'rate_limited',
  'internal',
  'media_lost',
  'overloaded',
  'draining',
]);
