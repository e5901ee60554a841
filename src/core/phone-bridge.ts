// Owns: what the SIP application asks of the SFU for a phone that speaks ICE and DTLS. Types only. May import: core only.
import type { EventEmitter } from 'node:events';
import type { FarQuality } from './leg-media.ts';
import type { Logger } from './ports.ts';
import type { DtlsParameters, IceCandidate, IceParameters } from './rtp.ts';

/** A codec, or `telephone-event`, under the number that both sides of the bridge use. */
export interface BridgedFormat {
  /** `audio/opus`, `audio/telephone-event`, `video/VP8` … */
  readonly mimeType: string;
  readonly payloadType: number;
  readonly clockRateHz: number;
  readonly channels?: number | undefined;
  /** Of a=fmtp, as far as they make one format differ from another. */
  readonly parameters?: Readonly<Record<string, string | number>> | undefined;
}

export interface PhoneBridgeOptions {
  /** The one that is spoken comes first. */
  readonly formats: readonly BridgedFormat[];
  readonly log: Logger;
}

/** How the phone names its stream: by SSRC, else by its mid in this header extension. */
export interface BridgedStream {
  readonly ssrc?: number | undefined;
  readonly mid?: { readonly value: string; readonly extensionId: number } | undefined;
}

export type PhoneBridgeEvents = {
  /** ICE and DTLS with the phone stand: media may flow. */
  peerReached: [];
  /** ICE has lost the phone, or DTLS failed with it. */
  peerLost: [reason: string];
  /** Closed, or its SFU worker died. */
  closed: [];
};

/** What was agreed of a phone's picture. */
export interface BridgedPicture {
  readonly format: BridgedFormat;
  /** What the phone heeds (RFC 4585, RFC 5104). */
  readonly feedback: { readonly pli: boolean; readonly fir: boolean; readonly nack: boolean };
  /** Of the leg's picture: its IPv4 address and port, and the SSRC of what it sends. */
  readonly leg: { readonly address: string; readonly port: number; readonly ssrc: number };
  /** Undefined where the phone sends none. */
  readonly stream: BridgedStream | undefined;
}

/** The way of a phone's picture beside its voice, over the same ICE and DTLS (RFC 9143). */
export interface PictureBridge {
  /** Where the picture of the leg finds its peer: RTP and RTCP on one port. */
  readonly localAddress: string;
  readonly localPort: number;
  /** With each negotiation, and when the leg's SSRC is another; what has not changed stays. */
  connect(picture: BridgedPicture): Promise<void>;
  close(): void;
}

/**
 * ICE and DTLS-SRTP with a phone on one side, plain RTP to its leg on the other. Payload types are the same on both, and
 * so are sequence numbers with their gaps: to the leg it is a phone like any other, on loopback.
 */
export interface PhoneBridge {
  readonly iceParameters: IceParameters;
  readonly iceCandidates: readonly IceCandidate[];
  readonly dtlsParameters: DtlsParameters;
  /** Where the leg's peer is: RTP and RTCP on one port. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly events: EventEmitter<PhoneBridgeEvents>;
  /** Once, before anything else. @param leg its IPv4 address and port, and the SSRC of what it sends */
  connectLeg(leg: { readonly address: string; readonly port: number; readonly ssrc: number }): Promise<void>;
  /** With each negotiation; what has not changed stays. `dtls.role` is the phone's. */
  connectPhone(phone: { readonly dtls: DtlsParameters; readonly stream: BridgedStream }): Promise<void>;
  /** One at a time. @throws GatewayError `media_lost`, `overloaded` */
  openPicture(): Promise<PictureBridge>;
  restartIce(): Promise<IceParameters>;
  /** Undefined before there is a stream to it. */
  getQuality(): Promise<FarQuality | undefined>;
  close(): void;
}

export interface PhoneBridgePort {
  /** @throws GatewayError `overloaded`, `media_lost`, `no_common_codec` */
  createPhoneBridge(options: PhoneBridgeOptions): Promise<PhoneBridge>;
}
