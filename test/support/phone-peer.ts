// Owns: a phone without SIP: sends a tone in one codec, keeps and measures what it hears.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { LegCodec, LegParameters, SrtpParameters } from '#core/leg-media.ts';
import { maxVoiceSamples, VoiceDecoder, VoiceEncoder } from '#media/av/voice-codecs.ts';
import { DtmfReceiver, DtmfSender } from '#media/legs/dtmf.ts';
import { decodeG711, encodeG711 } from '#media/legs/g711.ts';
import { SrtpReceiver, SrtpSender } from '#media/legs/srtp.ts';
import { buildRtp, isRtcp, parseRtp } from '#media/rtp/packet.ts';

const rates: Readonly<Record<LegCodec, number>> = { opus: 48_000, g722: 16_000, pcmu: 8_000, pcma: 8_000 };
const types: Readonly<Record<LegCodec, number>> = { opus: 111, g722: 9, pcmu: 0, pcma: 8 };
const dtmfType = 101;
export const noiseType = 13;
const lateMs = 40;

export interface PhoneOptions {
  readonly codec: LegCodec;
  /** Of the tone it speaks; 0 is silence. */
  readonly toneHz: number;
  readonly ptimeMs?: number;
  /** Keys as the phone sees them; or `secure()` once they are agreed. */
  readonly srtp?: SrtpParameters;
  /** Takes part in comfort noise. */
  readonly hasNoise?: boolean;
  /** Something between the phone and the network. */
  readonly channel?: (packet: Buffer, send: (packet: Buffer) => void) => void;
  /** dBov of the tone; -10 if absent. */
  readonly levelDbov?: number;
  /** Where it is; 127.0.0.1 if absent. */
  readonly address?: string;
}

export interface HeardPacket {
  readonly seq: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly arrivalMs: number;
  readonly payloadType: number;
  readonly size: number;
}

export class PhonePeer {
  readonly packets: HeardPacket[] = [];
  readonly digits: string[] = [];
  readonly rtcp: Buffer[] = [];
  readonly sampleRateHz: number;
  /** Frames that it sent later than a jitter buffer bears: this process was stalled, and not who receives them. */
  sentLate = 0;
  toneHz: number;
  readonly #options: PhoneOptions;
  readonly #socket: Socket;
  readonly #heard: Int16Array[] = [];
  readonly #decoder: VoiceDecoder | undefined;
  readonly #encoder: VoiceEncoder | undefined;
  #srtpSender: SrtpSender | undefined;
  #srtpReceiver: SrtpReceiver | undefined;
  readonly #dtmf = new DtmfReceiver();
  readonly #keys = new DtmfSender();
  readonly #ssrc = Math.floor(Math.random() * 2 ** 32);
  #keysFrom = 0;
  #target: { address: string; port: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seq = 65_400;
  #timestamp = 4_294_900_000;
  #sampleAt = 0;
  #frames = 0;
  #startMs = 0;
  #isClosed = false;
  #wake: () => void = () => undefined;

  static async open(options: PhoneOptions): Promise<PhonePeer> {
    const { address = '127.0.0.1' } = options;
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new PhonePeer(options, socket);
  }

  private constructor(options: PhoneOptions, socket: Socket) {
    const { codec, srtp } = options;
    this.#options = options;
    this.toneHz = options.toneHz;
    this.#socket = socket;
    this.sampleRateHz = rates[codec];
    if (codec === 'opus' || codec === 'g722') {
      this.#decoder = new VoiceDecoder(codec);
      this.#encoder = new VoiceEncoder({ codec, frameMs: 20, bitrateBps: 32_000 });
    }
    if (srtp) this.secure(srtp);
    socket.on('message', (data) => this.#receive(data));
  }

  secure(srtp: SrtpParameters): void {
    this.#srtpSender = new SrtpSender(srtp);
    this.#srtpReceiver = new SrtpReceiver(srtp);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** What offer and answer would have come to, as the gateway sees it. */
  parameters(change: Partial<LegParameters> = {}): LegParameters {
    const { codec, ptimeMs = 20, srtp, hasNoise } = this.#options;
    const dtmf = { payloadType: dtmfType, clockRateHz: codec === 'opus' ? 48_000 : 8_000 };
    const comfortNoisePayloadType = hasNoise ? noiseType : undefined;
    return {
      remoteAddress: this.#options.address ?? '127.0.0.1',
      remotePort: this.#socket.address().port,
      direction: 'sendrecv',
      send: { codec, payloadType: types[codec], ptimeMs, dtmf, comfortNoisePayloadType },
      receive: { codecs: [{ codec, payloadType: types[codec] }], dtmf: [dtmf], comfortNoisePayloadType },
      srtp: srtp && { suite: srtp.suite, sendKey: srtp.receiveKey, receiveKey: srtp.sendKey },
      ...change,
    };
  }

  /** Begins to send, every 20 ms by the clock. */
  talkTo(port: number, address = this.#options.address ?? '127.0.0.1'): void {
    this.#target = { address, port };
    this.#startMs = performance.now();
    this.#frames = 0;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      for (let nowMs = performance.now(); this.#startMs + this.#frames * 20 <= nowMs; nowMs = performance.now()) {
        if (nowMs - this.#startMs - this.#frames * 20 > lateMs) this.sentLate += 1;
        this.#frames += 1;
        this.#speak();
      }
    }, 5);
  }

  stopTalking(): void {
    clearInterval(this.#timer);
  }

  press(keys: string, durationMs = 160): void {
    this.#keys.push(keys, durationMs);
  }

  forget(): void {
    this.packets.length = 0;
    this.#heard.length = 0;
  }

  /** Everything heard since, in the order in which it came, at the codec's rate. */
  get samples(): Int16Array {
    const all = new Int16Array(this.#heard.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const part of this.#heard) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  }

  async until(isEnough: (phone: PhonePeer) => boolean): Promise<void> {
    while (!isEnough(this)) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Forgets, and waits until it has heard so much anew. */
  async hear(ms: number): Promise<Int16Array> {
    this.forget();
    await this.until(
      () => this.#heard.reduce((sum, { length }) => sum + length, 0) >= (ms * this.sampleRateHz) / 1_000,
    );
    return this.samples;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#socket.close();
    this.#decoder?.[Symbol.dispose]();
    this.#encoder?.[Symbol.dispose]();
  }

  #speak(): void {
    const { codec } = this.#options;
    const ticks = codec === 'opus' ? 960 : 160;
    const timestamp = this.#timestamp;
    this.#timestamp = (timestamp + ticks) >>> 0;
    const count = this.sampleRateHz / 50;
    const amplitude = 32_768 * Math.SQRT2 * 10 ** ((this.#options.levelDbov ?? -10) / 20);
    const samples = Int16Array.from({ length: count }, (_, i) =>
      this.toneHz === 0
        ? 0
        : amplitude * Math.sin((2 * Math.PI * this.toneHz * (this.#sampleAt + i)) / this.sampleRateHz),
    );
    this.#sampleAt += count;
    if (this.#keys.isBusy) {
      const { packets, isBegin } = this.#keys.next(ticks * 50);
      if (isBegin) this.#keysFrom = timestamp;
      for (const { payload, segmentTicks, marker } of packets) {
        this.#send(dtmfType, (this.#keysFrom + segmentTicks) >>> 0, payload, marker);
      }
      return;
    }
    const payload = new Uint8Array(1_500);
    if (codec === 'pcmu' || codec === 'pcma') {
      encodeG711(codec, samples, payload);
      this.#sendSound(payload.subarray(0, count), timestamp);
    } else {
      const length = this.#encoder?.encode(samples, payload) ?? 0;
      this.#sendSound(payload.subarray(0, length), timestamp);
    }
  }

  /** Cut or collected to its ptime; Opus keeps to 20 ms. */
  #sendSound(payload: Uint8Array, timestamp: number): void {
    const { codec, ptimeMs = 20 } = this.#options;
    if (codec === 'opus' || ptimeMs === 20) {
      this.#send(types[codec], timestamp, payload, false);
      return;
    }
    if (this.#waiting.length === 0) this.#waitingFrom = timestamp;
    this.#waiting = Buffer.concat([this.#waiting, payload]);
    const whole = ptimeMs * 8;
    while (this.#waiting.length >= whole) {
      this.#send(types[codec], this.#waitingFrom, this.#waiting.subarray(0, whole), false);
      this.#waitingFrom = (this.#waitingFrom + whole) >>> 0;
      this.#waiting = this.#waiting.subarray(whole);
    }
  }

  #waiting: Buffer = Buffer.alloc(0);
  #waitingFrom = 0;

  #send(payloadType: number, timestamp: number, payload: Uint8Array, marker: boolean): void {
    const index = this.#seq++;
    const plain = buildRtp({ payloadType, marker, sequenceNumber: index, timestamp, ssrc: this.#ssrc }, payload);
    const packet = this.#srtpSender ? this.#srtpSender.protectRtp(plain, index) : plain;
    const transmit = (data: Buffer) => {
      if (this.#target && !this.#isClosed) {
        this.#socket.send(data, this.#target.port, this.#target.address, () => undefined);
      }
    };
    if (this.#options.channel) this.#options.channel(packet, transmit);
    else transmit(packet);
  }

  #receive(data: Buffer): void {
    if (isRtcp(data)) {
      const plain = this.#srtpReceiver ? this.#srtpReceiver.unprotectRtcp(data) : data;
      if (plain) this.rtcp.push(plain);
      return;
    }
    const plain = this.#srtpReceiver ? this.#srtpReceiver.unprotectRtp(data) : data;
    const packet = plain && parseRtp(plain);
    if (!packet) return;
    const { sequenceNumber: seq, timestamp, payloadType, payload, ssrc } = packet;
    this.packets.push({ seq, timestamp, payloadType, ssrc, arrivalMs: performance.now(), size: payload.length });
    if (payloadType === dtmfType) {
      const digit = this.#dtmf.receive(payload, timestamp);
      if (digit) this.digits.push(digit);
    } else if (payloadType === types[this.#options.codec]) {
      this.#heard.push(this.#decode(payload));
    }
    this.#wake();
  }

  #decode(payload: Uint8Array): Int16Array {
    const { codec } = this.#options;
    if (codec === 'pcmu' || codec === 'pcma') {
      const samples = new Int16Array(payload.length);
      decodeG711(codec, payload, samples);
      return samples;
    }
    const samples = new Int16Array(maxVoiceSamples);
    return samples.slice(0, this.#decoder?.decode(payload, samples) ?? 0);
  }
}
