import { expect, test } from 'vitest';
import { buildRtp, parseRtp } from '../rtp/packet.ts';
import { packetiseVp8 } from '../rtp/packetise.ts';
import { VideoOutput } from './video-output.ts';

const vp8 = { codec: 'vp8', payloadType: 96, packetizationMode: 0 } as const;

/** Shown a key frame of VP8 in so many packets. */
function shown(count: number) {
  const sent: Uint8Array[] = [];
  const socket = { send: (packet: Uint8Array) => void sent.push(packet), sendRtcp: () => undefined };
  const output = new VideoOutput({ socket, ssrc: 7, onKeyFrameWanted: () => undefined });
  output.negotiate({
    ...{ remoteAddress: '127.0.0.1', remotePort: 4_000, direction: 'sendrecv', send: vp8, receive: [vp8] },
    ...{ parameterSets: [], feedback: { pli: true, fir: true, nack: true } },
  });
  output.begin('vp8');
  const payloads = packetiseVp8(Buffer.alloc(count * 1_100), 0);
  for (const [at, payload] of payloads.entries()) {
    const marker = at === payloads.length - 1;
    output.receive(buildRtp({ payloadType: 96, marker, sequenceNumber: at, timestamp: 90, ssrc: 1 }, payload));
  }
  const sequenceNumbers = sent.map((packet) => parseRtp(Buffer.from(packet))?.sequenceNumber ?? -1);
  return { output, sequenceNumbers, sent };
}

test('what a phone has missed is sent again as it was; what it never was sent is not', () => {
  const { output, sequenceNumbers, sent } = shown(20);
  const [first = 0, second = 0] = sequenceNumbers;
  const before = [...sent];
  output.resend([second, first, (first - 1) & 0xffff], 1_000);
  expect(sent.slice(before.length)).toEqual([before[1], before[0]]);
});

test('one who asks for the same again and again gets no more than can have been lost', () => {
  const { output, sequenceNumbers, sent } = shown(20);
  const before = sent.length;
  const everything = Array.from({ length: 6_000 }, (_, n) => sequenceNumbers[n % sequenceNumbers.length] ?? 0);
  output.resend(everything, 1_000);
  expect(sent.length - before).toBe(256);
  for (let ms = 1; ms <= 1_000; ms++) output.resend(everything, 1_000 + ms);
  expect(sent.length - before).toBeGreaterThan(256);
  expect(sent.length - before).toBeLessThanOrEqual(256 + 200);
});
