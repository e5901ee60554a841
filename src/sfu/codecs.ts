// Owns: the codecs that every room has, and how each behaves. Pure.
import { ortc, type types } from 'mediasoup';

/** kbit/s that browsers begin to send with instead of 300: a usable picture in the first second. */
const startBitrate = { 'x-google-start-bitrate': 1_000 };

const h264 = (profileLevelId: string, packetizationMode: 0 | 1): types.RouterRtpCodecCapability => ({
  kind: 'video',
  mimeType: 'video/H264',
  clockRate: 90_000,
  parameters: {
    'packetization-mode': packetizationMode,
    'profile-level-id': profileLevelId,
    // Sender and receiver may each have their own level (RFC 6184 §8.1).
    'level-asymmetry-allowed': 1,
    ...startBitrate,
  },
});

const vp9 = (profileId: 0 | 2): types.RouterRtpCodecCapability => ({
  kind: 'video',
  mimeType: 'video/VP9',
  clockRate: 90_000,
  parameters: { 'profile-id': profileId, ...startBitrate },
});

/**
 * In order of preference: a client that does not choose sends the first that it has. Feedback (NACK also for Opus, PLI,
 * FIR, transport-cc) is what mediasoup supports for each.
 */
export const roomCodecs: readonly types.RouterRtpCodecCapability[] = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    clockRate: 48_000,
    channels: 2,
    // RFC 7587 §6.1: what we ask senders for. Stereo is left to them, since asking for it doubles what a voice costs.
    parameters: { minptime: 10, useinbandfec: 1, usedtx: 1 },
  },
  { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8_000, channels: 1 },
  { kind: 'audio', mimeType: 'audio/PCMA', clockRate: 8_000, channels: 1 },
  // 16 kHz audio under a clock of 8 kHz, an error that RFC 3551 §4.5.2 keeps for compatibility.
  { kind: 'audio', mimeType: 'audio/G722', clockRate: 8_000, channels: 1 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, parameters: { ...startBitrate } },
  vp9(0),
  h264('42e01f', 1),
  { kind: 'video', mimeType: 'video/AV1', clockRate: 90_000, parameters: { ...startBitrate } },
  h264('4d0032', 1),
  h264('640032', 1),
  vp9(2),
  h264('42e01f', 0),
];

/** What every room's main router will answer for `rtpCapabilities`; known without a worker. */
export const roomRtpCapabilities: types.RtpCapabilities = ortc.generateRouterRtpCapabilities(
  structuredClone([...roomCodecs]),
);

export const isRtx = (codec: { readonly mimeType: string }): boolean => /\/rtx$/i.test(codec.mimeType);
