import { expect, test } from 'vitest';
import { type RawStat, StatsSampler } from './stats.ts';

const publicationOf = (_direction: string, mid: string) => (mid === '0' ? 'TR_1' : undefined);

function inbound(change: Record<string, unknown>): RawStat[] {
  return [
    {
      id: 'in',
      type: 'inbound-rtp',
      kind: 'video',
      mid: '0',
      codecId: 'codec',
      timestamp: 1_000,
      bytesReceived: 1_000,
      packetsReceived: 100,
      packetsLost: 0,
      jitter: 0.0123,
      frameHeight: 360,
      framesDecoded: 30,
      ...change,
    },
    { id: 'codec', type: 'codec', mimeType: 'video/VP8' },
  ];
}

test('the first sample has no rates, the second has those between', () => {
  const sampler = new StatsSampler();
  expect(sampler.sample([], inbound({}), publicationOf).received).toMatchObject([{ bitrateBps: 0, fractionLost: 0 }]);
  const next = inbound({ timestamp: 3_000, bytesReceived: 251_000, packetsReceived: 190, packetsLost: 10 });
  expect(sampler.sample([], next, publicationOf).received).toEqual([
    expect.objectContaining({
      publicationId: 'TR_1',
      mimeType: 'video/VP8',
      bitrateBps: 1_000_000,
      fractionLost: 0.1,
      jitterMs: 12.3,
      heightPx: 360,
      frameCount: 30,
    }),
  ]);
});

test('counters that start anew give no negative rate', () => {
  const sampler = new StatsSampler();
  sampler.sample([], inbound({}), publicationOf);
  const [stream] = sampler.sample([], inbound({ timestamp: 2_000, bytesReceived: 10 }), publicationOf).received;
  expect(stream?.bitrateBps).toBe(0);
});

test('the layers of a simulcast publication add up to one stream with the largest picture', () => {
  const layers = (timestamp: number, bytesSent: number): RawStat[] =>
    [180, 360].map((frameHeight, index) => ({
      id: `out${index}`,
      type: 'outbound-rtp',
      kind: 'video',
      mid: '0',
      timestamp,
      bytesSent,
      packetsSent: 10,
      frameHeight,
    }));
  const sampler = new StatsSampler();
  sampler.sample(layers(1_000, 0), [], publicationOf);
  expect(sampler.sample(layers(2_000, 1_000), [], publicationOf).sent).toMatchObject([
    { bitrateBps: 16_000, heightPx: 360 },
  ]);
});

test('the path is that of the selected pair, and a relay is called one', () => {
  const stats = (candidate: Record<string, unknown>): RawStat[] => [
    { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
    { id: 'p', type: 'candidate-pair', localCandidateId: 'l', currentRoundTripTime: 0.05 },
    { id: 'l', type: 'local-candidate', protocol: 'udp', ...candidate },
  ];
  const sampler = new StatsSampler();
  expect(sampler.sample(stats({ candidateType: 'host' }), [], publicationOf)).toMatchObject({
    path: 'udp',
    roundTripTimeMs: 50,
  });
  expect(sampler.sample(stats({ candidateType: 'relay' }), [], publicationOf).path).toBe('relay');
});
