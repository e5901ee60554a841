// Owns: the sending half of a connection: numbers, pace, repetition, and giving up what is too late. Pure: it is told the
// time. May import: its neighbours.
import { parseLossReport } from './loss-report.ts';
import { keyFlag, packetTimestamp, serializeData } from './packet.ts';
import type { RoundTrip } from './round-trip.ts';
import { SendBuffer } from './send-buffer.ts';
import { extendSequence, wrapSequence } from './sequence.ts';

export interface SenderOutlet {
  send(datagram: Buffer): void;
  sendAckAck(ackNumber: number): void;
  /** Tells the peer not to wait for these any more. */
  sendDropRequest(first: number, last: number): void;
}

/** Payloads as they go out: encrypted, or as they are. */
export interface PayloadCipher {
  encrypt(sequenceNumber: number, payload: Uint8Array): { readonly keyFlag: number; readonly payload: Buffer };
}

export interface SenderOptions {
  readonly initialSequenceNumber: number;
  readonly peerSocketId: number;
  readonly latencyUs: number;
  /** When the connection's clock began. */
  readonly startUs: number;
  /** What the peer holds at most. */
  readonly flowWindowPackets: number;
  readonly cipher: PayloadCipher | undefined;
}

const sendWindowPackets = 8_192;
const maxBufferedBytes = 12 * 1_024 * 1_024;
const maxMessageNumber = 0x03ffffff;
/** Below this nothing is given up, however short the latency: libsrt's floor. */
const minTooLateUs = 1_000_000;
const synUs = 10_000;
/** A burst is spread over at most this part of the latency, so that its end still comes in time. */
const burstShare = 0.25;
/** Room above the rate of the source, for repetitions. */
const overhead = 1.25;
const minRateBytesPerS = 125_000;
/** What may go out at once: pacing finer than this costs more than it helps. */
const burstBytes = 16 * 1_456;
const rateWindowUs = 500_000;
const maxBackOff = 6;
/** To one complaint; the peer complains again. */
const maxDropRequests = 8;
/** Nobody waits for what is so far back. */
const maxGonePackets = 32_768;

export class SrtSender {
  readonly #options: SenderOptions;
  readonly #outlet: SenderOutlet;
  readonly #roundTrip: RoundTrip;
  readonly #buffer: SendBuffer;
  #messageNumber = 0;
  #peerWindowPackets: number;
  #budgetBytes = burstBytes;
  #budgetAtUs: number;
  /** What the burst needs that is being sent. */
  #burstBytesPerS = 0;
  #rate = { sinceUs: 0, bytes: 0, bytesPerS: 0 };
  /** When the peer last confirmed something, or there was last nothing to confirm. */
  #progressUs: number;
  /** Something was too late since the peer last confirmed anything. */
  #hasGivenUp = false;
  #backOff = 0;
  #retryUs = Number.POSITIVE_INFINITY;
  sentPackets = 0;
  resentPackets = 0;
  droppedPackets = 0;

  constructor(options: SenderOptions, roundTrip: RoundTrip, outlet: SenderOutlet) {
    this.#options = options;
    this.#roundTrip = roundTrip;
    this.#outlet = outlet;
    this.#buffer = new SendBuffer(options.initialSequenceNumber, sendWindowPackets);
    this.#peerWindowPackets = options.flowWindowPackets;
    this.#budgetAtUs = options.startUs;
    this.#progressUs = options.startUs;
  }

  get queuedPackets(): number {
    return this.#buffer.queuedPackets;
  }

  get queuedBytes(): number {
    return this.#buffer.bytes;
  }

  /** So long the peer has confirmed nothing of what it should have. */
  silentUs(nowUs: number): number {
    return this.#buffer.inFlight > 0 || this.#isHeldBack || this.#hasGivenUp ? nowUs - this.#progressUs : 0;
  }

  /** @param payload what one packet holds */
  write(payload: Uint8Array, nowUs: number): void {
    if (this.#buffer.queuedPackets === 0 && !this.#hasGivenUp) this.#progressUs = nowUs;
    while (this.#buffer.isFull || (this.#buffer.bytes > maxBufferedBytes && this.#buffer.queuedPackets > 0)) {
      this.#dropOldest();
    }
    const { startUs, peerSocketId, cipher } = this.#options;
    const sequenceNumber = wrapSequence(this.#buffer.end);
    const plain = { keyFlag: keyFlag.none, payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length) };
    const sealed = cipher?.encrypt(sequenceNumber, payload) ?? plain;
    this.#messageNumber = this.#messageNumber >= maxMessageNumber ? 1 : this.#messageNumber + 1;
    const datagram = serializeData({
      ...{ sequenceNumber, messageNumber: this.#messageNumber, isRetransmitted: false, ...sealed },
      ...{ timestampUs: packetTimestamp(nowUs, startUs), socketId: peerSocketId },
    });
    this.#buffer.add(datagram, nowUs);
    const spreadUs = Math.max(synUs, this.#options.latencyUs * burstShare);
    this.#burstBytesPerS = Math.max(this.#burstBytesPerS, (this.#buffer.unsentBytes * 1e6) / spreadUs);
    this.#measure(payload.length, nowUs);
  }

  ack(ackNumber: number, body: Buffer, nowUs: number): void {
    if (body.length < 4) return;
    if (ackNumber !== 0) this.#outlet.sendAckAck(ackNumber);
    const number = extendSequence(body.readUInt32BE(0) & 0x7fffffff, this.#buffer.first);
    if (this.#buffer.confirm(number)) {
      this.#progressUs = nowUs;
      this.#hasGivenUp = false;
      this.#backOff = 0;
      this.#armRetry(nowUs);
    }
    if (body.length < 16) return;
    const rttUs = body.readUInt32BE(4);
    if (rttUs > 0 && rttUs < 60_000_000) this.#roundTrip.note(rttUs);
    this.#peerWindowPackets = Math.min(this.#options.flowWindowPackets, body.readUInt32BE(12));
  }

  nak(body: Buffer, nowUs: number): void {
    // What was repeated less than a round trip ago is on its way while the peer still complains.
    const sinceUs = nowUs - Math.max(0, this.#roundTrip.rttUs - this.#roundTrip.varianceUs);
    let answers = maxDropRequests;
    for (const [first, last] of parseLossReport(body)) {
      const from = extendSequence(first, this.#buffer.first);
      const to = extendSequence(last, this.#buffer.first);
      const isGone = from < this.#buffer.first && from > this.#buffer.first - maxGonePackets && to >= from;
      if (isGone && answers-- > 0) {
        this.#outlet.sendDropRequest(first, wrapSequence(Math.min(to, this.#buffer.first - 1)));
      }
      this.#buffer.noteLost(from, to, sinceUs);
    }
  }

  get nextWakeUs(): number {
    const { oldest } = this.#buffer;
    const lateUs = oldest ? oldest.bornUs + this.#tooLateUs : Number.POSITIVE_INFINITY;
    const hasWork = this.#buffer.hasLosses || (this.#buffer.unsentPackets > 0 && !this.#isHeldBack);
    return Math.min(hasWork ? this.#paidAtUs : Number.POSITIVE_INFINITY, lateUs, this.#retryUs);
  }

  wake(nowUs: number): void {
    this.#dropLate(nowUs);
    if (nowUs >= this.#retryUs) this.#retry(nowUs);
    this.#refill(nowUs);
    while (this.#budgetBytes > 0) {
      const next = this.#buffer.next(nowUs, !this.#isHeldBack);
      if (this.#buffer.unsentBytes === 0) this.#burstBytesPerS = 0;
      if (!next) return;
      this.#budgetBytes -= next.datagram.length;
      if (next.isAgain) this.resentPackets += 1;
      this.sentPackets += 1;
      this.#outlet.send(next.datagram);
      if (this.#retryUs === Number.POSITIVE_INFINITY) this.#armRetry(nowUs);
    }
  }

  get #isHeldBack(): boolean {
    return this.#buffer.inFlight >= Math.max(1, this.#peerWindowPackets);
  }

  get #tooLateUs(): number {
    return Math.max(minTooLateUs, this.#options.latencyUs) + 2 * synUs;
  }

  #dropLate(nowUs: number): void {
    for (let { oldest } = this.#buffer; oldest && nowUs - oldest.bornUs >= this.#tooLateUs; { oldest } = this.#buffer) {
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    this.#buffer.dropOldest();
    this.#hasGivenUp = true;
    this.droppedPackets += 1;
  }

  /** The end of a burst may be lost without the peer knowing that there was more. */
  #retry(nowUs: number): void {
    if (this.#buffer.inFlight > 0 && !this.#buffer.hasLosses) {
      this.#backOff = Math.min(maxBackOff, this.#backOff + 1);
      const { first, inFlight } = this.#buffer;
      this.#buffer.noteLost(first, first + inFlight - 1, nowUs - this.#roundTrip.timeoutUs);
    }
    this.#armRetry(nowUs);
  }

  #armRetry(nowUs: number): void {
    const waitUs = (this.#roundTrip.timeoutUs + 2 * synUs) * 2 ** this.#backOff;
    this.#retryUs = this.#buffer.inFlight > 0 ? nowUs + waitUs : Number.POSITIVE_INFINITY;
  }

  get #bytesPerS(): number {
    return Math.max(minRateBytesPerS, this.#rate.bytesPerS * overhead, this.#burstBytesPerS);
  }

  #refill(nowUs: number): void {
    const earned = ((nowUs - this.#budgetAtUs) * this.#bytesPerS) / 1e6;
    this.#budgetBytes = Math.min(burstBytes, this.#budgetBytes + earned);
    this.#budgetAtUs = nowUs;
  }

  /** When what was sent is paid for and more may go. */
  get #paidAtUs(): number {
    return this.#budgetBytes > 0 ? 0 : this.#budgetAtUs + ((1 - this.#budgetBytes) * 1e6) / this.#bytesPerS;
  }

  #measure(bytes: number, nowUs: number): void {
    const passedUs = nowUs - this.#rate.sinceUs;
    if (passedUs >= rateWindowUs) {
      const bytesPerS = this.#rate.sinceUs === 0 ? 0 : (this.#rate.bytes * 1e6) / passedUs;
      this.#rate = { sinceUs: nowUs, bytes: 0, bytesPerS };
    }
    this.#rate.bytes += bytes;
  }
}
