// Owns: one call leg in the media worker: its packets in and out, its reports, its silence.
import type { LegCodec, LegParameters, LegPosition, LegStats } from '#core/leg-media.ts';
import type { LegStanding, MixEvent } from '#core/mix-messages.ts';
import { isRtcp } from '../rtp/packet.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { DtmfReceiver } from './dtmf.ts';
import { LegOutput } from './leg-output.ts';
import { LegSocket } from './leg-socket.ts';
import { estimateMos } from './quality.ts';
import { Reception } from './reception.ts';
import { buildBye, buildReport } from './rtcp-report.ts';
import { SrtpReceiver } from './srtp.ts';
import type { Address } from './udp.ts';
import { clockRateOf, ownCodec, unknownLevel, VoiceReceiver } from './voice-receiver.ts';

/** A compromise of RFC 3550 §6.2 for sessions of two: the bandwidth is nothing, and round trips are wanted soon. */
const reportIntervalMs = 5_000;
const firstReportMs = 1_000;
const rtpHeaderLength = 12;

export interface CallLegOptions {
  readonly id: number;
  readonly local: Address;
  /** Of what it sends. */
  readonly ssrc: number;
  readonly standing: LegStanding;
  readonly position?: LegPosition | undefined;
  readonly timeoutMs: number;
  readonly send: (event: MixEvent) => void;
  /** Each packet of its voice as it comes, where that can be passed on. */
  readonly onVoice?: ((codec: LegCodec, timestamp: number, payload: Uint8Array) => void) | undefined;
}

type Use = { readonly kind: 'audio'; readonly codec: LegCodec } | { readonly kind: 'dtmf' | 'noise' };

export class CallLeg {
  readonly id: number;
  readonly receiver = new VoiceReceiver();
  readonly output: LegOutput;
  standing: LegStanding;
  readonly #options: CallLegOptions;
  readonly #socket: LegSocket;
  readonly #reception = new Reception();
  readonly #dtmf = new DtmfReceiver();
  #uses: (Use | undefined)[] = [];
  #parameters: LegParameters | undefined;
  /** As its direction says. */
  #isSending = false;
  #isReceiving = false;
  #srtp: SrtpReceiver | undefined;
  #position: LegPosition | undefined;
  #rejected = 0;
  #lastHeardMs = performance.now();
  #isSilent = false;
  #nextReportMs = performance.now() + firstReportMs;
  #wasSendingKeys = false;

  /** @throws the error of the system where its ports are taken */
  static async open(options: CallLegOptions): Promise<CallLeg> {
    let leg: CallLeg | undefined;
    const socket = await LegSocket.open(options.local, {
      receivedRtp: (bytes, offset, length, from, ms) => leg?.receive(bytes, offset, length, from, ms),
      receivedRtcp: (bytes, offset, length, from, ms) => leg?.receiveOnRtcpPort(bytes, offset, length, from, ms),
    });
    leg = new CallLeg(options, socket);
    return leg;
  }

  private constructor(options: CallLegOptions, socket: LegSocket) {
    this.id = options.id;
    this.#options = options;
    this.#socket = socket;
    this.standing = options.standing;
    this.#position = options.position;
    this.output = new LegOutput(socket, options.ssrc, options.position);
  }

  /** It is to be sent something. */
  get listens(): boolean {
    return this.#isSending;
  }

  /** What it says is to be heard by others. */
  get speaks(): boolean {
    const { isInMix, isMuted, isHeld, isHeldByPeer } = this.standing;
    return isInMix && !isMuted && !isHeld && !isHeldByPeer && this.#isReceiving;
  }

  /** It hears the room. */
  get hearsRoom(): boolean {
    return this.standing.isInMix && !this.standing.isHeld;
  }

  negotiate(given: LegParameters): void {
    const parameters = { ...given, send: { ...given.send, codec: ownCodec(given.send.codec) } };
    const { receive, remoteAddress: address, remotePort: port, srtp, direction } = parameters;
    this.#isSending = direction === 'sendrecv' || direction === 'sendonly';
    this.#isReceiving = direction === 'sendrecv' || direction === 'recvonly';
    const uses: (Use | undefined)[] = [];
    for (const { codec, payloadType } of receive.codecs) uses[payloadType] = { kind: 'audio', codec: ownCodec(codec) };
    for (const { payloadType } of receive.dtmf) uses[payloadType] = { kind: 'dtmf' };
    if (receive.comfortNoisePayloadType !== undefined) uses[receive.comfortNoisePayloadType] = { kind: 'noise' };
    this.#uses = uses;
    const isSameKey = srtp && this.#srtp && this.#parameters?.srtp?.receiveKey === srtp.receiveKey;
    if (!isSameKey) this.#srtp = srtp && new SrtpReceiver(srtp, this.#position?.receiveIndex);
    this.#parameters = parameters;
    this.output.negotiate(parameters);
    this.#socket.describe({ address, port }, parameters.remoteRtcpPort ?? port + 1, this.#position?.latched);
    this.#position = undefined;
    this.#lastHeardMs = performance.now();
  }

  receive(bytes: Uint8Array, offset: number, length: number, from: Address, nowMs: number): void {
    if (length < 8 || (bytes[offset] as number) >> 6 !== 2) return;
    const type = bytes[offset + 1] as number;
    // RFC 5761 §4 tells them apart.
    if (type >= 192 && type <= 223) this.#receiveRtcp(bufferOf(bytes, offset, length), from, false, nowMs);
    else if (!this.#parameters) return;
    else if (this.#srtp) this.#receiveSecured(this.#srtp, bufferOf(bytes, offset, length), from, nowMs);
    else if (this.#isOurs(type)) this.#receiveRtp(bytes, offset, length, from, nowMs);
  }

  receiveOnRtcpPort(bytes: Uint8Array, offset: number, length: number, from: Address, nowMs: number): void {
    const data = bufferOf(bytes, offset, length);
    if (isRtcp(data)) this.#receiveRtcp(data, from, true, nowMs);
  }

  /** Called now and then: reports, and whether anything comes at all. */
  watch(nowMs: number): void {
    const isSendingKeys = this.output.dtmf.isBusy;
    if (this.#wasSendingKeys && !isSendingKeys) this.#options.send({ type: 'legDtmfSent', legId: this.id });
    this.#wasSendingKeys = isSendingKeys;
    if (!this.#parameters) return;
    this.#socket.settle(nowMs);
    const { isHeld, isHeldByPeer } = this.standing;
    if (!this.#isReceiving || isHeld || isHeldByPeer) this.#lastHeardMs = nowMs;
    if (!this.#isSilent && nowMs - this.#lastHeardMs > this.#options.timeoutMs) {
      this.#isSilent = true;
      this.#options.send({ type: 'legSilent', legId: this.id });
    }
    if (nowMs >= this.#nextReportMs) this.#report(nowMs);
  }

  /** @param isMoving its peer hears nothing of it */
  close(isMoving = false): void {
    if (this.#parameters && !isMoving) this.output.sendRtcp(buildBye(this.output.ssrc, this.#cname));
    this.#tell();
    this.#socket.close();
    this.receiver.close();
  }

  get stats(): LegStats {
    const { buffer } = this.receiver;
    const { packets, lost, jitterMs } = this.#reception;
    const { far } = this.standing;
    const roundTripMs = sumOf(this.#reception.roundTripMs, far?.roundTripTimeMs);
    const codec = packets > 0 ? this.receiver.codec : this.#parameters?.send.codec;
    const late = buffer?.lateCount ?? 0;
    const lossShare = packets + lost > 0 ? (lost + late) / (packets + lost) : 0;
    const bufferMs = buffer?.targetMs ?? 0;
    return {
      codec,
      packetsReceived: packets,
      packetsSent: this.output.packets,
      bytesReceived: this.#reception.bytes,
      bytesSent: this.output.bytes,
      packetsLost: lost,
      packetsLate: late,
      framesConcealed: buffer?.concealedCount ?? 0,
      jitterMs,
      bufferMs,
      roundTripTimeMs: roundTripMs,
      remotePacketsLost: far?.packetsLost ?? this.#reception.remoteLost,
      remoteJitterMs: far?.jitterMs ?? this.#reception.remoteJitterMs,
      meanOpinionScore:
        codec && packets > 0 ? estimateMos(codec, (roundTripMs ?? 0) / 2 + bufferMs + 20, lossShare) : undefined,
      packetsRejected: this.#rejected,
    };
  }

  #isOurs(type: number): boolean {
    return this.#uses[type & 0x7f] !== undefined;
  }

  #receiveSecured(srtp: SrtpReceiver, packet: Buffer, from: Address, nowMs: number): void {
    if (packet.length < rtpHeaderLength || !this.#isOurs(packet[1] as number)) return;
    const plain = srtp.unprotectRtp(packet);
    if (plain) this.#receiveRtp(plain, 0, plain.length, from, nowMs);
    else this.#rejected += 1;
  }

  #receiveRtp(bytes: Uint8Array, offset: number, length: number, from: Address, nowMs: number): void {
    if (length < rtpHeaderLength) return;
    const acceptance = this.#socket.accept(from);
    if (acceptance === 'other') return;
    if (acceptance === 'new') this.#noteLatch(from);
    this.#noteHeard(nowMs);
    const payloadType = (bytes[offset + 1] as number) & 0x7f;
    const use = this.#uses[payloadType];
    const headerLength = headerLengthOf(bytes, offset, length);
    if (!use || headerLength < 0) return;
    const padding = (bytes[offset] as number) & 0x20 ? (bytes[offset + length - 1] as number) : 0;
    const payloadLength = length - headerLength - padding;
    if (payloadLength < 0) return;
    const seq = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
    const timestamp = uint32(bytes, offset + 4);
    const codec = use.kind === 'audio' ? use.codec : this.receiver.codec;
    this.#reception.note(uint32(bytes, offset + 8), seq, timestamp, payloadLength, clockRateOf(codec), nowMs);
    const at = offset + headerLength;
    const kind = use.kind === 'audio' ? 'audio' : use.kind === 'noise' ? 'comfort_noise' : 'skip';
    if (kind === 'audio' && payloadLength === 0) return;
    this.receiver.receive(kind, codec, payloadType, seq, timestamp, bytes, at, payloadLength, unknownLevel, nowMs);
    if (kind === 'skip') this.#receiveKeys(bytes.subarray(at, at + payloadLength), timestamp);
    else if (kind === 'audio' && codec === 'opus' && this.standing.voice !== 'off' && this.speaks) {
      this.#options.onVoice?.(codec, timestamp, bytes.subarray(at, at + payloadLength));
    }
  }

  #receiveKeys(payload: Uint8Array, timestamp: number): void {
    const digit = this.#dtmf.receive(payload, timestamp);
    if (digit) this.#options.send({ type: 'legDtmf', legId: this.id, digit });
  }

  #receiveRtcp(data: Buffer, from: Address, isRtcpPort: boolean, nowMs: number): void {
    const plain = this.#srtp ? this.#srtp.unprotectRtcp(data) : data;
    if (!plain) {
      this.#rejected += 1;
      return;
    }
    if (isRtcpPort && !this.#socket.acceptRtcp(from)) return;
    // A phone that sends nothing while it is muted still reports.
    this.#noteHeard(nowMs);
    for (const packet of parseRtcp(plain)) {
      if (packet.kind === 'sr') this.#reception.noteReport(packet, nowMs);
      if (packet.kind !== 'sr' && packet.kind !== 'rr') continue;
      const block = packet.reports.find(({ ssrc }) => ssrc === this.output.ssrc);
      if (block) this.#reception.noteBlock(block, this.output.clockRateHz, Date.now() * 1_000);
    }
  }

  #noteLatch({ address, port }: Address): void {
    this.#options.send({ type: 'legLatched', legId: this.id, address, port });
  }

  #noteHeard(nowMs: number): void {
    this.#lastHeardMs = nowMs;
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#options.send({ type: 'legHeard', legId: this.id });
  }

  #report(nowMs: number): void {
    // Spread by half, so that a thousand legs that came together do not report together (RFC 3550 §6.3.1).
    this.#nextReportMs = nowMs + reportIntervalMs * (0.75 + Math.random() / 2);
    const { output } = this;
    const sent =
      output.sentSinceReport > 0
        ? {
            unixUs: Date.now() * 1_000,
            rtpTimestamp: output.position.rtpTimestamp,
            packetCount: output.packets,
            octetCount: output.bytes,
          }
        : undefined;
    output.sentSinceReport = 0;
    output.sendRtcp(buildReport({ ssrc: output.ssrc, cname: this.#cname, sent, block: this.#reception.block(nowMs) }));
    this.#tell();
  }

  #tell(): void {
    const { ssrc } = this.#reception;
    const position: LegPosition = {
      ...this.output.position,
      receiveIndex: ssrc === undefined ? undefined : this.#srtp?.highestIndex(ssrc),
      latched: this.#socket.latched,
    };
    this.#options.send({ type: 'legReport', legId: this.id, stats: this.stats, position });
  }

  /** Says nothing of this machine, RFC 7022. */
  get #cname(): string {
    return `leg-${this.output.ssrc.toString(36)}`;
  }
}

function sumOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a + b;
}

const bufferOf = (bytes: Uint8Array, offset: number, length: number): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);

/** Cheaper than the checked reads of Buffer, where the length is known. */
function uint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return (high * 0x10000 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))) >>> 0;
}

/** With contributing sources and extension; -1 where it is longer than the packet. */
function headerLengthOf(bytes: Uint8Array, offset: number, length: number): number {
  const first = bytes[offset] as number;
  const fixed = rtpHeaderLength + (first & 0x0f) * 4;
  if ((first & 0x10) === 0) return fixed <= length ? fixed : -1;
  if (fixed + 4 > length) return -1;
  const words = ((bytes[offset + fixed + 2] as number) << 8) | (bytes[offset + fixed + 3] as number);
  const whole = fixed + 4 + words * 4;
  return whole <= length ? whole : -1;
}
