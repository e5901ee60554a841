import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Depacketiser,
  H264Depacketiser,
  H265Depacketiser,
  Mpeg4Depacketiser,
  Mpeg4GenericDepacketiser,
  PlainDepacketiser,
  type RtpFrame,
  Vp8Depacketiser,
  Vp9Depacketiser,
} from './depacketise.ts';
import { isBSlice, parseAvcConfig, parseSps, splitAnnexB, splitLengthPrefixed, toAnnexB } from './h264.ts';
import { JpegDepacketiser } from './jpeg.ts';
import type { RtpPacket } from './packet.ts';
import { aggregate, maxPayloadBytes, packetiseH264, packetiseVp8 } from './packetise.ts';

function packets(payloads: readonly Uint8Array[], options: { timestamp?: number; first?: number } = {}): RtpPacket[] {
  const { timestamp = 1_000, first = 1 } = options;
  return payloads.map((payload, index) => ({
    payloadType: 96,
    marker: index === payloads.length - 1,
    sequenceNumber: (first + index) & 0xffff,
    timestamp,
    ssrc: 1,
    payload,
  }));
}

function read(depacketiser: Depacketiser, list: readonly RtpPacket[]): RtpFrame[] {
  const frames: RtpFrame[] = [];
  for (const packet of list) depacketiser.push(packet, (frame) => frames.push(frame));
  return frames;
}

/** A NAL unit of a type, without start codes inside and not ending in zero. */
const nalOf = (types: readonly number[]) =>
  fc
    .tuple(fc.constantFrom(...types), fc.uint8Array({ minLength: 1, maxLength: 4_000 }))
    .map(([type, body]) => Uint8Array.of(0x60 | type, ...body.map((byte) => byte | 1)));

test('whatever units go into H264 payloads come out, in packets that fit', () => {
  fc.assert(
    fc.property(fc.array(nalOf([1, 5, 6, 7, 8]), { minLength: 1, maxLength: 8 }), (nals) => {
      const payloads = packetiseH264(nals);
      expect(Math.max(...payloads.map((payload) => payload.length))).toBeLessThanOrEqual(maxPayloadBytes);
      const [frame, ...more] = read(new H264Depacketiser(), packets(payloads));
      expect(more).toEqual([]);
      expect(frame?.isDamaged).toBe(false);
      expect(frame?.isKey).toBe(nals.some((nal) => (nal[0] ?? 0) % 32 === 5));
      expect(frame?.data.equals(toAnnexB(nals))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('a frame that misses any packet is damaged or absent, and the next one is whole', () => {
  const nal = (fill: number) => Uint8Array.of(0x65, ...new Uint8Array(5_000).fill(fill));
  const first = packetiseH264([nal(1)]);
  for (let missing = 0; missing < first.length; missing++) {
    const depacketiser = new H264Depacketiser();
    read(depacketiser, packets([Uint8Array.of(0x61, 1)], { first: 0 }));
    const list = packets(first).filter((_, index) => index !== missing);
    const next = packets(packetiseH264([nal(2)]), { timestamp: 4_000, first: 1 + first.length });
    const frames = read(depacketiser, [...list, ...next]);
    expect(frames.filter((frame) => !frame.isDamaged).map((frame) => frame.data[5])).toEqual([2]);
  }
});

test('VP8 frames come out as they went in, keys known by their first bit', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 6_000 }),
      fc.integer({ min: 0, max: 0x7fff }),
      (data, pictureId) => {
        const [frame] = read(new Vp8Depacketiser(), packets(packetiseVp8(data, pictureId)));
        expect(frame?.data.equals(data)).toBe(true);
        expect(frame?.isKey).toBe(((data[0] ?? 0) & 1) === 0);
      },
    ),
    { numRuns: 100 },
  );
});

test('AAC: several units in one packet, and one in several', () => {
  const options = { sizeLength: 13, indexLength: 3, indexDeltaLength: 3, unitDuration: 1_024 };
  const header = (...sizes: number[]) => {
    const bytes = Buffer.alloc(2 + sizes.length * 2);
    bytes.writeUInt16BE(sizes.length * 16);
    sizes.forEach((size, index) => {
      bytes.writeUInt16BE(size << 3, 2 + index * 2);
    });
    return bytes;
  };
  const both = Buffer.concat([header(3, 2), Buffer.from([1, 2, 3, 4, 5])]);
  expect(
    read(new Mpeg4GenericDepacketiser(options), packets([both])).map(({ data, timestamp }) => [[...data], timestamp]),
  ).toEqual([
    [[1, 2, 3], 1_000],
    [[4, 5], 2_024],
  ]);
  const parts = [Buffer.from([1, 2]), Buffer.from([3, 4])].map((part) => Buffer.concat([header(4), part]));
  expect(read(new Mpeg4GenericDepacketiser(options), packets(parts)).map(({ data }) => [...data])).toEqual([
    [1, 2, 3, 4],
  ]);
});

const depacketisers: readonly (readonly [string, () => Depacketiser])[] = [
  ['H264', () => new H264Depacketiser()],
  ['H265', () => new H265Depacketiser()],
  ['VP8', () => new Vp8Depacketiser()],
  ['VP9', () => new Vp9Depacketiser()],
  ['MPEG-4', () => new Mpeg4Depacketiser()],
  ['MJPEG', () => new JpegDepacketiser()],
  [
    'AAC',
    () => new Mpeg4GenericDepacketiser({ sizeLength: 13, indexLength: 3, indexDeltaLength: 3, unitDuration: 1_024 }),
  ],
  ['Opus', () => new PlainDepacketiser()],
];

test.each(depacketisers)('%s: arbitrary payloads are read or dropped, never thrown at', (_name, make) => {
  const packet = fc.record({
    payloadType: fc.constant(96),
    marker: fc.boolean(),
    sequenceNumber: fc.integer({ min: 0, max: 40 }),
    timestamp: fc.integer({ min: 0, max: 3 }),
    ssrc: fc.constant(1),
    payload: fc.uint8Array({ maxLength: 60 }),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 30 }), (list) => {
      for (const frame of read(make(), list)) expect(frame.data.length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});

test('units split by lengths and by start codes are the same', () => {
  fc.assert(
    fc.property(fc.array(nalOf([1, 5]), { minLength: 1, maxLength: 5 }), (nals) => {
      const prefixed = Buffer.concat(
        nals.flatMap((nal) => {
          const length = Buffer.alloc(4);
          length.writeUInt32BE(nal.length);
          return [length, nal];
        }),
      );
      expect(splitLengthPrefixed(prefixed, 4)?.map((nal) => [...nal])).toEqual(nals.map((nal) => [...nal]));
      expect(splitAnnexB(toAnnexB(nals)).map((nal) => [...nal])).toEqual(nals.map((nal) => [...nal]));
    }),
    { numRuns: 50 },
  );
  expect(splitLengthPrefixed(Buffer.from([0, 0, 0, 9, 1]), 4)).toBeUndefined();
});

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

// Written by x264 for ffmpeg.
test.each([
  ['6742c00dd901419f9f0110000003001000000303c8f142a480', [66, 320, 180, 1, false, 0]],
  ['6764001eacd940a02ff970110000030001000003003c0f162d96', [100, 640, 360, 1, false, 2]],
  ['677a000dbcd941419b0110000003001000000303c0f1429960', [122, 320, 192, 2, false, 2]],
  ['674d4028d900780227e5c044000003000400000300f03c60c920', [77, 1920, 1080, 1, false, 0]],
  ['6764001facd940b424d80880000003008000001e0f8b16cb', [100, 720, 576, 1, true, 2]],
])('the parameter set %s is read', (text, expected) => {
  const sps = parseSps(hex(text));
  const { profileIdc, width, height, chromaFormat, isInterlaced, reorderFrames } = sps ?? {};
  expect([profileIdc, width, height, chromaFormat, isInterlaced, reorderFrames]).toEqual(expected);
});

test('arbitrary parameter sets, slices and configurations are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const sps = parseSps(Uint8Array.of(0x67, ...bytes));
      if (sps) expect(sps.width * sps.height).toBeGreaterThan(0);
      isBSlice(Uint8Array.of(0x41, ...bytes));
      parseAvcConfig(Uint8Array.of(1, ...bytes));
      splitAnnexB(bytes);
    }),
    { numRuns: 3_000 },
  );
});

test('a STAP-A takes the highest importance of what is in it', () => {
  expect(aggregate([Uint8Array.of(0x27, 1), Uint8Array.of(0x68, 2)])[0]).toBe(0x60 | 24);
});

test('a frame of more fragments or units than any has is given up, and the next one is whole', () => {
  const [start, more] = [Buffer.from([0x7c, 0x85, 1]), Buffer.from([0x7c, 0x05, 1])];
  const endless = [start, ...Array.from({ length: 40_000 }, () => more), Buffer.from([0x7c, 0x45, 1])];
  const tiny = aggregate(Array.from({ length: 400 }, () => Uint8Array.of(0x65)));
  const crowded = Array.from({ length: 100 }, () => tiny);
  const whole = Buffer.from([0x65, 1]);
  for (const payloads of [endless, crowded]) {
    const frames = read(new H264Depacketiser(), [
      ...packets(payloads),
      ...packets([whole], { timestamp: 2_000, first: 1 + payloads.length }),
    ]);
    expect(frames.slice(0, -1).every(({ isDamaged }) => isDamaged)).toBe(true);
    expect(frames.at(-1)).toMatchObject({ timestamp: 2_000, isKey: true, isDamaged: false });
  }
});

test('spatial layers of VP9 come out as one superframe with the sizes of each, and a single one as it is', () => {
  // B of the first packet of a layer, E of its last; L with the layer, P unset in the first: a key frame.
  const layer = (n: number, bytes: number[], flags: number) => Uint8Array.of(0x20 | flags, n << 1, 0, ...bytes);
  const payloads = [layer(0, [1, 2], 0x0c), layer(1, [3], 0x08), layer(1, [4, 5], 0x04), layer(2, [6], 0x0c)];
  const [found] = read(new Vp9Depacketiser(), packets(payloads));
  const marker = 0xc0 | (3 << 3) | 2;
  const sizes = [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0];
  expect([...(found?.data ?? [])]).toEqual([1, 2, 3, 4, 5, 6, marker, ...sizes, marker]);
  expect([found?.isKey, found?.isDamaged]).toEqual([true, false]);
  const [single] = read(new Vp9Depacketiser(), packets([layer(2, [7, 8], 0x4c)]));
  expect([[...(single?.data ?? [])], single?.isKey]).toEqual([[7, 8], false]);
  const tooMany = Array.from({ length: 9 }, () => layer(0, [1], 0x0c));
  expect(read(new Vp9Depacketiser(), packets(tooMany))[0]?.isDamaged).toBe(true);
});
