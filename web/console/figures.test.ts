import { expect, test } from 'vitest';
import type { RoomStats } from '#api/contract.ts';
import { bitrateText, bytesText, durationText, figuresOf, percentText, streamBitrate } from './figures.ts';

const counters = {
  bitrateBps: 100_000,
  byteCount: 0,
  packetCount: 0,
  packetsLost: 0,
  fractionLost: 0,
  jitterMs: 5,
  roundTripTimeMs: null,
  nackCount: 0,
  pliCount: 0,
  firCount: 0,
  score: 10,
};

const stats: RoomStats = {
  measuredAt: '2030-01-31T12:00:00.000Z',
  isPartial: false,
  participants: [
    {
      id: 'PA_a',
      displayName: 'a',
      quality: 'good',
      receivedBitrateBps: 1_000,
      sentBitrateBps: 2_000,
      availableOutgoingBps: null,
      protocol: 'udp',
      remoteAddress: null,
    },
  ],
  streams: [
    {
      id: 'TR_1',
      participantId: 'PA_a',
      kind: 'video',
      source: 'camera',
      mimeType: 'video/VP8',
      isMuted: false,
      encodings: [
        { rid: 'r0', ssrc: 1, ...counters, roundTripTimeMs: 20 },
        { rid: 'r1', ssrc: 2, ...counters, jitterMs: 9, fractionLost: 0.02 },
      ],
      subscriptions: [],
    },
    {
      id: 'TR_2',
      participantId: 'PA_b',
      kind: 'audio',
      source: 'microphone',
      mimeType: 'audio/opus',
      isMuted: false,
      encodings: [],
      subscriptions: [
        {
          id: 'SU_1',
          participantId: 'PA_a',
          isFlowing: true,
          isHeldBack: false,
          currentLayers: null,
          ...counters,
          fractionLost: 0.05,
          roundTripTimeMs: 40,
        },
        {
          id: 'SU_2',
          participantId: 'PA_a',
          isFlowing: false,
          isHeldBack: true,
          currentLayers: null,
          ...counters,
          fractionLost: 1,
        },
      ],
    },
  ],
};

test('a participant shows the worst of its streams both ways, and nothing of those that stand still', () => {
  expect(figuresOf(stats, 'PA_a')).toEqual({
    receivedBps: 1_000,
    sentBps: 2_000,
    fractionLost: 0.05,
    jitterMs: 9,
    roundTripTimeMs: 40,
    path: 'UDP',
  });
});

test('somebody who was not measured has no figures', () => {
  expect(figuresOf(stats, 'PA_x')).toBeUndefined();
});

test('the bitrate of a stream is the sum of its layers', () => {
  expect(streamBitrate(stats, 'TR_1')).toBe(200_000);
  expect(streamBitrate(stats, 'TR_x')).toBe(0);
});

test.each([
  [bitrateText(999_400), '999 kbit/s'],
  [bitrateText(2_340_000), '2.3 Mbit/s'],
  [percentText(0), '0 %'],
  [percentText(0.012), '1.2 %'],
  [bytesText(500), '500 B'],
  [bytesText(73_400_000), '73 MB'],
  [durationText(0), '0 s'],
  [durationText(59_000), '59 s'],
  [durationText(3_600_000), '1 h'],
  [durationText(273_840_000), '3 d 4 h'],
])('%s reads as %s', (text, expected) => {
  expect(text).toBe(expected);
});
