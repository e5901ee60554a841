// Owns: what RTSP answers for each GatewayError. Pure. May import: core/errors.
import type { GatewayError } from '#core/errors.ts';

/** RFC 2326 §7.1.1; HTTP's codes fit but for these. */
export function statusOf(error: GatewayError): number {
  switch (error.code) {
    case 'no_common_codec':
    case 'unsupported_media_type':
    case 'invalid_sdp':
      return 415;
    case 'conflict':
    case 'closed':
      return 455;
    case 'room_full':
    case 'limit_reached':
    case 'overloaded':
      return 453;
    default: {
      const { http } = error.spec;
      return [400, 401, 403, 404, 405, 408, 413, 500, 501, 503].includes(http) ? http : http < 500 ? 400 : 500;
    }
  }
}
