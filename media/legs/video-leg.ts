// Owns: the picture of one call in the media worker: its sockets, its packets both ways, its reports.
import type {
  VideoLegEvent,
  VideoLegFormat,
  VideoLegParameters,
  VideoLegStats,
  VideoStanding,
} from '#core/video-leg-media.ts';
import type { JobContext } from '../job-context.ts';
import { isRtcp, parseRtp } from '../rtp/packet.ts';
import { buildFir, buildNack, buildPli, parseRtcp, type RtcpPacket } from '../rtp/rtcp.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { LegSocket } from './leg-socket.ts';
import { Reception } from './reception.ts';
import { buildBye, buildReport } from './rtcp-report.ts';
import { SrtpReceiver } from './srtp.ts';
import type { Address } from './udp.ts';
import { VideoIntake } from './video-intake.ts';
import { VideoOutput } from './video-output.ts';

const clockRateHz = 90_000;
const watchIntervalMs = 50;
/** Statistics are told so often, and receivers report: pictures suffer sooner from loss than voices do. */
const reportIntervalMs = 1_000;
/** Several requests of the phone come to one. */
const wantSpacingMs = 300;

export interface VideoLegOptions {
  readonly legId: number;
  readonly trackId: number;
  readonly local: Address;
  readonly ssrc: number;
  readonly cname: string;
  readonly receiveIndex?: number | undefined;
  readonly context: JobContext;
  readonly tell: (event: VideoLegEvent) => void;
}

export class VideoLeg {
  readonly #options: VideoLegOptions;
  readonly #socket: LegSocket;
  readonly #reception = new Reception();
  readonly #intake: VideoIntake;
  readonly #output: VideoOutput;
  readonly #timer: NodeJS.Timeout;
  #parameters: VideoLegParameters | undefined;
  #formats: (VideoLegFormat | undefined)[] = [];
  #srtp: SrtpReceiver | undefined;
  #receiveIndex: number | undefined;
  #streamSsrc: number | undefined;
  #rejected = 0;
  #keyFramesWanted = 0;
  #keyFramesAsked = 0;
  #firCount = 0;
  #nextReportMs = performance.now() + reportIntervalMs;
  #wantedMs = Number.NEGATIVE_INFINITY;
  #isWanted = false;

  /** @throws the error of the system where its ports are taken */
  static async open(options: VideoLegOptions): Promise<VideoLeg> {
    let leg: VideoLeg | undefined;
    const socket = await LegSocket.open(options.local, {
      receivedRtp: (bytes, offset, length, from, ms) => leg?.receive(bufferOf(bytes, offset, length), from, ms),
      receivedRtcp: (bytes, offset, length, from, ms) =>
        leg?.receiveOnRtcpPort(bufferOf(bytes, offset, length), from, ms),
    });
    leg = new VideoLeg(options, socket);
    return leg;
  }

  private constructor(options: VideoLegOptions, socket: LegSocket) {
    const { context, trackId, ssrc } = options;
    this.#options = options;
    this.#socket = socket;
    this.#receiveIndex = options.receiveIndex;
    this.#output = new VideoOutput({ socket, ssrc, onKeyFrameWanted: () => this.#wantOfRoom() });
    this.#intake = new VideoIntake({
      open: (codec, events) => context.openTrack(trackId, 'video', codec, events),
      end: () => context.endTrack(trackId),
      ask: () => this.#askPhone(),
    });
    this.#timer = setInterval(() => context.account(() => this.#watch(performance.now())), watchIntervalMs);
  }

  /** @throws Error for keys that are none */
  negotiate(parameters: VideoLegParameters): void {
    const { receive, remoteAddress: address, remotePort: port, srtp, parameterSets } = parameters;
    const formats: (VideoLegFormat | undefined)[] = [];
    for (const format of receive) formats[format.payloadType] = format;
    const isSameKey = srtp && this.#srtp && this.#parameters?.srtp?.receiveKey === srtp.receiveKey;
    if (!isSameKey) this.#srtp = srtp && new SrtpReceiver(srtp, this.#receiveIndex);
    this.#receiveIndex = undefined;
    this.#formats = formats;
    this.#parameters = parameters;
    this.#intake.setParameterSets(parameterSets.map((text) => Buffer.from(text, 'base64')));
    this.#output.negotiate(parameters);
    this.#socket.describe({ address, port }, parameters.remoteRtcpPort ?? port + 1);
  }

  stand({ isTaken, stream }: VideoStanding): void {
    this.#intake.take(isTaken, clockNowUs());
    const { context } = this.#options;
    if (stream?.ssrc !== this.#streamSsrc) {
      if (this.#streamSsrc !== undefined) context.unlisten(this.#streamSsrc);
      if (stream) this.#output.begin(stream.codec);
    }
    this.#streamSsrc = stream?.ssrc;
    // Again in any case: the job may have another link.
    if (stream) context.listen(stream.ssrc, (packet) => context.account(() => this.#output.receive(packet)));
  }

  receive(data: Buffer, from: Address, nowMs: number): void {
    if (data.length < 8 || (data[0] as number) >> 6 !== 2 || !this.#parameters) return;
    if (isRtcp(data)) this.#receiveRtcp(data, from, false, nowMs);
    else this.#options.context.account(() => this.#receiveRtp(data, from, nowMs));
  }

  receiveOnRtcpPort(data: Buffer, from: Address, nowMs: number): void {
    if (isRtcp(data) && this.#parameters) this.#receiveRtcp(data, from, true, nowMs);
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#parameters) this.#output.sendRtcp(buildBye(this.#options.ssrc, this.#options.cname));
    this.#tell();
    if (this.#streamSsrc !== undefined) this.#options.context.unlisten(this.#streamSsrc);
    this.#intake.close();
    this.#socket.close();
  }

  #receiveRtp(data: Buffer, from: Address, nowMs: number): void {
    const format = this.#formats[(data[1] as number) & 0x7f];
    if (!format || data.length < 12) return;
    const plain = this.#srtp ? this.#srtp.unprotectRtp(data) : data;
    const packet = plain && parseRtp(plain);
    if (!packet) {
      this.#rejected += 1;
      return;
    }
    if (this.#socket.accept(from) === 'other') return;
    const { ssrc, sequenceNumber, timestamp, payload } = packet;
    this.#reception.note(ssrc, sequenceNumber, timestamp, payload.length, clockRateHz, nowMs);
    this.#intake.receive(format, packet, clockNowUs());
  }

  #receiveRtcp(data: Buffer, from: Address, isRtcpPort: boolean, nowMs: number): void {
    const plain = this.#srtp ? this.#srtp.unprotectRtcp(data) : data;
    if (!plain) {
      this.#rejected += 1;
      return;
    }
    if (isRtcpPort && !this.#socket.acceptRtcp(from)) return;
    for (const packet of parseRtcp(plain)) this.#heed(packet, nowMs);
  }

  #heed(packet: RtcpPacket, nowMs: number): void {
    const { ssrc } = this.#options;
    switch (packet.kind) {
      case 'pli':
        if (packet.mediaSsrc === ssrc) this.#wantOfRoom();
        return;
      case 'fir':
        if (packet.mediaSsrcs.includes(ssrc)) this.#wantOfRoom();
        return;
      case 'nack':
        if (packet.mediaSsrc === ssrc) this.#output.resend(packet.sequenceNumbers, nowMs);
        return;
      case 'sr':
      case 'rr': {
        if (packet.kind === 'sr') this.#reception.noteReport(packet, nowMs);
        const block = packet.reports.find((one) => one.ssrc === ssrc);
        if (block) this.#reception.noteBlock(block, clockRateHz, Date.now() * 1_000);
        return;
      }
      case 'bye':
        return;
    }
  }

  /** What the phone is shown is to begin anew. */
  #wantOfRoom(): void {
    this.#keyFramesWanted += 1;
    this.#isWanted = true;
    this.#passOnWish(performance.now());
  }

  #passOnWish(nowMs: number): void {
    if (!this.#isWanted || nowMs - this.#wantedMs < wantSpacingMs) return;
    this.#wantedMs = nowMs;
    this.#isWanted = false;
    this.#options.tell({ type: 'videoKeyFrameWanted', legId: this.#options.legId });
  }

  #askPhone(): void {
    const { ssrc: theirs } = this.#reception;
    // Whoever has sent nothing yet begins with one.
    if (theirs === undefined) return;
    this.#keyFramesAsked += 1;
    const feedback = this.#parameters?.feedback;
    // One that says nothing of feedback may heed a PLI all the same, and is asked by SIP as well.
    if (feedback?.fir && !feedback.pli) this.#feedBack(buildFir(this.#options.ssrc, theirs, this.#firCount++));
    else this.#feedBack(buildPli(this.#options.ssrc, theirs));
    this.#options.tell({ type: 'videoKeyFrameAsked', legId: this.#options.legId });
  }

  /** Behind an empty report, as every compound must begin (RFC 3550 §6.1). */
  #feedBack(packet: Buffer): void {
    const { ssrc, cname } = this.#options;
    this.#output.sendRtcp(Buffer.concat([buildReport({ ssrc, cname, sent: undefined, block: undefined }), packet]));
  }

  #watch(nowMs: number): void {
    if (!this.#parameters) return;
    this.#socket.settle(nowMs);
    this.#passOnWish(nowMs);
    this.#askAgain();
    this.#intake.watch(clockNowUs());
    if (nowMs < this.#nextReportMs) return;
    this.#nextReportMs = nowMs + reportIntervalMs * (0.75 + Math.random() / 2);
    this.#report(nowMs);
  }

  /** What was lost, where the phone sends again. */
  #askAgain(): void {
    const { missing } = this.#intake;
    if (missing.length === 0 || !this.#parameters?.feedback.nack || this.#reception.ssrc === undefined) return;
    this.#feedBack(buildNack(this.#options.ssrc, this.#reception.ssrc, missing.slice(0, 64)));
  }

  #report(nowMs: number): void {
    const { ssrc, cname } = this.#options;
    const output = this.#output;
    const rtpTimestamp = output.timestampAt(clockNowUs());
    const sent =
      output.sentSinceReport > 0 && rtpTimestamp !== undefined
        ? { unixUs: Date.now() * 1_000, rtpTimestamp, packetCount: output.packets, octetCount: output.bytes }
        : undefined;
    output.sentSinceReport = 0;
    output.sendRtcp(buildReport({ ssrc, cname, sent, block: this.#reception.block(nowMs) }));
    this.#tell();
  }

  #tell(): void {
    const { ssrc } = this.#reception;
    const receiveIndex = ssrc === undefined ? undefined : this.#srtp?.highestIndex(ssrc);
    this.#options.tell({ type: 'videoReport', legId: this.#options.legId, stats: this.#stats, receiveIndex });
  }

  get #stats(): VideoLegStats {
    const { packets, bytes, lost, jitterMs, remoteLost, roundTripMs } = this.#reception;
    const output = this.#output;
    const intake = this.#intake;
    return {
      ...intake.size,
      ...{ packetsReceived: packets, bytesReceived: bytes, packetsLost: lost, jitterMs },
      ...{ framesReceived: intake.frames, keyFramesReceived: intake.keyFrames },
      ...{ packetsSent: output.packets, bytesSent: output.bytes },
      ...{ framesSent: output.frames, keyFramesSent: output.keyFrames },
      ...{ remotePacketsLost: remoteLost, roundTripTimeMs: roundTripMs },
      ...{ keyFramesWanted: this.#keyFramesWanted, keyFramesAsked: this.#keyFramesAsked },
      packetsRejected: this.#rejected,
    };
  }
}

const bufferOf = (bytes: Uint8Array, offset: number, length: number): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
