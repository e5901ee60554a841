import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Picture } from '../av/picture.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { Av1Depacketiser, leb128 } from './av1.ts';
import type { RtpFrame } from './depacketise.ts';
import type { RtpPacket } from './packet.ts';

const sequenceHeader = 1;
const frame = 6;

/** As a sender writes it, without its size. */
const obuOf = (type: number, body: Uint8Array, hasExtension = false) =>
  hasExtension ? Uint8Array.of((type << 3) | 4, 0x20, ...body) : Uint8Array.of(type << 3, ...body);

/** In the low-overhead format. */
function sized(obu: Uint8Array): Buffer {
  const headLength = (obu[0] ?? 0) & 4 ? 2 : 1;
  const body = obu.subarray(headLength);
  const head = Uint8Array.from(obu.subarray(0, headLength));
  head[0] = (head[0] ?? 0) | 2;
  return Buffer.concat([head, leb128(body.length), body]);
}

const unitOf = (obus: readonly Uint8Array[]) => Buffer.concat([Uint8Array.of(0x12, 0), ...obus.map(sized)]);

/** Payloads of at most so many bytes of OBU, by either way of saying lengths. */
function payloadsOf(obus: readonly Uint8Array[], room: number, saysCount: boolean): Uint8Array[] {
  const pieces: { elements: Uint8Array[]; continues: boolean; isContinued: boolean }[] = [];
  let current = { elements: [] as Uint8Array[], continues: false, isContinued: false };
  let left = room;
  for (const obu of obus) {
    for (let at = 0; at < obu.length; ) {
      if (left === 0 || (saysCount && current.elements.length === 3)) {
        current.isContinued = at > 0;
        pieces.push(current);
        current = { elements: [], continues: at > 0, isContinued: false };
        left = room;
      }
      const part = obu.subarray(at, at + left);
      current.elements.push(part);
      at += part.length;
      left -= part.length;
    }
  }
  pieces.push(current);
  return pieces.map(({ elements, continues, isContinued }) => {
    const count = saysCount ? elements.length : 0;
    const head = (continues ? 0x80 : 0) | (isContinued ? 0x40 : 0) | (count << 4);
    const said = elements.map((one, n) => (n === count - 1 ? one : Buffer.concat([leb128(one.length), one])));
    return Buffer.concat([Uint8Array.of(head), ...said]);
  });
}

function packets(payloads: readonly Uint8Array[], timestamp = 1_000, first = 1): RtpPacket[] {
  return payloads.map((payload, index) => ({
    ...{ payloadType: 96, timestamp, ssrc: 1, payload },
    marker: index === payloads.length - 1,
    sequenceNumber: (first + index) & 0xffff,
  }));
}

function read(list: readonly RtpPacket[], depacketiser = new Av1Depacketiser()): RtpFrame[] {
  const frames: RtpFrame[] = [];
  for (const packet of list) depacketiser.push(packet, (one) => frames.push(one));
  return frames;
}

const someObu = fc
  .tuple(fc.constantFrom(sequenceHeader, 3, 4, 5, frame), fc.uint8Array({ maxLength: 3_000 }), fc.boolean())
  .map(([type, body, hasExtension]) => ({ type, data: obuOf(type, body, hasExtension) }));

test('whatever OBUs are cut into payloads, counted or not, come out with their sizes behind a delimiter', () => {
  fc.assert(
    fc.property(
      fc.array(someObu, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 1_200 }),
      fc.boolean(),
      (obus, room, saysCount) => {
        const data = obus.map((one) => one.data);
        const [found, ...more] = read(packets(payloadsOf(data, room, saysCount)));
        expect(more).toEqual([]);
        expect(found?.isDamaged).toBe(false);
        expect(found?.isKey).toBe(obus.some(({ type }) => type === sequenceHeader));
        expect(found?.data.equals(unitOf(data))).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('a unit that misses any packet is damaged or absent, and the next one is whole', () => {
  const obus = [obuOf(sequenceHeader, new Uint8Array(10)), obuOf(frame, new Uint8Array(5_000).fill(7))];
  const payloads = payloadsOf(obus, 1_000, true);
  for (const [lost] of payloads.entries()) {
    const first = packets(payloads).filter((_, index) => index !== lost);
    const next = packets(payloads, 4_000, 1 + payloads.length);
    const frames = read([...first, ...next]);
    const last = frames.pop();
    expect(frames.every(({ isDamaged, data }) => isDamaged || !data.equals(unitOf(obus)))).toBe(true);
    expect([last?.isDamaged, last?.data.equals(unitOf(obus))]).toEqual([false, true]);
  }
});

test('sizes that a sender wrote stay, delimiters and padding go, and sizes that lie damage the unit', () => {
  const obus = [obuOf(sequenceHeader, Uint8Array.of(1, 2)), obuOf(frame, Uint8Array.of(3))];
  const withSizes = [Uint8Array.of(0x12, 0), ...obus.map(sized), Uint8Array.of(15 << 3, 0, 0)];
  const [found] = read(packets(payloadsOf(withSizes, 1_000, false)));
  expect([found?.isDamaged, found?.data.equals(unitOf(obus))]).toEqual([false, true]);
  const lies = [Uint8Array.of((frame << 3) | 2, 9, 1)];
  expect(read(packets(payloadsOf([...obus, ...lies], 1_000, true)))[0]?.isDamaged).toBe(true);
  expect(read(packets([Uint8Array.of(0x10, 0x80)]))).toEqual([]);
});

test('garbage throws nothing and makes nothing that is larger than it', () => {
  const payload = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 20 }), (payloads) => {
      const total = payloads.reduce((sum, { length }) => sum + length, 0);
      for (const { data } of read(packets(payloads))) expect(data.length).toBeLessThanOrEqual(total * 5 + 2);
    }),
    { numRuns: 500 },
  );
});

test('what an encoder makes is decoded to its colour after it went by RTP', () => {
  const size = { width: 320, height: 180, framerateHz: 30 };
  using encoder = new VideoEncoder({ codec: 'av1', ...size, bitrateBps: 500_000 });
  using picture = Picture.blank(320, 180);
  for (const [n, plane] of picture.planes.entries()) plane.fill([80, 100, 200][n] ?? 0);
  using decoder = new VideoDecoder({ codec: 'av1' });
  const depacketiser = new Av1Depacketiser();
  const shown: number[][] = [];
  let [sequence, count] = [1, 0];
  for (let n = 0; n < 60 && shown.length < 3; n++) {
    encoder.encode(picture, n * 33_333, ({ data }) => {
      count += 1;
      const payloads = payloadsOf(obusIn(data), 400, count % 2 === 0);
      const frames = read(packets(payloads, count * 3_000, sequence), depacketiser);
      sequence += payloads.length;
      for (const { data: unit, timestamp } of frames) {
        decoder.decode(unit, timestamp, ({ planes }) => shown.push(planes.map((plane) => plane[50] ?? 0)));
      }
    });
  }
  expect(shown.length).toBeGreaterThanOrEqual(3);
  for (const [n, level] of [80, 100, 200].entries()) expect(Math.abs((shown.at(-1)?.[n] ?? 0) - level)).toBeLessThan(6);
});

/** Of a unit in the low-overhead format, without sizes and delimiters, as they go into payloads. */
function obusIn(unit: Uint8Array): Uint8Array[] {
  const obus: Uint8Array[] = [];
  for (let at = 0; at < unit.length; ) {
    const head = unit[at] ?? 0;
    let [size, bodyAt, shift] = [0, at + 1, 0];
    for (let byte = 0x80; byte & 0x80; shift += 7) {
      byte = unit[bodyAt++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
    }
    if (head >> 3 !== 2) obus.push(Uint8Array.of(head & ~2, ...unit.subarray(bodyAt, bodyAt + size)));
    at = bodyAt + size;
  }
  return obus;
}
