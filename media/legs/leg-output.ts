// Owns: what a leg sends: packets of its ptime, keys, comfort noise, numbered and secured.
import { randomInt } from 'node:crypto';
import type { LegParameters, LegPosition } from '#core/leg-media.ts';
import type { MixSound } from '../mixer/mix-sound.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { writeNoise } from './comfort-noise.ts';
import { DtmfSender } from './dtmf.ts';
import type { LegSocket } from './leg-socket.ts';
import { SrtpSender } from './srtp.ts';
import { clockRateOf } from './voice-receiver.ts';

const headerLength = 12;
/** An Opus packet is at most 1275 bytes (RFC 6716 §3.4); ours are a tenth of it. */
const bufferBytes = headerLength + 1_500;
/** What is to be secured is built here. */
const workspace = Buffer.allocUnsafeSlow(bufferBytes);
/** What the last worker may have sent since its last report: more than receivers take for a loss is a new stream. */
const resumeGap = 500;
/** In silence a noise packet goes every so many frames: it keeps NAT bindings and time-outs of the peer content. */
const noiseFrames = 10;
const noiseDbov = -65;

type SendParameters = LegParameters['send'];

export class LegOutput {
  readonly #socket: LegSocket;
  readonly ssrc: number;
  readonly dtmf = new DtmfSender();
  #send: SendParameters | undefined;
  #srtp: SrtpSender | undefined;
  #rtcpIndex: number;
  #index: number;
  #timestamp: number;
  #resumedAtUs: number | undefined;
  #clockRateHz = 8_000;
  #frameTicks = 160;
  #isMarked = true;
  /** Frames that are collected for a packet longer than 20 ms. */
  #collected: Uint8Array[] = [];
  #collectedAt = 0;
  #silentFrames = 0;
  #dtmfTimestamp = 0;
  packets = 0;
  bytes = 0;
  sentSinceReport = 0;

  constructor(socket: LegSocket, ssrc: number, position: LegPosition | undefined) {
    this.#socket = socket;
    this.ssrc = ssrc;
    this.#index = position ? position.sequenceIndex + resumeGap : randomInt(0, 0x8000);
    this.#rtcpIndex = position ? position.rtcpIndex + resumeGap : 0;
    this.#timestamp = position?.rtpTimestamp ?? randomInt(0, 0xffffffff);
    this.#resumedAtUs = position?.clockUs;
  }

  negotiate({ send, srtp }: LegParameters): void {
    const clockRateHz = clockRateOf(send.codec);
    if (this.#resumedAtUs !== undefined) {
      this.#timestamp = (this.#timestamp + Math.round(((clockNowUs() - this.#resumedAtUs) * clockRateHz) / 1e6)) >>> 0;
      this.#resumedAtUs = undefined;
    }
    if (send.codec !== this.#send?.codec) this.#isMarked = true;
    this.#send = send;
    this.#clockRateHz = clockRateHz;
    this.#frameTicks = clockRateHz / 50;
    this.#collected = [];
    if (this.#srtp) this.#rtcpIndex = this.#srtp.rtcpIndex;
    this.#srtp = srtp && new SrtpSender(srtp, this.#rtcpIndex);
  }

  get clockRateHz(): number {
    return this.#clockRateHz;
  }

  get position(): Omit<LegPosition, 'receiveIndex' | 'latched'> {
    return {
      sequenceIndex: this.#index,
      rtpTimestamp: this.#timestamp,
      clockUs: clockNowUs(),
      rtcpIndex: this.#srtp?.rtcpIndex ?? this.#rtcpIndex,
    };
  }

  /** One step of 20 ms with something to hear, or nothing where that was agreed. */
  step(sound: MixSound): void {
    const send = this.#send;
    if (!send) return;
    if (this.dtmf.isBusy && send.dtmf) this.#sendKeys(send.dtmf.payloadType);
    else if (sound.isSilent && send.comfortNoisePayloadType !== undefined && send.codec !== 'opus') {
      this.#sendNoise(send.comfortNoisePayloadType);
    } else {
      this.#silentFrames = 0;
      this.#sendSound(send, sound);
    }
    this.#timestamp = (this.#timestamp + this.#frameTicks) >>> 0;
  }

  /** Time passes without anything being sent. */
  pass(frames = 1): void {
    this.#timestamp = (this.#timestamp + this.#frameTicks * frames) >>> 0;
    this.#isMarked = true;
    this.#collected = [];
  }

  sendRtcp(packet: Buffer): void {
    this.#socket.sendRtcp(this.#srtp ? this.#srtp.protectRtcp(packet) : packet);
  }

  #sendSound(send: SendParameters, sound: MixSound): void {
    const { codec, ptimeMs, payloadType } = send;
    if (ptimeMs === 20) {
      this.#emit(payloadType, this.#timestamp, sound.payload(codec), this.#takeMark());
      return;
    }
    if (ptimeMs === 10) {
      const [first, second] = sound.halves(codec);
      this.#emit(payloadType, this.#timestamp, first, this.#takeMark());
      this.#emit(payloadType, (this.#timestamp + this.#frameTicks / 2) >>> 0, second, false);
      return;
    }
    if (this.#collected.length === 0) this.#collectedAt = this.#timestamp;
    if (codec === 'opus') this.#collectOpus(payloadType, ptimeMs, sound);
    else this.#collectBytes(payloadType, ptimeMs, sound.payload(codec));
  }

  /** Opus has packets of 40 and 60 ms, made of frames of 20; 30 and 50 are rounded down. */
  #collectOpus(payloadType: number, ptimeMs: number, sound: MixSound): void {
    this.#collected.push(Uint8Array.from(sound.payload('opus')));
    if (this.#collected.length < Math.floor(ptimeMs / 20)) return;
    this.#emit(payloadType, this.#collectedAt, joinOpusFrames(this.#collected), this.#takeMark());
    this.#collected = [];
  }

  /** G.711 and G.722 have 8 bytes for each millisecond and may be cut anywhere. */
  #collectBytes(payloadType: number, ptimeMs: number, payload: Uint8Array): void {
    const whole = ptimeMs * 8;
    this.#collected.push(Uint8Array.from(payload));
    let all = Buffer.concat(this.#collected);
    while (all.length >= whole) {
      this.#emit(payloadType, this.#collectedAt, all.subarray(0, whole), this.#takeMark());
      this.#collectedAt = (this.#collectedAt + whole) >>> 0;
      all = all.subarray(whole);
    }
    this.#collected = all.length > 0 ? [all] : [];
  }

  #sendNoise(payloadType: number): void {
    if (this.#silentFrames % noiseFrames === 0) this.#emit(payloadType, this.#timestamp, writeNoise(noiseDbov), false);
    this.#silentFrames += 1;
    this.#isMarked = true;
    this.#collected = [];
  }

  #sendKeys(payloadType: number): void {
    const { packets, isBegin } = this.dtmf.next(this.#clockRateHz);
    if (isBegin) this.#dtmfTimestamp = this.#timestamp;
    for (const { payload, segmentTicks, marker } of packets) {
      this.#emit(payloadType, (this.#dtmfTimestamp + segmentTicks) >>> 0, payload, marker);
    }
    this.#isMarked = true;
    this.#collected = [];
  }

  #takeMark(): boolean {
    const isMarked = this.#isMarked;
    this.#isMarked = false;
    return isMarked;
  }

  #emit(payloadType: number, timestamp: number, payload: Uint8Array, marker: boolean): void {
    if (headerLength + payload.length > bufferBytes) return;
    const index = this.#index++;
    this.packets += 1;
    this.bytes += payload.length;
    this.sentSinceReport += 1;
    const header = marker ? 0x8080 | payloadType : 0x8000 | payloadType;
    if (this.#srtp) this.#emitSecured(this.#srtp, header, index, timestamp, payload);
    else this.#socket.sendRtp(header, index & 0xffff, timestamp, this.ssrc, payload);
  }

  #emitSecured(srtp: SrtpSender, header: number, index: number, timestamp: number, payload: Uint8Array): void {
    const length = headerLength + payload.length;
    const packet = workspace.subarray(0, length);
    packet.writeUInt16BE(header, 0);
    packet.writeUInt16BE(index & 0xffff, 2);
    packet.writeUInt32BE(timestamp, 4);
    packet.writeUInt32BE(this.ssrc, 8);
    packet.set(payload, headerLength);
    this.#socket.send(srtp.protectRtp(packet, index));
  }
}

/** A packet of code 3 with frames of their own lengths, RFC 6716 §3.2.5; all must be of one configuration. */
export function joinOpusFrames(packets: readonly Uint8Array[]): Buffer {
  const [first] = packets;
  if (!first) return Buffer.alloc(0);
  const toc = first[0] as number;
  const frames = packets.map((packet) => packet.subarray(1));
  // An encoder that changed its mode in between, or packets that are no single frames: rather one than none.
  if (packets.some((packet) => packet[0] !== toc) || (toc & 3) !== 0) return Buffer.from(packets.at(-1) as Uint8Array);
  const lengths = frames.slice(0, -1).flatMap(({ length }) => {
    if (length < 252) return [length];
    const low = 252 + (length & 3);
    return [low, (length - low) >> 2];
  });
  return Buffer.concat([Buffer.from([toc | 3, 0x80 | frames.length, ...lengths]), ...frames]);
}
