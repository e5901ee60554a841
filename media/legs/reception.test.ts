import { expect, test } from 'vitest';
import { parseRtcp } from '../rtp/rtcp.ts';
import { estimateMos } from './quality.ts';
import { Reception } from './reception.ts';
import { buildBye, buildReport } from './rtcp-report.ts';

test('losses are counted over the wrap, packets out of order are none, and a new stream begins anew', () => {
  const reception = new Reception();
  const seqs = [65_533, 65_535, 65_534, 0, 1, 4, 5];
  for (const [i, seq] of seqs.entries()) reception.note(7, seq, i * 160, 160, 8_000, i * 20);
  expect([reception.packets, reception.lost]).toEqual([7, 2]);
  const block = reception.block(200);
  expect(block).toMatchObject({ ssrc: 7, packetsLost: 2, highestSequence: 65_536 + 5 });
  expect(block?.fractionLost).toBeCloseTo(2 / 9);
  expect(reception.block(200)?.fractionLost).toBe(0);
  for (const seq of [100, 102]) reception.note(8, seq, 0, 160, 8_000, 300);
  expect(reception.lost).toBe(3);
});

test('jitter is that of RFC 3550: nothing for an even stream, a sixteenth of each change', () => {
  const reception = new Reception();
  for (let i = 0; i < 10; i++) reception.note(7, i, i * 160, 160, 8_000, i * 20);
  expect(reception.jitterMs).toBe(0);
  reception.note(7, 10, 1_600, 160, 8_000, 216);
  expect(reception.jitterMs).toBeCloseTo(1);
});

test('the round trip comes from our report in the report of the peer', () => {
  const reception = new Reception();
  const sentUs = 1_700_000_000_000_000;
  const sent = { unixUs: sentUs, rtpTimestamp: 5, packetCount: 3, octetCount: 480 };
  const [report] = parseRtcp(buildReport({ ssrc: 7, cname: 'leg', sent, block: undefined }));
  if (report?.kind !== 'sr') throw new Error('no sender report');
  const lastSr = (((report.ntpSeconds & 0xffff) << 16) | (report.ntpFraction >>> 16)) >>> 0;
  const block = { ssrc: 7, fractionLost: 0, packetsLost: 4, highestSequence: 9, jitter: 80, lastSr };
  reception.noteBlock({ ...block, delaySinceLastSr: 65_536 }, 8_000, sentUs + 1_050_000);
  expect(reception.roundTripMs).toBeCloseTo(50, 0);
  expect([reception.remoteLost, reception.remoteJitterMs]).toEqual([4, 10]);
});

test('a report carries the block in the sender report, and a goodbye is a whole compound', () => {
  const block = new Reception();
  block.note(9, 1, 0, 160, 8_000, 0);
  const sent = { unixUs: 1e15, rtpTimestamp: 5, packetCount: 3, octetCount: 480 };
  const [report] = parseRtcp(buildReport({ ssrc: 7, cname: 'leg', sent, block: block.block(0) }));
  expect(report).toMatchObject({ kind: 'sr', ssrc: 7, packetCount: 3, reports: [{ ssrc: 9 }] });
  expect(parseRtcp(buildBye(7, 'leg')).map(({ kind }) => kind)).toEqual(['rr', 'bye']);
});

test.each([
  ['pcmu', 60, 0, 4.3, 4.5],
  ['pcmu', 60, 0.05, 3.3, 3.9],
  ['opus', 400, 0, 3, 3.8],
  ['pcma', 100, 0.5, 1, 1.6],
] as const)('%s with %d ms and %d lost sounds as the E-model says', (codec, delayMs, loss, least, most) => {
  const score = estimateMos(codec, delayMs, loss);
  expect(score).toBeGreaterThanOrEqual(least);
  expect(score).toBeLessThanOrEqual(most);
});
