// Owns: SDPs of real peers for tests. Chromium's and GStreamer's were recorded; those of OBS (libdatachannel), FFmpeg's
// WHIP muxer, Firefox and Safari are written after what these send.
import { readFileSync } from 'node:fs';

export const sdpFixtures = [
  'chromium-send',
  'chromium-receive',
  'chromium-simulcast',
  'chromium-sendrecv-data',
  'ffmpeg-whip',
  'firefox-simulcast',
  'gstreamer-send',
  'obs',
  'obs-simulcast',
  'safari-receive',
] as const;

export type SdpFixture = (typeof sdpFixtures)[number];

export function readSdp(name: SdpFixture): string {
  return readFileSync(new URL(`../fixtures/sdp/${name}.sdp`, import.meta.url), 'utf8');
}
