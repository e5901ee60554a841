import { expect, test } from 'vitest';
import { toNtp } from '../rtp/sequence.ts';
import { RtpSourceClock } from './rtp-source-clock.ts';

const [video, audio] = [0, 1];
const rateHz = { [video]: 90_000, [audio]: 8_000 };
/** The sender's wall clock when ours is 0. */
const wallUs = 1_900_000_000e6;

/** A camera whose time stamps begin at 0 when both clocks are; our clock runs along. */
function camera() {
  const clock = new RtpSourceClock();
  clock.add(video, 90_000, 'video');
  clock.add(audio, 8_000, 'audio');
  const stampOf = (id: number, capturedUs: number) => Math.round((capturedUs * (rateHz[id] ?? 0)) / 1e6);
  return {
    packet: (id: number, capturedUs: number, arrivedUs: number) =>
      clock.toPtsUs(id, stampOf(id, capturedUs), arrivedUs),
    report: (id: number, capturedUs: number, wrongUs = 0) => {
      const { seconds: ntpSeconds, fraction: ntpFraction } = toNtp(wallUs + capturedUs + wrongUs);
      const rest = { ssrc: 1, packetCount: 0, octetCount: 0, reports: [] };
      clock.noteReport(id, { kind: 'sr', ntpSeconds, ntpFraction, rtpTimestamp: stampOf(id, capturedUs), ...rest });
    },
  };
}

/** How much later than the sound of the same moment a picture lies, milliseconds. */
const apartMs = (pictureUs: number, soundUs: number) => Math.round((pictureUs - soundUs) / 1_000);

test('reports that come before the first packets put both on one line from the first packet on', () => {
  const { packet, report } = camera();
  report(video, 0);
  report(audio, 0);
  // Both begin late, and not by the same.
  const soundUs = packet(audio, 0, 300_000);
  expect(apartMs(packet(video, 0, 420_000), soundUs)).toBe(0);
});

test('without reports the first packets, which were kept back, do not say where a stream lies', () => {
  const { packet } = camera();
  let [pictureUs, soundUs] = [packet(video, 0, 10_000), packet(audio, 0, 160_000)];
  expect(apartMs(pictureUs, soundUs)).toBe(-150);
  for (let capturedUs = 200_000; capturedUs < 600_000; capturedUs += 40_000) {
    pictureUs = packet(video, capturedUs, capturedUs + 10_000);
    soundUs = packet(audio, capturedUs, capturedUs + 20_000);
  }
  expect(apartMs(pictureUs, soundUs)).toBe(-10);
});

test.each([
  ['pictures', [video, audio]],
  ['sound', [audio, video]],
] as const)('when the report of %s comes first, pictures are moved and sound is not', (_first, order) => {
  const { packet, report } = camera();
  packet(video, 0, 10_000);
  const soundUs = packet(audio, 0, 60_000);
  for (const id of order) report(id, 1_000_000);
  expect(packet(audio, 1_000_000, 1_090_000) - soundUs).toBeCloseTo(1_000_000, -2);
  expect(apartMs(packet(video, 1_000_000, 1_010_000), packet(audio, 1_000_000, 1_090_000))).toBe(0);
});

test('a first report that is far from how packets come is believed when it is said twice, and not when it is corrected', () => {
  for (const isCorrected of [true, false]) {
    const { packet, report } = camera();
    const wrongUs = 1_700_000;
    report(audio, 0, wrongUs);
    packet(audio, 0, 10_000);
    packet(video, 0, 10_000);
    report(video, 500_000);
    const apart = (capturedUs: number) =>
      apartMs(packet(video, capturedUs, capturedUs + 10_000), packet(audio, capturedUs, capturedUs + 10_000));
    expect(apart(1_000_000)).toBe(0);
    report(audio, 5_000_000, isCorrected ? 0 : wrongUs);
    report(video, 5_500_000);
    expect(apart(6_000_000)).toBe(isCorrected ? 0 : -1_700);
  }
});

test('a report of a clock that was never set moves nothing', () => {
  const { packet, report } = camera();
  packet(video, 0, 0);
  packet(audio, 0, 0);
  report(video, 1_000_000);
  report(audio, -86_400_000_000);
  expect(apartMs(packet(video, 1_000_000, 1_000_000), packet(audio, 1_000_000, 1_000_000))).toBe(0);
});
