// Owns: the words for the picture of one call, between the SIP application, the mix and the media worker. Types and
// constants only. May import: core only.
import type { LegDirection, SrtpParameters } from './leg-media.ts';

export const videoLegCodecs = ['h264', 'vp8'] as const;
export type VideoLegCodec = (typeof videoLegCodecs)[number];

export interface VideoLegFormat {
  readonly codec: VideoLegCodec;
  readonly payloadType: number;
  /** Of H264 (RFC 6184 §6): 0 is one NAL unit in each packet; 1 for anything else. */
  readonly packetizationMode: 0 | 1;
}

/** What the other end can show, as its description says. */
export interface VideoLimits {
  /** Of one picture, and in a second: macroblocks of 16×16. */
  readonly maxMacroblocks: number;
  readonly maxMacroblocksPerS: number;
  readonly maxWidth?: number | undefined;
  readonly maxHeight?: number | undefined;
  readonly maxFramerateHz?: number | undefined;
  readonly maxBitrateBps: number;
}

/** What an offer and its answer came to, for the picture of one call. */
export interface VideoLegParameters {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteRtcpPort?: number | undefined;
  /** As we see it: `sendonly` means that we send and the phone shows. */
  readonly direction: LegDirection;
  readonly send: VideoLegFormat;
  readonly receive: readonly VideoLegFormat[];
  /** Base64 of its SPS and PPS, for one that says them in its description alone. */
  readonly parameterSets: readonly string[];
  /** What it takes of RTCP feedback (RFC 4585, RFC 5104). */
  readonly feedback: { readonly pli: boolean; readonly fir: boolean; readonly nack: boolean };
  readonly srtp?: SrtpParameters | undefined;
}

/** Whether pictures go, and which stream of the room's SFU side the phone is shown. Said as a whole. */
export interface VideoStanding {
  /** What the phone sends becomes a stream of the room. */
  readonly isTaken: boolean;
  readonly stream?: { readonly ssrc: number; readonly payloadType: number; readonly codec: VideoLegCodec } | undefined;
}

/** Cumulative since the video of the call began. */
export interface VideoLegStats {
  /** As the phone sends it; undefined before the first whole picture. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly packetsLost: number;
  readonly jitterMs: number;
  readonly framesReceived: number;
  readonly keyFramesReceived: number;
  readonly packetsSent: number;
  readonly bytesSent: number;
  readonly framesSent: number;
  readonly keyFramesSent: number;
  /** Of what we sent, as the phone reports it. */
  readonly remotePacketsLost: number;
  readonly roundTripTimeMs?: number | undefined;
  /** Key frames that the phone asked for, and that it was asked for. */
  readonly keyFramesWanted: number;
  readonly keyFramesAsked: number;
  /** SRTP packets that did not authenticate or came twice. */
  readonly packetsRejected: number;
}

export type VideoLegCommand =
  | {
      readonly type: 'openVideo';
      /** Of the leg whose picture it is. */
      readonly legId: number;
      /** Local address and even port; the port above is for RTCP. */
      readonly address: string;
      readonly port: number;
      /** Of what it sends. */
      readonly ssrc: number;
      /** The same as that of its voice, so that both are played in step. */
      readonly cname: string;
      /** Highest SRTP index that another worker received. */
      readonly receiveIndex?: number | undefined;
    }
  | { readonly type: 'negotiateVideo'; readonly legId: number; readonly parameters: VideoLegParameters }
  | { readonly type: 'setVideo'; readonly legId: number; readonly standing: VideoStanding }
  | { readonly type: 'closeVideo'; readonly legId: number };

export type VideoLegEvent =
  | { readonly type: 'videoOpened'; readonly legId: number }
  | { readonly type: 'videoRefused'; readonly legId: number; readonly message: string }
  /** The phone wants a key frame of what it is shown. */
  | { readonly type: 'videoKeyFrameWanted'; readonly legId: number }
  /** The phone is asked for one by RTCP; who takes none has to be asked by SIP. */
  | { readonly type: 'videoKeyFrameAsked'; readonly legId: number }
  | {
      readonly type: 'videoReport';
      readonly legId: number;
      readonly stats: VideoLegStats;
      readonly receiveIndex?: number | undefined;
    };

/** Track ids of pictures are those of their legs with this added. */
export const firstVideoTrackId = 0x40000000;
