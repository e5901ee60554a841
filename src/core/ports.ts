// Owns: what the domain asks of the world. Implementations live in src/sfu, src/store, src/telemetry and gateways/;
// src/app.ts joins them. May import: core only.
import type { EventEmitter } from 'node:events';
import type { JoinGrant, Principal } from './grants.ts';
import type { JobId } from './ids.ts';
import type { Job, JobHost, JobSpec } from './job.ts';
import type { Leg } from './leg.ts';
import type { PromptLanguage } from './leg-media.ts';
import type { CloseReason } from './lifecycle.ts';
import type { MediaSource } from './media-source.ts';
import type { Mix } from './mix.ts';
import type { PlayerTransportOptions, SfuPlayerTransport } from './player-transport.ts';
import type { Room } from './room.ts';
import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  IceServer,
  MediaKind,
  RtpCapabilities,
  RtpParameters,
  SctpParameters,
  SctpStreamParameters,
} from './rtp.ts';

export type LogFields = Record<string, unknown>;

/** Message constant, facts as fields. Never credentials, PINs or key material. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

// ── SFU ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Counters of one RTP stream, cumulative where they count and current where they measure. */
export interface StreamStats {
  /** Layer of a simulcast publication; absent elsewhere. */
  readonly rid?: string | undefined;
  readonly ssrc: number;
  readonly mimeType: string;
  readonly bitrateBps: number;
  readonly byteCount: number;
  readonly packetCount: number;
  readonly packetsLost: number;
  /** 0..1, over the last report. */
  readonly fractionLost: number;
  readonly jitterMs: number;
  readonly roundTripTimeMs: number | undefined;
  readonly nackCount: number;
  readonly pliCount: number;
  readonly firCount: number;
  /** 0..10, mediasoup's estimate. */
  readonly score: number;
}

export interface VideoLayers {
  readonly spatialLayer: number;
  readonly temporalLayer?: number | undefined;
}

export type SfuProducerEvents = {
  closed: [];
  /** 0..10 for each encoding, in the order of the encodings. */
  scored: [scores: readonly number[]];
  /** A publisher turned its camera (CVO) or changed its size. */
  orientationChanged: [{ rotation: number; flip: boolean }];
};

/** One stream that enters a room. */
export interface SfuProducer {
  readonly id: string;
  readonly kind: MediaKind;
  readonly type: 'simple' | 'simulcast' | 'svc';
  readonly rtpParameters: RtpParameters;
  readonly isPaused: boolean;
  readonly isClosed: boolean;
  readonly events: EventEmitter<SfuProducerEvents>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  getStats(): Promise<readonly StreamStats[]>;
  close(): void;
}

export type SfuConsumerEvents = {
  closed: [];
  /** What is being sent now; null while nothing can be. */
  layersChanged: [layers: VideoLayers | null];
  /** 0..10: of this consumer, and of the producer behind it. */
  scored: [{ score: number; producerScore: number }];
};

/** One stream that leaves a room towards one receiver. Always made paused. */
export interface SfuConsumer {
  readonly id: string;
  readonly producerId: string;
  readonly kind: MediaKind;
  readonly type: 'simple' | 'simulcast' | 'svc';
  readonly rtpParameters: RtpParameters;
  readonly isPaused: boolean;
  readonly isClosed: boolean;
  readonly currentLayers: VideoLayers | null;
  readonly events: EventEmitter<SfuConsumerEvents>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Highest layer to send; bandwidth may still choose a lower one. */
  setPreferredLayers(layers: VideoLayers): Promise<void>;
  /** 1..255; a receiver's bandwidth goes to the higher ones first. */
  setPriority(priority: number): Promise<void>;
  requestKeyFrame(): Promise<void>;
  getStats(): Promise<readonly StreamStats[]>;
  close(): void;
}

export interface SfuDataProducer {
  readonly id: string;
  readonly label: string;
  readonly protocol: string;
  readonly isClosed: boolean;
  readonly events: EventEmitter<{ closed: [] }>;
  close(): void;
}

export interface SfuDataConsumer {
  readonly id: string;
  readonly dataProducerId: string;
  readonly label: string;
  readonly protocol: string;
  readonly sctpStreamParameters: SctpStreamParameters | undefined;
  readonly isClosed: boolean;
  readonly events: EventEmitter<{ closed: [] }>;
  close(): void;
}

export type SfuTransportEvents = {
  closed: [];
  iceStateChanged: ['new' | 'connected' | 'completed' | 'disconnected' | 'closed'];
  dtlsStateChanged: ['new' | 'connecting' | 'connected' | 'failed' | 'closed'];
  /** Estimate of what the receiver can take, bit/s. */
  bandwidthEstimated: [availableOutgoingBps: number];
};

export interface TransportStats {
  readonly sentBitrateBps: number;
  readonly receivedBitrateBps: number;
  readonly byteCountSent: number;
  readonly byteCountReceived: number;
  readonly availableOutgoingBps: number | undefined;
  /** `udp 192.0.2.1:4321` of the selected pair. */
  readonly remoteAddress: string | undefined;
  readonly protocol: 'udp' | 'tcp' | undefined;
}

/**
 * How the receiving end numbers its codecs, where it does not take ours (WHEP, plain SDP): payload types of the offer,
 * by codec. Streams consumed on such a transport carry these payload types and no header extensions.
 */
export interface PayloadTypeLayout {
  readonly codecs: readonly {
    readonly kind: MediaKind;
    readonly mimeType: string;
    readonly clockRate: number;
    readonly channels?: number | undefined;
    readonly parameters?: Record<string, unknown> | undefined;
    readonly payloadType: number;
  }[];
}

export interface ConsumeOptions {
  readonly producer: SfuProducer;
  /** What the receiver can decode; for a transport with a layout, its `consumeCapabilities`. */
  readonly rtpCapabilities: RtpCapabilities;
  readonly preferredLayers?: VideoLayers | undefined;
  /** mid of the receiver's m-line, when it is known before (plain SDP, WHEP). */
  readonly mid?: string | undefined;
}

/** One ICE+DTLS association with a browser or another WebRTC peer. Carries both directions. */
export interface SfuWebRtcTransport {
  readonly id: string;
  readonly iceParameters: IceParameters;
  readonly iceCandidates: readonly IceCandidate[];
  readonly dtlsParameters: DtlsParameters;
  readonly sctpParameters: SctpParameters | undefined;
  /** Give this to `consume()` on a transport that was made with a layout; the room's capabilities otherwise. */
  readonly consumeCapabilities: RtpCapabilities;
  readonly isClosed: boolean;
  readonly events: EventEmitter<SfuTransportEvents>;
  /** `role` is the peer's DTLS role: a peer that answers `active` is a `client`. */
  connect(options: { dtlsParameters: DtlsParameters }): Promise<void>;
  restartIce(): Promise<IceParameters>;
  /** bit/s; caps what the peer is asked to send. */
  setMaxIncomingBitrate(bitrateBps: number): Promise<void>;
  /** bit/s; caps what is sent to the peer. */
  setMaxOutgoingBitrate(bitrateBps: number): Promise<void>;
  /** @throws GatewayError `no_common_codec`, `invalid_request` */
  produce(options: { kind: MediaKind; rtpParameters: RtpParameters; isPaused?: boolean }): Promise<SfuProducer>;
  /** @throws GatewayError `no_common_codec`, `media_lost` */
  consume(options: ConsumeOptions): Promise<SfuConsumer>;
  produceData(options: {
    sctpStreamParameters: SctpStreamParameters;
    label: string;
    protocol: string;
  }): Promise<SfuDataProducer>;
  consumeData(options: { dataProducer: SfuDataProducer }): Promise<SfuDataConsumer>;
  getStats(): Promise<TransportStats>;
  close(): void;
}

export interface WebRtcTransportOptions {
  /** SCTP for data channels. */
  readonly hasData?: boolean | undefined;
  readonly layout?: PayloadTypeLayout | undefined;
  /** bit/s to begin with, before the estimate knows better. */
  readonly initialOutgoingBps?: number | undefined;
}

/** RTP over plain UDP to a media worker on this machine; carries any number of streams both ways, told apart by SSRC. */
export interface SfuPlainTransport {
  readonly id: string;
  /** Where the SFU listens. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly isClosed: boolean;
  readonly events: EventEmitter<{ closed: [] }>;
  connect(options: { ip: string; port: number }): Promise<void>;
  produce(options: { kind: MediaKind; rtpParameters: RtpParameters; isPaused?: boolean }): Promise<SfuProducer>;
  consume(options: ConsumeOptions): Promise<SfuConsumer>;
  close(): void;
}

export type SfuRoomEvents = {
  /** The process behind this room died: every transport of it is gone. Make a new SfuRoom. */
  failed: [];
  closed: [];
  /** Producer of who is speaking most, null in silence. */
  dominantSpeakerChanged: [producerId: string | null];
  /** dBov, -127..0, of the producers that are above the threshold, loudest first; empty when all fall silent. */
  levelsMeasured: [readonly { readonly producerId: string; readonly levelDbov: number }[]];
};

/** The media side of one room: one Router, and more where layouts or load ask for them. */
export interface SfuRoom {
  readonly rtpCapabilities: RtpCapabilities;
  readonly isClosed: boolean;
  readonly events: EventEmitter<SfuRoomEvents>;
  createWebRtcTransport(options?: WebRtcTransportOptions): Promise<SfuWebRtcTransport>;
  createPlainTransport(): Promise<SfuPlainTransport>;
  createPlayerTransport(options: PlayerTransportOptions): Promise<SfuPlayerTransport>;
  /** Lets audio of this producer count for levels and the dominant speaker. */
  observeAudio(producer: SfuProducer): Promise<void>;
  close(): void;
}

export interface SfuWorkerInfo {
  readonly pid: number;
  readonly rooms: number;
  readonly consumers: number;
  /** User and system time since its start, milliseconds. */
  readonly cpuMs: number;
  readonly maxRssBytes: number;
  readonly restarts: number;
}

export interface SfuPort {
  /** @throws GatewayError `overloaded` when no SFU worker is up and none comes back within the bound */
  createRoom(options: { log: Logger }): Promise<SfuRoom>;
  /** Codecs and extensions every room has; known before any room is. */
  readonly rtpCapabilities: RtpCapabilities;
  describeWorkers(): Promise<readonly SfuWorkerInfo[]>;
  /** Reasons why it is not ready; empty when it is. */
  problems(): readonly string[];
}

// ── Media work ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface StartJobOptions {
  readonly spec: JobSpec;
  readonly host: JobHost;
  readonly log: Logger;
  /** For a source that is `fed`: made for each attempt, in this process. */
  readonly openSource?: (() => MediaSource) | undefined;
}

export interface MediaWorkerInfo {
  readonly pid: number;
  readonly state: 'starting' | 'ready' | 'spare';
  readonly jobs: number;
  /** Sum of what placement reckons for its jobs, CPU milliseconds per second. */
  readonly costMsPerS: number;
  /** User and system time since its start, milliseconds. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly eventLoopDelayP99Ms: number;
  /** Of the beats of its mixes, from when each was due until it was done; undefined where nothing is mixed. */
  readonly mixLateness?: { readonly p50Ms: number; readonly p99Ms: number } | undefined;
  /** Loopback UDP port of its RTP. */
  readonly rtpPort: number;
}

/** Runs jobs in media workers. */
export interface MediaPort {
  readonly jobs: ReadonlyMap<JobId, Job>;
  /**
   * Finds a worker for the job and hands it over. The job is `starting` when this returns; close it to stop it.
   * @throws GatewayError `overloaded` with what is missing, `draining`
   */
  startJob(options: StartJobOptions): Promise<Job>;
  /** The room of a job has a new SFU side: plumb the job to it and publish its tracks again. */
  relinkJob(job: Job): Promise<void>;
  describeWorkers(): readonly MediaWorkerInfo[];
  /** Reasons why it is not ready; empty when it is. */
  problems(): readonly string[];
}

// ── Phones ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface AllocateLegOptions {
  /** Whose mix it may enter; what is played before, a PIN menu, is played there too. `loopback`: behind a PhoneBridge. */
  readonly room: Room;
  readonly family?: 'IPv4' | 'IPv6' | 'loopback' | undefined;
  /** Of its prompts; the configured one when absent. */
  readonly language?: PromptLanguage | undefined;
  readonly log: Logger;
}

/** Ends the media of calls: a leg is a pair of UDP ports with everything behind them. */
export interface PhonePort {
  /**
   * The ports are bound when this returns. Close the leg to free them.
   * @throws GatewayError `overloaded` (no port, no media worker), `draining`, `media_lost`, `closed` (the room)
   */
  allocateLeg(options: AllocateLegOptions): Promise<Leg>;
  /**
   * To the mix of another room, at the same ports: its peer notices nothing. Its participant has left before.
   * @throws GatewayError as `allocateLeg()`; where it had left its mix already, it is closed
   */
  moveLeg(leg: Leg, room: Room): Promise<void>;
  /**
   * What c= is to say to a peer: the announced address, unless all of it is in a network that is told the local one.
   * @param remoteAddresses where it is, and where its media is, the first the way to it
   */
  addressFor(remoteAddresses: readonly string[]): string;
  /** The room's mix, made if need be; it lasts while it has legs or its stream is published. */
  mixOf(room: Room): Promise<Mix>;
  readonly legs: ReadonlyMap<number, Leg>;
}

// ── Who may ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface AuthPort {
  /**
   * A join token for one room, or an API key or admin session, which may join any.
   * @param address of who asks, so that one that keeps guessing can be stopped
   * @throws GatewayError `unauthorized` (absent, expired, forged), `forbidden` (another room), `rate_limited`
   */
  authorizeJoin(credential: string | undefined, roomNameOrId: string, address?: string): Promise<JoinGrant>;
  /** Of a grant that was given a while ago. @throws GatewayError `unauthorized` when its token was revoked since */
  assertNotRevoked(grant: JoinGrant): void;
  /** @throws GatewayError `unauthorized`, `rate_limited` */
  authenticate(credential: string | undefined, address?: string): Promise<Principal>;
}

export interface IceServerPort {
  /** STUN and TURN servers for one participant; time-limited credentials are made for it. */
  iceServersFor(participant: string): readonly IceServer[];
}

// ── Gateways ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** One protocol at the edge. `drain` refuses new work and lets the rest end; `close` ends it. */
export interface Gateway {
  readonly name: string;
  drain(): void;
  undrain(): void;
  close(reason?: CloseReason): Promise<CloseReason>;
}

/** Slows down one address that asks too often. */
export interface RateLimiter {
  /** @throws GatewayError `rate_limited` with `retryAfterMs` */
  consume(key: string, points?: number): void;
}
