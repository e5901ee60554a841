// Owns: the receiving half of a connection: order, time, acknowledgements and complaints. Pure: it is told the time.
// May import: its neighbours.
import { DeliveryClock } from './delivery-clock.ts';
import { serializeLossReport } from './loss-report.ts';
import type { DataPacket } from './packet.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { RoundTrip } from './round-trip.ts';
import { extendSequence, wrapSequence } from './sequence.ts';

export interface ReceiverOutlet {
  /** In order, each at its time. */
  deliver(payload: Buffer): void;
  sendAck(ackNumber: number, body: Buffer): void;
  sendNak(body: Buffer): void;
}

export interface ReceiverOptions {
  readonly initialSequenceNumber: number;
  readonly latencyUs: number;
  /** Of the handshake packet: our clock, and the sender's. */
  readonly arrivalUs: number;
  readonly timestampUs: number;
}

export const receiveWindowPackets = 8_192;
const maxBufferedBytes = 12 * 1_024 * 1_024;
const ackIntervalUs = 10_000;
/** At high rates the sender hears more often how far we are, in short. */
const lightAckPackets = 64;
const minNakIntervalUs = 20_000;
/** Over which the receiving rate is measured. */
const rateWindowUs = 1_000_000;
const fullAckBytes = 28;

export class SrtReceiver {
  readonly #outlet: ReceiverOutlet;
  readonly #buffer: ReceiveBuffer;
  readonly #clock: DeliveryClock;
  readonly roundTrip = new RoundTrip();
  #ackNumber = 0;
  /** Extended; what the sender knows that we have. */
  #confirmed: number;
  #acked: number;
  #ackNumbers = new Map<number, number>();
  #ackedAtUs = 0;
  #sinceAck = 0;
  #nextAckUs = Number.POSITIVE_INFINITY;
  #nextNakUs = Number.POSITIVE_INFINITY;
  #rate = { sinceUs: 0, packets: 0, bytes: 0, packetsPerS: 0, bytesPerS: 0 };
  receivedPackets = 0;
  receivedBytes = 0;
  lostPackets = 0;
  duplicatePackets = 0;

  constructor(options: ReceiverOptions, outlet: ReceiverOutlet) {
    const { initialSequenceNumber } = options;
    this.#outlet = outlet;
    this.#clock = new DeliveryClock(options);
    this.#buffer = new ReceiveBuffer({
      initialSequenceNumber,
      windowPackets: receiveWindowPackets,
      maxBytes: maxBufferedBytes,
    });
    this.#confirmed = initialSequenceNumber;
    this.#acked = initialSequenceNumber;
  }

  get droppedPackets(): number {
    return this.#buffer.droppedPackets;
  }

  get waitingPackets(): number {
    return this.#buffer.waitingPackets;
  }

  /** @param payload of the packet, decrypted */
  data(packet: DataPacket, payload: Buffer, nowUs: number): void {
    const dueUs = this.#clock.dueUs(packet.timestampUs, nowUs);
    const { arrival, gap } = this.#buffer.put(this.#buffer.extend(packet.sequenceNumber), { payload, dueUs }, nowUs);
    if (arrival !== 'stored') {
      this.duplicatePackets += 1;
      return;
    }
    this.#count(payload.length, nowUs);
    if (this.#nextAckUs === Number.POSITIVE_INFINITY) this.#nextAckUs = nowUs + ackIntervalUs;
    this.#sinceAck += 1;
    if (gap) this.#complain(gap, nowUs);
    if (this.#sinceAck >= lightAckPackets) this.#lightAck();
  }

  dropRequest(first: number, last: number): void {
    const from = this.#buffer.extend(first);
    this.#buffer.drop(from, extendSequence(last, from));
  }

  ackAck(ackNumber: number, timestampUs: number, nowUs: number): void {
    if (!this.roundTrip.noteAckAck(ackNumber, nowUs)) return;
    this.#confirmed = Math.max(this.#confirmed, this.#ackNumbers.get(ackNumber) ?? 0);
    for (const older of this.#ackNumbers.keys()) {
      if (older > ackNumber) break;
      this.#ackNumbers.delete(older);
    }
    this.#clock.noteAckAck(timestampUs, nowUs, this.roundTrip.rttUs);
    // What was planned before anything was measured may be far too late.
    if (this.#buffer.lossCount > 0) this.#nextNakUs = Math.min(this.#nextNakUs, nowUs + this.#nakIntervalUs);
  }

  /** When something is to be done next, at the latest. */
  get nextWakeUs(): number {
    return Math.min(this.#buffer.nextDueUs ?? Number.POSITIVE_INFINITY, this.#nextAckUs, this.#nextNakUs);
  }

  wake(nowUs: number): void {
    this.#release(nowUs);
    if (nowUs >= this.#nextAckUs) this.#fullAck(nowUs);
    if (nowUs >= this.#nextNakUs) this.#complainAgain(nowUs);
  }

  /** Nothing more will come: what is here is handed on at once. */
  flush(): void {
    this.#release(Number.POSITIVE_INFINITY);
  }

  clear(): void {
    this.#buffer.clear();
    this.#nextAckUs = Number.POSITIVE_INFINITY;
    this.#nextNakUs = Number.POSITIVE_INFINITY;
  }

  #release(nowUs: number): void {
    for (let next = this.#buffer.take(nowUs); next; next = this.#buffer.take(nowUs)) {
      this.#outlet.deliver(next);
    }
  }

  #complain(gap: readonly number[], nowUs: number): void {
    this.lostPackets += gap.length;
    this.#sendNak(gap);
    this.#nextNakUs = Math.min(this.#nextNakUs, nowUs + this.#nakIntervalUs);
  }

  /** A report or the packet itself may have been lost too. */
  #complainAgain(nowUs: number): void {
    this.#sendNak(this.#buffer.report(nowUs - this.#nakIntervalUs, nowUs));
    this.#nextNakUs = this.#buffer.lossCount > 0 ? nowUs + this.#nakIntervalUs : Number.POSITIVE_INFINITY;
  }

  #sendNak(lost: readonly number[]): void {
    if (lost.length > 0) this.#outlet.sendNak(serializeLossReport(lost));
  }

  get #nakIntervalUs(): number {
    return Math.max(minNakIntervalUs, this.roundTrip.timeoutUs / 2);
  }

  #lightAck(): void {
    this.#sinceAck = 0;
    const body = Buffer.allocUnsafe(4);
    body.writeUInt32BE(wrapSequence(this.#buffer.acknowledged));
    this.#outlet.sendAck(0, body);
  }

  /** Says how far we are until the sender has confirmed that it knows. */
  #fullAck(nowUs: number): void {
    const { acknowledged } = this.#buffer;
    this.#nextAckUs = nowUs + ackIntervalUs;
    if (acknowledged <= this.#confirmed) {
      // Nothing new: the next packet begins anew, unless some are waited for.
      if (this.#buffer.waitingPackets === 0) this.#nextAckUs = Number.POSITIVE_INFINITY;
      return;
    }
    if (acknowledged === this.#acked && nowUs - this.#ackedAtUs < this.roundTrip.timeoutUs) return;
    this.#sinceAck = 0;
    this.#ackNumber = this.#ackNumber >= 0x7fffffff ? 1 : this.#ackNumber + 1;
    this.#acked = acknowledged;
    this.#ackedAtUs = nowUs;
    this.#ackNumbers.set(this.#ackNumber, acknowledged);
    this.roundTrip.noteAckSent(this.#ackNumber, nowUs);
    this.#outlet.sendAck(this.#ackNumber, this.#ackBody(acknowledged));
    if (this.#ackNumbers.size > 1_024) this.#ackNumbers = new Map([...this.#ackNumbers].slice(512));
  }

  #ackBody(acknowledged: number): Buffer {
    const { rttUs, varianceUs } = this.roundTrip;
    const { packetsPerS, bytesPerS } = this.#rate;
    const fields = [wrapSequence(acknowledged), rttUs, varianceUs, Math.max(2, this.#buffer.freePackets)];
    const body = Buffer.allocUnsafe(fullAckBytes);
    // The capacity of the link is not measured here; senders in live mode do not use it.
    [...fields, packetsPerS, packetsPerS, bytesPerS].forEach((field, index) => {
      body.writeUInt32BE(Math.min(0xffffffff, Math.round(field)), index * 4);
    });
    return body;
  }

  #count(bytes: number, nowUs: number): void {
    this.receivedPackets += 1;
    this.receivedBytes += bytes;
    const rate = this.#rate;
    const passedUs = nowUs - rate.sinceUs;
    if (passedUs >= rateWindowUs) {
      const perS = (count: number) => (rate.sinceUs === 0 ? 0 : (count * 1e6) / passedUs);
      this.#rate = {
        ...{ sinceUs: nowUs, packets: 0, bytes: 0 },
        ...{ packetsPerS: perS(rate.packets), bytesPerS: perS(rate.bytes) },
      };
    }
    this.#rate.packets += 1;
    this.#rate.bytes += bytes;
  }
}
