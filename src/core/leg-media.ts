// Owns: the words for the media of one call leg, between the SIP application, the mix and the media worker. Types and
// constants only. May import: core only.

export const legCodecs = ['opus', 'g722', 'pcmu', 'pcma'] as const;
export type LegCodec = (typeof legCodecs)[number];

export const srtpSuites = ['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM'] as const;
export type SrtpSuite = (typeof srtpSuites)[number];

/** Bytes of master key and salt together, as the `inline:` of RFC 4568 §6.1 (and RFC 7714 §12) carries them. */
export const srtpKeyLength: Readonly<Record<SrtpSuite, number>> = {
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_CM_128_HMAC_SHA1_32: 30,
  AEAD_AES_128_GCM: 28,
};

/** Never log it. */
export interface SrtpParameters {
  readonly suite: SrtpSuite;
  /** Ours: master key and salt, base64. */
  readonly sendKey: string;
  /** The peer's. */
  readonly receiveKey: string;
}

/** As we see it: `sendonly` means that we send and the peer listens. */
export type LegDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface DtmfFormat {
  readonly payloadType: number;
  /** That of the audio beside it, RFC 4733 §2.1: 8000, or 48000 with opus. */
  readonly clockRateHz: number;
}

/** What an offer and its answer came to, for the audio of one leg. */
export interface LegParameters {
  /** c= and m= of the peer. Where its packets really come from replaces it, once for each negotiation. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** a=rtcp; absent: the port above. The same as `remotePort` with rtcp-mux. */
  readonly remoteRtcpPort?: number | undefined;
  readonly direction: LegDirection;
  /** Numbers that the peer's description gave. */
  readonly send: {
    readonly codec: LegCodec;
    readonly payloadType: number;
    /** 10, 20, 30, 40, 50 or 60; a=ptime of the peer, 20 where it says nothing. */
    readonly ptimeMs: number;
    readonly dtmf?: DtmfFormat | undefined;
    /** Comfort noise (RFC 3389), usually 13; absent: silence is sent as audio. */
    readonly comfortNoisePayloadType?: number | undefined;
  };
  /** Numbers that our description gave: the peer may change between these codecs at any time. */
  readonly receive: {
    readonly codecs: readonly { readonly codec: LegCodec; readonly payloadType: number }[];
    readonly dtmf: readonly DtmfFormat[];
    readonly comfortNoisePayloadType?: number | undefined;
  };
  readonly srtp?: SrtpParameters | undefined;
}

export const promptNames = [
  'welcome',
  'enter_pin',
  'wrong_pin',
  'goodbye',
  'you_are_alone',
  'recording_on',
  'recording_off',
  'muted',
  'unmuted',
  'room_full',
  'room_closed',
  'joined',
  'removed',
  'hand_raised',
  'hand_lowered',
  'louder',
  'quieter',
  'people_in_room',
  'n1',
  'n2',
  'n3',
  'n4',
  'n5',
  'n6',
  'n7',
  'n8',
  'n9',
  'n10',
  'n11',
  'n12',
  'n13',
  'n14',
  'n15',
  'n16',
  'n17',
  'n18',
  'n19',
  'n20',
  'n_more',
  'enter_number',
  'wrong_number',
  'wrong_key',
  'for_language',
  'for_conference',
  'for_help',
  'for_repeat',
  'for_back',
  'line_busy',
  'no_answer',
  'not_reached',
  'hold_music',
  'ringing',
] as const;
export type PromptName = (typeof promptNames)[number];

export const promptLanguages = ['en', 'es', 'zh'] as const;
export type PromptLanguage = (typeof promptLanguages)[number];

/** Of recordings: ours, and those that an operator brings for menus. */
export const promptNamePattern = /^[a-z][a-z0-9_]{0,63}$/;

/** A recording, in a language of its own where it says so. */
export interface SpokenPrompt {
  readonly name: string;
  readonly language?: PromptLanguage | undefined;
}

/** Of our stream beyond the peer that the leg sees, where that is a bridge: as the phone itself reports it. */
export interface FarQuality {
  readonly roundTripTimeMs?: number | undefined;
  readonly packetsLost: number;
  readonly jitterMs: number;
}

/** Cumulative since the leg was made. */
export interface LegStats {
  readonly codec?: LegCodec | undefined;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Of the peer's stream, as we see it. */
  readonly packetsLost: number;
  readonly packetsLate: number;
  /** 20 ms frames that were made up because nothing was there to play. */
  readonly framesConcealed: number;
  readonly jitterMs: number;
  /** Of the jitter buffer now. */
  readonly bufferMs: number;
  /** By the peer's reports, undefined before the first. */
  readonly roundTripTimeMs?: number | undefined;
  /** Of our stream, as the peer reports it. */
  readonly remotePacketsLost: number;
  readonly remoteJitterMs?: number | undefined;
  /** 1..4.5, E-model (ITU-T G.107) from delay, loss and codec; undefined before anything was heard. */
  readonly meanOpinionScore?: number | undefined;
  /** SRTP packets that did not authenticate or came twice. */
  readonly packetsRejected: number;
}

/** Where a leg's streams stand, so that another media worker can go on with them. */
export interface LegPosition {
  /** Sequence number of the next packet, with the rollover counter above its 16 bits. */
  readonly sequenceIndex: number;
  /** RTP timestamp at `clockUs` of the machine's monotonic clock. */
  readonly rtpTimestamp: number;
  readonly clockUs: number;
  /** SRTP and SRTCP counters. */
  readonly rtcpIndex: number;
  readonly receiveIndex?: number | undefined;
  /** Where the peer's packets came from. */
  readonly latched?: { readonly address: string; readonly port: number } | undefined;
}
