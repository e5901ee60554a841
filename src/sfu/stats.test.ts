import { expect, test } from 'vitest';
import { toStreamStats, toTransportStats } from './stats.ts';

const native = {
  type: 'inbound-rtp',
  timestamp: 1,
  ssrc: 7,
  rid: 'h',
  kind: 'video',
  mimeType: 'video/VP8',
  packetsLost: -3,
  fractionLost: 64,
  jitter: 900,
  packetsDiscarded: 0,
  packetsRetransmitted: 0,
  packetsRepaired: 0,
  nackCount: 4,
  nackPacketCount: 5,
  pliCount: 6,
  firCount: 1,
  roundTripTime: 12.5,
  score: 9,
  packetCount: 100,
  byteCount: 120_000,
  bitrate: 800_000,
  bitrateByLayer: {},
};

test('the counters of a stream come in milliseconds and fractions', () => {
  expect(toStreamStats(native, [{ mimeType: 'video/vp8', clockRate: 90_000 }])).toEqual({
    rid: 'h',
    ssrc: 7,
    mimeType: 'video/VP8',
    bitrateBps: 800_000,
    byteCount: 120_000,
    packetCount: 100,
    packetsLost: 0,
    fractionLost: 0.25,
    jitterMs: 10,
    roundTripTimeMs: 12.5,
    nackCount: 4,
    pliCount: 6,
    firCount: 1,
    score: 9,
  });
});

const transport = {
  transportId: 't',
  timestamp: 1,
  bytesReceived: 10,
  recvBitrate: 80,
  bytesSent: 20,
  sendBitrate: 160,
  rtpBytesReceived: 0,
  rtpRecvBitrate: 0,
  rtpBytesSent: 0,
  rtpSendBitrate: 0,
  rtxBytesReceived: 0,
  rtxRecvBitrate: 0,
  rtxBytesSent: 0,
  rtxSendBitrate: 0,
  probationBytesSent: 0,
  probationSendBitrate: 0,
  availableOutgoingBitrate: 600_000,
};

test.each([
  [undefined, undefined],
  ['192.0.2.1', 'udp 192.0.2.1:4321'],
  ['2001:db8::1', 'udp [2001:db8::1]:4321'],
])('a transport with the peer %s shows it as %s', (remoteIp, remoteAddress) => {
  const tuple = { localIp: '', localAddress: '', localPort: 1, remoteIp, remotePort: 4_321, protocol: 'udp' } as const;
  const stats = toTransportStats(remoteIp === undefined ? transport : { ...transport, iceSelectedTuple: tuple });
  expect(stats).toMatchObject({
    remoteAddress,
    sentBitrateBps: 160,
    receivedBitrateBps: 80,
    availableOutgoingBps: 600_000,
  });
});
