// Owns: how session descriptions name the sound that we send by RTSP. Pure. May import: core only.
import type { RtpFormat } from './media-source.ts';

/** RFC 3640 §3.3.6. @param config AudioSpecificConfig */
export function aacFormat(payloadType: number, config: Uint8Array, channels = 2): RtpFormat {
  return {
    ...{ payloadType, encodingName: 'MPEG4-GENERIC', clockRateHz: 48_000, channels },
    formatParameters: {
      streamtype: '5',
      'profile-level-id': '1',
      mode: 'AAC-hbr',
      sizelength: '13',
      indexlength: '3',
      indexdeltalength: '3',
      config: [...config].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
    },
  };
}

/** RFC 7587 §7: always of two channels, whatever is in it. */
export function opusFormat(payloadType: number): RtpFormat {
  return {
    ...{ payloadType, encodingName: 'opus', clockRateHz: 48_000, channels: 2 },
    formatParameters: { 'sprop-stereo': '1' },
  };
}
