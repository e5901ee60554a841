// Owns: how streams of a media worker are written in RTP for the SFU. Payload types are ours: the SFU maps them.

export const trackCodecs = ['h264', 'vp8', 'vp9', 'opus', 'pcmu', 'pcma', 'g722'] as const;
export type TrackCodec = (typeof trackCodecs)[number];

interface RoomPayload {
  readonly payloadType: number;
  readonly clockRateHz: number;
  readonly parameters: {
    mimeType: string;
    payloadType: number;
    clockRate: number;
    channels?: number;
    parameters?: Record<string, unknown>;
    rtcpFeedback?: { type: string; parameter?: string }[];
  };
}

const videoFeedback = [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'ccm', parameter: 'fir' }];

function video(mimeType: string, payloadType: number, parameters: Record<string, unknown> = {}): RoomPayload {
  return {
    payloadType,
    clockRateHz: 90_000,
    parameters: { mimeType, payloadType, clockRate: 90_000, parameters, rtcpFeedback: videoFeedback },
  };
}

function audio(mimeType: string, payloadType: number, clockRate: number, channels?: number): RoomPayload {
  return {
    payloadType,
    clockRateHz: clockRate,
    parameters: {
      mimeType,
      payloadType,
      clockRate,
      ...(channels ? { channels } : {}),
      rtcpFeedback: [{ type: 'nack' }],
    },
  };
}

export const roomPayloads: Readonly<Record<TrackCodec, RoomPayload>> = {
  opus: audio('audio/opus', 100, 48_000, 2),
  pcmu: audio('audio/PCMU', 0, 8_000),
  pcma: audio('audio/PCMA', 8, 8_000),
  g722: audio('audio/G722', 9, 8_000),
  // Whatever the profile is: browsers offer to receive this one and decode them all; announced as High, nobody could
  // consume it.
  h264: video('video/H264', 101, {
    'packetization-mode': 1,
    'profile-level-id': '42e01f',
    'level-asymmetry-allowed': 1,
  }),
  vp8: video('video/VP8', 102),
  vp9: video('video/VP9', 103, { 'profile-id': 0 }),
};
