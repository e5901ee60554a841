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

/**
 * mediasoup throws UnsupportedError where codecs do not meet, WorkerClosedError where its process has gone,
 * NotFoundError where a producer has, and TypeError or a bare Error (from the worker) for what it finds wrong.
 *
 * @param fallback what a TypeError or bare Error means here: whose fault the arguments are
 * @param what names the request in the message, `this stream`
 */
export function toSfuError(thrown: unknown, fallback: ErrorCode, what: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof errors.UnsupportedError) {
    return new GatewayError('no_common_codec', `No codec in common for ${what}.`, { cause: thrown });
  }
  if (thrown instanceof errors.WorkerClosedError) return mediaLost(thrown);
  if (thrown instanceof errors.NotFoundError) {
    return new GatewayError('closed', `What ${what} needs has ended.`, { cause: thrown });
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const message = fallback === 'invalid_request' ? `The parameters of ${what} are not valid: ${reason}.` : reason;
  return new GatewayError(fallback, message, { cause: thrown });
}
