// Owns: what a room of the real SFU can take and give, for tests of parts that may not import the SFU.
import type { RtpCapabilities } from '#core/rtp.ts';
import { roomRtpCapabilities } from '#sfu/codecs.ts';

export const roomCapabilities = roomRtpCapabilities as RtpCapabilities;
