// Owns: what the control process tells the mix of a room and hears from it. May import: core only.
import type { FarQuality, LegCodec, LegParameters, LegPosition, LegStats, SpokenPrompt } from './leg-media.ts';
import type { StreamTimeline } from './rtp.ts';
import type { VideoLegCommand, VideoLegEvent } from './video-leg-media.ts';

/** Track id of the mix itself; the ids of legs begin above it. */
export const mixTrackId = 0;
/** Track ids of recorded calls are those of their legs with this added. */
export const firstTapTrackId = 0x20000000;

export const tapSounds = ['stereo', 'mixed'] as const;
/** `stereo`: left what the phone says, right what it hears; `mixed`: both on both sides. */
export type TapSound = (typeof tapSounds)[number];

/** How a leg stands in the mix; always said as a whole, so that saying it again does no harm. */
export interface LegStanding {
  /** Hears the room and is heard in it; prompts and digits work without. */
  readonly isInMix: boolean;
  /** Not heard by anybody. */
  readonly isMuted: boolean;
  /** We hold it: it hears music instead of the room and is not heard. */
  readonly isHeld: boolean;
  /** It holds us: what it sends is music for us, or nothing, and neither is for the room. */
  readonly isHeldByPeer: boolean;
  readonly gainDb: number;
  /** Its voice as a stream of its own: not at all, only while it speaks, or without a break. */
  readonly voice: 'off' | 'speaking' | 'always';
  readonly far?: FarQuality | undefined;
  /** What it says and hears as a track beside its voice, for a recording. */
  readonly tap?: TapSound | undefined;
}

/** An audio stream of the room's SFU side that is to be heard in the mix. */
export interface MixInput {
  readonly inputId: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly codec: LegCodec;
  /** Header extension of RFC 6464, where the stream has it. */
  readonly levelExtensionId?: number | undefined;
  /** Where its time stamps lie, where it is made here. */
  readonly timeline?: StreamTimeline | undefined;
}

export type MixCommand =
  | VideoLegCommand
  | {
      readonly type: 'openLeg';
      readonly legId: number;
      /** Local address and even port; the port above is for RTCP. */
      readonly address: string;
      readonly port: number;
      /** Of what it sends. */
      readonly ssrc: number;
      readonly standing: LegStanding;
      /** Goes on where another worker left off. */
      readonly position?: LegPosition | undefined;
      readonly timeoutMs: number;
    }
  | { readonly type: 'negotiateLeg'; readonly legId: number; readonly parameters: LegParameters }
  | { readonly type: 'setLeg'; readonly legId: number; readonly standing: LegStanding }
  | {
      readonly type: 'playToLeg';
      readonly legId: number;
      readonly playId: number;
      readonly prompts: readonly SpokenPrompt[];
      /** Of those that have none of their own. */
      readonly language: string;
      readonly isRepeated: boolean;
    }
  | { readonly type: 'stopPlaying'; readonly legId: number }
  | { readonly type: 'sendDtmf'; readonly legId: number; readonly digits: string; readonly durationMs: number }
  /** @property isMoving another mix goes on with it, at the same ports: its peer is told nothing */
  | { readonly type: 'closeLeg'; readonly legId: number; readonly isMoving?: boolean | undefined }
  | ({ readonly type: 'addInput' } & MixInput)
  | { readonly type: 'removeInput'; readonly inputId: number }
  /** The mix of everybody as a track of the room, with the track id 0. */
  | { readonly type: 'setMixTrack'; readonly isOn: boolean };

export type MixEvent =
  | VideoLegEvent
  /** Its ports are free; its last `legReport` went before. */
  | { readonly type: 'legClosed'; readonly legId: number }
  | { readonly type: 'legOpened'; readonly legId: number }
  | { readonly type: 'legRefused'; readonly legId: number; readonly message: string }
  | { readonly type: 'legLatched'; readonly legId: number; readonly address: string; readonly port: number }
  | { readonly type: 'legDtmf'; readonly legId: number; readonly digit: string }
  | { readonly type: 'legPlayed'; readonly legId: number; readonly playId: number; readonly isWhole: boolean }
  | { readonly type: 'legDtmfSent'; readonly legId: number }
  /** Nothing came for its time-out although the peer is to send; and: something came again. */
  | { readonly type: 'legSilent'; readonly legId: number }
  | { readonly type: 'legHeard'; readonly legId: number }
  /** From the capture of what an input says until it is heard, when that has changed. */
  | { readonly type: 'mixInputDelayed'; readonly inputId: number; readonly delayMs: number }
  | {
      readonly type: 'legReport';
      readonly legId: number;
      readonly stats: LegStats;
      readonly position: LegPosition;
    };

export interface MixJobSpec {
  readonly kind: 'mix';
  /** So many are heard at once, the loudest. */
  readonly loudest: number;
  /** Recordings that replace ours, `<folder>/<language>/<prompt>.wav` or `.opus`. */
  readonly promptsFolder?: string | undefined;
  readonly startTimeoutMs?: number | undefined;
}
