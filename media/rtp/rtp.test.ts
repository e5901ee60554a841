import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildRtp, isRtcp, parseRtp } from './packet.ts';
import {
  buildFir,
  buildNack,
  buildPli,
  buildReceiverReport,
  buildSenderReport,
  parseRtcp,
  type ReportBlock,
} from './rtcp.ts';
import {
  extendSeq,
  fromNtp,
  RtpTimeline,
  seqDistance,
  TimestampUnwrapper,
  timestampDistance,
  toNtp,
} from './sequence.ts';

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

test('sequence numbers extend past any number of wraps', () => {
  fc.assert(
    fc.property(uint16, fc.array(fc.integer({ min: -100, max: 3_000 }), { maxLength: 300 }), (start, steps) => {
      let extended = start;
      let expected = start;
      for (const step of steps) {
        expected += step;
        extended = extendSeq(((expected % 65_536) + 65_536) % 65_536, extended);
        expect(extended).toBe(expected);
      }
    }),
  );
});

test.each([
  [0, 65_535, 1],
  [65_535, 0, -1],
  [5, 5, 0],
  [0x8000, 0, -0x8000],
])('distance of %i and %i is %i', (a, b, distance) => {
  expect(seqDistance(a, b)).toBe(distance);
});

test('timestamps unwrap both ways', () => {
  expect(timestampDistance(10, 0xfffffff0)).toBe(26);
  const unwrapper = new TimestampUnwrapper();
  expect([0xfffffff0, 10, 0xfffffff0].map((timestamp) => unwrapper.unwrap(timestamp))).toEqual([0, 26, 0]);
});

test('a timeline gives whole 20 ms steps at 48 kHz for hours', () => {
  const timeline = new RtpTimeline(48_000, 0xfffff000, 1e12);
  for (let n = 0; n < 1_000_000; n += 997) {
    expect(timeline.timestampAt(1e12 + n * 20_000)).toBe((0xfffff000 + n * 960) >>> 0);
  }
});

test('NTP times survive the round trip within a microsecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2_000_000_000_000_000 }), (unixUs) => {
      const { seconds, fraction } = toNtp(unixUs);
      expect(Math.abs(fromNtp(seconds, fraction) - unixUs)).toBeLessThan(1);
    }),
  );
});

test('RTP packets survive the round trip', () => {
  fc.assert(
    fc.property(
      fc.record({
        payloadType: fc.integer({ min: 0, max: 127 }),
        marker: fc.boolean(),
        sequenceNumber: uint16,
        timestamp: uint32,
        ssrc: uint32,
      }),
      fc.uint8Array({ maxLength: 1_200 }),
      (header, payload) => {
        const packet = parseRtp(buildRtp(header, payload));
        expect(packet).toMatchObject(header);
        expect(Buffer.from(packet?.payload ?? []).equals(payload)).toBe(true);
      },
    ),
  );
});

test('padding, contributors and header extensions are skipped', () => {
  const packet = Buffer.from([
    ...[0xb1, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
    ...[9, 9, 9, 9],
    ...[0xbe, 0xde, 0, 1, 0x10, 1, 0, 0],
    ...[0xaa, 0xbb, 0, 0, 3],
  ]);
  expect([...(parseRtp(packet)?.payload ?? [])]).toEqual([0xaa, 0xbb]);
});

test('arbitrary bytes are read or refused, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      // The version alone would refuse most.
      if (bytes.length > 0) bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x80;
      parseRtp(bytes);
      parseRtcp(bytes);
      isRtcp(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('a sender report says when, how much and whose', () => {
  const report = buildSenderReport({
    ssrc: 0xfeedf00d,
    unixUs: 1_700_000_000_500_000,
    rtpTimestamp: 4_000_000_000,
    packetCount: 7,
    octetCount: 900,
    cname: 'JB_1',
  });
  expect(report.length % 4).toBe(0);
  expect(isRtcp(report)).toBe(true);
  const [packet] = parseRtcp(report);
  expect(packet).toMatchObject({ kind: 'sr', ssrc: 0xfeedf00d, rtpTimestamp: 4_000_000_000, packetCount: 7 });
  if (packet?.kind === 'sr')
    expect(fromNtp(packet.ntpSeconds, packet.ntpFraction)).toBeCloseTo(1_700_000_000_500_000, 0);
});

test('receiver reports survive the round trip, losses below zero too', () => {
  const block: ReportBlock = {
    ssrc: 0xffffffff,
    fractionLost: 0.25,
    packetsLost: -3,
    highestSequence: 70_000,
    jitter: 12,
    lastSr: 0x80000001,
    delaySinceLastSr: 65_536,
  };
  expect(parseRtcp(buildReceiverReport(9, [block, block]))).toEqual([{ kind: 'rr', ssrc: 9, reports: [block, block] }]);
});

test('key frame requests are read back, several in a compound', () => {
  const compound = Buffer.concat([buildPli(1, 0xf0000000), buildFir(1, 0xf0000001, 300)]);
  expect(parseRtcp(compound)).toEqual([
    { kind: 'pli', senderSsrc: 1, mediaSsrc: 0xf0000000 },
    { kind: 'fir', senderSsrc: 1, mediaSsrcs: [0xf0000001] },
  ]);
});

test('NACKs name exactly the packets asked for, over the wrap', () => {
  fc.assert(
    fc.property(
      uint16,
      fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 60 }),
      (start, offsets) => {
        const wanted = offsets.sort((a, b) => a - b).map((offset) => (start + offset) & 0xffff);
        const [packet] = parseRtcp(buildNack(1, 2, wanted));
        expect(packet).toEqual({ kind: 'nack', senderSsrc: 1, mediaSsrc: 2, sequenceNumbers: wanted });
      },
    ),
  );
});
