import { expect, test } from 'vitest';
import { buildRtp } from '../rtp/packet.ts';
import type { EgressUnit } from './sink.ts';
import { VideoLine } from './video-line.ts';

/** A key picture of VP8, 320 x 240, in one packet (RFC 7741 §4.2, RFC 6386 §9.1). */
const picture = Buffer.from([0x10, 0x00, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, 0x00]);

test('pictures go out as late after their capture as they are said to, as their sound does', () => {
  const units: EgressUnit[] = [];
  const line = new VideoLine(0, {
    described: () => undefined,
    unit: (unit) => units.push(unit),
    keyFrameWanted: () => undefined,
  });
  const timeline = { rtpTimestamp: 0, clockUs: 1_000_000 };
  line.setInput({ ssrc: 1, payloadType: 101, codec: 'vp8', clockRateHz: 90_000, channels: 1, timeline });
  const send = (sequenceNumber: number, afterMs: number) => {
    const header = { payloadType: 101, marker: true, sequenceNumber, timestamp: afterMs * 90, ssrc: 1 };
    line.receive(buildRtp(header, picture), 1_000_000 + afterMs * 1_000);
  };
  send(1, 0);
  line.setDelay(200);
  send(2, 1_000);
  expect(units.map(({ ptsUs }) => ptsUs)).toEqual([1_000_000, 2_200_000]);
});
