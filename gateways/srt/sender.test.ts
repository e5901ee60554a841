// Both halves of a connection against each other over a path that loses, delays and reorders; time is made by the test.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePacket } from './packet.ts';
import { SrtReceiver } from './receiver.ts';
import { RoundTrip } from './round-trip.ts';
import { SrtSender } from './sender.ts';

interface Path {
  readonly delayUs: number;
  /** For each datagram that goes out, in order: lost, or late by so much. */
  readonly fate: (index: number, isAgain: boolean) => 'lost' | number;
}

class Transfer {
  nowUs = 1_000_000;
  readonly delivered: number[] = [];
  readonly sender: SrtSender;
  readonly receiver: SrtReceiver;
  readonly sentAtUs: number[] = [];
  feedbackFate: (index: number) => 'lost' | number = () => 0;
  #events: { atUs: number; run: () => void }[] = [];
  #feedback = 0;

  constructor({ delayUs, fate }: Path, initialSequenceNumber: number, latencyUs: number, flowWindowPackets = 8_192) {
    const back = (run: () => void) => {
      const late = this.feedbackFate(this.#feedback++);
      if (late !== 'lost') this.#at(delayUs + late, run);
    };
    this.sender = new SrtSender(
      {
        ...{ initialSequenceNumber, latencyUs, flowWindowPackets, peerSocketId: 1, startUs: this.nowUs },
        cipher: undefined,
      },
      new RoundTrip(),
      {
        send: (datagram) => {
          const late = fate(this.sentAtUs.length, ((datagram[4] ?? 0) & 0x04) !== 0);
          this.sentAtUs.push(this.nowUs);
          const copy = Buffer.from(datagram);
          if (late !== 'lost') this.#at(delayUs + late, () => this.#arrive(copy));
        },
        sendAckAck: (number) => this.#at(delayUs, () => this.receiver.ackAck(number, 0, this.nowUs)),
        sendDropRequest: (first, last) => this.#at(delayUs, () => this.receiver.dropRequest(first, last)),
      },
    );
    this.receiver = new SrtReceiver(
      { initialSequenceNumber, latencyUs, arrivalUs: this.nowUs + delayUs, timestampUs: 0 },
      {
        deliver: (payload) => this.delivered.push(payload.readUInt32BE()),
        sendAck: (number, body) => back(() => this.sender.ack(number, body, this.nowUs)),
        sendNak: (body) => back(() => this.sender.nak(body, this.nowUs)),
      },
    );
  }

  write(number: number): void {
    const payload = Buffer.alloc(200);
    payload.writeUInt32BE(number);
    this.sender.write(payload, this.nowUs);
    this.sender.wake(this.nowUs);
  }

  run(untilUs: number): void {
    for (; this.nowUs < untilUs; this.nowUs += 1_000) {
      const due = this.#events.filter(({ atUs }) => atUs <= this.nowUs).sort((a, b) => a.atUs - b.atUs);
      this.#events = this.#events.filter(({ atUs }) => atUs > this.nowUs);
      for (const { run } of due) run();
      if (this.nowUs >= this.receiver.nextWakeUs) this.receiver.wake(this.nowUs);
      if (this.nowUs >= this.sender.nextWakeUs) this.sender.wake(this.nowUs);
    }
  }

  #at(afterUs: number, run: () => void): void {
    this.#events.push({ atUs: this.nowUs + afterUs, run });
  }

  #arrive(datagram: Buffer): void {
    const packet = parsePacket(datagram);
    if (packet?.kind === 'data') this.receiver.data(packet, packet.payload, this.nowUs);
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

/** One packet each 2 ms, then a second for the rest to arrive. */
function stream(transfer: Transfer, count: number): void {
  for (const number of upTo(count)) {
    transfer.write(number);
    transfer.run(transfer.nowUs + 2_000);
  }
  transfer.run(transfer.nowUs + 1_000_000);
}

test('whatever is lost once, late or out of order arrives whole and in order within the latency', () => {
  const fates = fc.array(fc.oneof({ weight: 4, arbitrary: fc.nat(6_000) }, fc.constant('lost' as const)), {
    minLength: 20,
    maxLength: 80,
  });
  fc.assert(
    fc.property(fates, fc.constantFrom(0, 0x7fffffff - 30), (fate, initial) => {
      const path = {
        delayUs: 10_000,
        fate: (index: number, isAgain: boolean) => (isAgain ? 0 : (fate[index % fate.length] ?? 0)),
      };
      const transfer = new Transfer(path, initial, 300_000);
      stream(transfer, 60);
      expect(transfer.delivered).toEqual(upTo(60));
      expect(transfer.sender.queuedPackets).toBe(0);
    }),
    { numRuns: 30 },
  );
});

test('feedback may be lost too', () => {
  const transfer = new Transfer({ delayUs: 20_000, fate: (i) => (i % 7 === 3 ? 'lost' : 0) }, 5, 400_000);
  transfer.feedbackFate = (i) => (i % 3 === 0 ? 'lost' : 0);
  stream(transfer, 300);
  expect(transfer.delivered).toEqual(upTo(300));
  expect(transfer.receiver.droppedPackets).toBe(0);
});

test('what does not come within the latency is left out, and the rest goes on in time', () => {
  const transfer = new Transfer({ delayUs: 50_000, fate: () => 0 }, 0, 60_000);
  const cut = new Transfer({ delayUs: 50_000, fate: (i) => (i === 20 || i === 21 ? 'lost' : 0) }, 0, 60_000);
  stream(transfer, 100);
  stream(cut, 100);
  expect(transfer.delivered).toEqual(upTo(100));
  expect(cut.delivered).toEqual(upTo(100).filter((number) => number !== 20 && number !== 21));
  expect(cut.receiver.droppedPackets).toBe(2);
});

test('the last packet of all is repeated although no other shows that it is missing', () => {
  const transfer = new Transfer({ delayUs: 5_000, fate: (i) => (i === 9 ? 'lost' : 0) }, 0, 300_000);
  stream(transfer, 10);
  expect(transfer.delivered).toEqual(upTo(10));
});

test('a peer that confirms nothing costs a bounded memory, and its silence is measured', () => {
  const transfer = new Transfer({ delayUs: 5_000, fate: () => 'lost' }, 0, 120_000);
  for (const number of upTo(20_000)) {
    transfer.write(number);
    if (number % 10 === 0) transfer.run(transfer.nowUs + 5_000);
    expect(transfer.sender.queuedPackets).toBeLessThanOrEqual(8_192);
  }
  expect(transfer.sender.silentUs(transfer.nowUs)).toBeGreaterThan(5_000_000);
  expect(transfer.sender.droppedPackets).toBeGreaterThan(0);
  transfer.run(transfer.nowUs + 1_100_000);
  expect(transfer.sender.queuedPackets).toBe(0);
});

test("no more is in flight than the peer's window", () => {
  const transfer = new Transfer({ delayUs: 5_000, fate: () => 'lost' }, 0, 120_000, 16);
  for (const number of upTo(100)) transfer.write(number);
  transfer.run(transfer.nowUs + 3_000);
  expect(transfer.sentAtUs).toHaveLength(16);
});

test('a burst goes out spread over a quarter of the latency, not at once', () => {
  const transfer = new Transfer({ delayUs: 1_000, fate: () => 0 }, 0, 400_000);
  const payload = Buffer.alloc(1_316);
  for (let i = 0; i < 400; i += 1) transfer.sender.write(payload, transfer.nowUs);
  const startUs = transfer.nowUs;
  transfer.run(startUs + 500_000);
  const times = transfer.sentAtUs.map((us) => us - startUs);
  expect(times.length).toBeGreaterThanOrEqual(400);
  expect(times[100]).toBeGreaterThan(5_000);
  expect(times[399]).toBeGreaterThan(50_000);
  expect(times[399]).toBeLessThan(150_000);
  expect(transfer.delivered).toHaveLength(400);
});

test('complaints about what is gone are answered with a drop request, and none makes it send what it has not', () => {
  const dropped: [number, number][] = [];
  const sent: Buffer[] = [];
  const sender = new SrtSender(
    { initialSequenceNumber: 100, latencyUs: 0, flowWindowPackets: 99, peerSocketId: 1, startUs: 0, cipher: undefined },
    new RoundTrip(),
    {
      send: (datagram) => sent.push(datagram),
      sendAckAck: () => undefined,
      sendDropRequest: (first, last) => dropped.push([first, last]),
    },
  );
  sender.write(Buffer.alloc(10), 1_000);
  sender.wake(1_000);
  sender.wake(2_000_000); // given up
  sender.write(Buffer.alloc(10), 2_000_000);
  sender.wake(2_000_000);
  const range = Buffer.alloc(8);
  range.writeUInt32BE(0x80000000 + 50, 0);
  range.writeUInt32BE(5_000_000, 4);
  sender.nak(range, 2_300_000);
  sender.wake(2_300_000);
  expect(dropped).toEqual([[50, 100]]);
  expect(sent.map((datagram) => datagram.readUInt32BE(0))).toEqual([100, 101, 101]);
});

test('any feedback at all leaves it in order', () => {
  const bytes = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(fc.array(fc.record({ isAck: fc.boolean(), info: fc.nat(), bytes }), { maxLength: 60 }), (feedback) => {
      const transfer = new Transfer({ delayUs: 1_000, fate: () => 0 }, 0x7ffffff0, 120_000);
      for (const { isAck, info, bytes: body } of feedback) {
        transfer.write(1);
        if (isAck) transfer.sender.ack(info, Buffer.from(body), transfer.nowUs);
        else transfer.sender.nak(Buffer.from(body), transfer.nowUs);
        transfer.run(transfer.nowUs + 2_000);
        expect(transfer.sender.queuedPackets).toBeGreaterThanOrEqual(0);
        expect(transfer.sender.queuedBytes).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 50 },
  );
});
