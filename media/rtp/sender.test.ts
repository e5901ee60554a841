import { expect, test } from 'vitest';
import { parseRtp, type RtpPacket } from './packet.ts';
import { parseRtcp } from './rtcp.ts';
import { RtpSender } from './sender.ts';
import { clockNowUs, fromNtp, timestampDistance } from './sequence.ts';

function sending(): { sender: RtpSender; sent: RtpPacket[] } {
  const sent: RtpPacket[] = [];
  const sender = new RtpSender({
    payloadType: 101,
    clockRateHz: 90_000,
    cname: 'JB_1',
    position: { ssrc: 7, sequenceNumber: 65_530, rtpTimestamp: 4_294_900_000, clockUs: 0 },
    send: (packet) => {
      const parsed = parseRtp(packet);
      if (parsed) sent.push(parsed);
    },
  });
  return { sender, sent };
}

const frame = (packets: number, value: number) => Array.from({ length: packets }, () => Uint8Array.of(value, value));

test('a group that is sent again has its numbers and contents, and times that run up to the last in moments', () => {
  const { sender, sent } = sending();
  for (let n = 0; n < 100; n++) sender.sendFrame(frame(1 + (n % 3), n), n * 33_333, { isKey: n === 20 });
  const first = sent.splice(0);
  const group = first.filter(({ payload }) => (payload[0] ?? 0) >= 20);
  expect(sender.replayFromKeyFrame()).toBe(true);
  const essence = ({ sequenceNumber, marker, payload }: RtpPacket) => [sequenceNumber, marker, ...payload].join();
  expect(sent.map(essence)).toEqual(group.map(essence));
  expect(sent.at(-1)?.timestamp).toBe(group.at(-1)?.timestamp);
  // The last thirty packets keep theirs.
  const hastened = sent.slice(0, -30);
  const steps = hastened.slice(1).map(({ timestamp }, index) => (timestamp - (hastened[index]?.timestamp ?? 0)) >>> 0);
  expect(new Set(steps)).toEqual(new Set([0, 18]));
  expect(sent.slice(-30)).toEqual(group.slice(-30));
  expect(new Set(sent.map(({ timestamp }) => timestamp)).size).toBe(80);
  // What is kept is untouched: a NACK gets the packet as it was.
  sent.splice(0);
  sender.resend([group[0]?.sequenceNumber ?? 0]);
  expect(sent).toEqual([group[0]]);
});

test('a group that is not kept as a whole is not sent again', () => {
  const { sender, sent } = sending();
  expect(sender.replayFromKeyFrame()).toBe(false);
  for (let n = 0; n < 200; n++) sender.sendFrame(frame(10, n), n * 33_333, { isKey: n === 0 });
  sent.splice(0);
  expect(sender.replayFromKeyFrame()).toBe(false);
  expect(sent).toEqual([]);
});

test('reports speak of the moment that they are made at, however long ago the last frame was to be shown', async () => {
  const { sender, sent } = sending();
  expect(sender.report()).toBeUndefined();
  sender.sendFrame(frame(1, 1), clockNowUs() - 400_000);
  const read = () => {
    const [report] = parseRtcp(sender.report() ?? Buffer.alloc(0));
    if (report?.kind !== 'sr') throw new Error('no sender report');
    const aheadUs = timestampDistance(report.rtpTimestamp, sent[0]?.timestamp ?? 0) / 0.09;
    return { aheadUs, unixUs: fromNtp(report.ntpSeconds, report.ntpFraction) };
  };
  const first = read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = read();
  expect(first.aheadUs).toBeGreaterThanOrEqual(400_000 - 20);
  expect(second.aheadUs - first.aheadUs).toBeGreaterThan(15_000);
  expect(Math.abs(second.aheadUs - first.aheadUs - (second.unixUs - first.unixUs))).toBeLessThan(30);
});
