// Owns: the ORTC dictionaries (W3C ORTC; RFC 3550, 3711, 4585, 8285, 8851) in which parts speak about media.
// The shapes are those that mediasoup and mediasoup-client use, so that they cross src/sfu without translation.

export type MediaKind = 'audio' | 'video';

export interface RtcpFeedback {
  readonly type: string;
  readonly parameter?: string | undefined;
}

export interface RtpCodecCapability {
  readonly kind: MediaKind;
  /** `audio/opus`, `video/VP8` … compared without case. */
  readonly mimeType: string;
  readonly preferredPayloadType: number;
  /** Hertz. */
  readonly clockRate: number;
  readonly channels?: number | undefined;
  readonly parameters?: Record<string, unknown> | undefined;
  readonly rtcpFeedback?: readonly RtcpFeedback[] | undefined;
}

export interface RtpHeaderExtension {
  readonly kind: MediaKind;
  readonly uri: string;
  readonly preferredId: number;
  readonly preferredEncrypt?: boolean | undefined;
  readonly direction?: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive' | undefined;
}

export interface RtpCapabilities {
  readonly codecs?: readonly RtpCodecCapability[] | undefined;
  readonly headerExtensions?: readonly RtpHeaderExtension[] | undefined;
}

export interface RtpCodecParameters {
  readonly mimeType: string;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly channels?: number | undefined;
  readonly parameters?: Record<string, unknown> | undefined;
  readonly rtcpFeedback?: readonly RtcpFeedback[] | undefined;
}

export interface RtpHeaderExtensionParameters {
  readonly uri: string;
  readonly id: number;
  readonly encrypt?: boolean | undefined;
  readonly parameters?: Record<string, unknown> | undefined;
}

export interface RtpEncodingParameters {
  readonly ssrc?: number | undefined;
  readonly rid?: string | undefined;
  readonly codecPayloadType?: number | undefined;
  readonly rtx?: { readonly ssrc: number } | undefined;
  readonly dtx?: boolean | undefined;
  readonly scalabilityMode?: string | undefined;
  /** bit/s. */
  readonly maxBitrate?: number | undefined;
}

export interface RtpParameters {
  readonly mid?: string | undefined;
  readonly codecs: readonly RtpCodecParameters[];
  readonly headerExtensions?: readonly RtpHeaderExtensionParameters[] | undefined;
  readonly encodings?: readonly RtpEncodingParameters[] | undefined;
  readonly rtcp?: { readonly cname?: string | undefined; readonly reducedSize?: boolean | undefined } | undefined;
  readonly msid?: string | undefined;
}

export interface IceParameters {
  readonly usernameFragment: string;
  readonly password: string;
  readonly iceLite?: boolean | undefined;
}

export interface IceCandidate {
  readonly foundation: string;
  readonly priority: number;
  readonly ip: string;
  readonly address: string;
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
  readonly type: 'host';
  readonly tcpType?: 'passive' | undefined;
}

export type DtlsRole = 'auto' | 'client' | 'server';

export interface DtlsParameters {
  readonly role?: DtlsRole | undefined;
  readonly fingerprints: readonly { readonly algorithm: string; readonly value: string }[];
}

/** RFC 8831; the numbers are those of the association that the SFU offers. */
export interface SctpParameters {
  readonly port: number;
  readonly OS: number;
  readonly MIS: number;
  readonly maxMessageSize: number;
}

/** One time stamp of a stream that is made here, and its moment on the machine's monotonic clock. */
export interface StreamTimeline {
  readonly rtpTimestamp: number;
  readonly clockUs: number;
}

export interface SctpStreamParameters {
  readonly streamId: number;
  readonly ordered?: boolean | undefined;
  /** Milliseconds. */
  readonly maxPacketLifeTime?: number | undefined;
  readonly maxRetransmits?: number | undefined;
}

/** A STUN or TURN server as `RTCConfiguration.iceServers` wants it. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}
