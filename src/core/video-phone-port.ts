// Owns: what the SIP application asks for the picture of a call. src/jobs/phones.ts is it. May import: core only.
import type { Leg } from './leg.ts';
import type { VideoLeg, VideoLegOptions } from './video-leg.ts';

export interface VideoPhonePort {
  /**
   * The picture of a call beside its voice, on ports of its own, which are bound when this returns. It ends with the leg.
   * @throws GatewayError `overloaded` (no port), `media_lost`, `closed`
   */
  openVideo(leg: Leg, options: Omit<VideoLegOptions, 'localPort'>): Promise<VideoLeg>;
}
