// Owns: what mediasoup throws, in the words of the error table. Pure.
import { errors } from 'mediasoup';
import { type ErrorCode, GatewayError } from '#core/errors.ts';

const retryAfterMs = 1_000;

export function mediaLost(cause?: unknown): GatewayError {
  return new GatewayError('media_lost', 'The media worker of this room was lost; join its media again.', {
    cause,
    retryAfterMs,
  });
}

/** What is said of a TypeError or bare Error; what exactly it was stands in its cause, for the log. */
const messages = {
  invalid_request: (what: string, reason: string) => `The parameters of ${what} are not valid: ${reason}.`,
  closed: (what: string) => `It has ended: ${what}.`,
  overloaded: (what: string) => `There is no capacity for ${what} at the moment.`,
  internal: () => 'Something went wrong on our side; the server log has the details.',
} as const satisfies Partial<Record<ErrorCode, (what: string, reason: string) => string>>;

/** Whose doing it is when mediasoup refuses without saying so. */
export type Fallback = keyof typeof messages;

/**
 * mediasoup throws UnsupportedError where codecs do not meet, WorkerClosedError where its process has gone,
 * NotFoundError where a producer has, and TypeError or a bare Error (from the worker) for what it finds wrong.
 *
 * @param what names the object in the message, `this stream`
 */
export function toSfuError(thrown: unknown, fallback: Fallback, what: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof errors.UnsupportedError) {
    return new GatewayError('no_common_codec', `No codec in common for ${what}.`, { cause: thrown });
  }
  if (thrown instanceof errors.WorkerClosedError) return mediaLost(thrown);
  if (thrown instanceof errors.NotFoundError)
    return new GatewayError('closed', messages.closed(what), { cause: thrown });
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new GatewayError(fallback, messages[fallback](what, reason), { cause: thrown });
}
