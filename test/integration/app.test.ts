import { expect, test } from 'vitest';
import { startGateway } from '#test/support/gateway.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';

test('a gateway starts on free ports, lets somebody with a token in, and leaves no process behind', async () => {
  const gateway = await startGateway();
  try {
    const { peer, joined } = await SignallingPeer.join(gateway.webSocketUrl, {
      token: await gateway.token({ user: 'alice' }),
    });
    expect(joined.participants.map(({ user }) => user)).toEqual(['alice']);
    expect(joined.rtpCapabilities.codecs?.map(({ mimeType }) => mimeType)).toEqual(
      expect.arrayContaining([
        'audio/opus',
        'audio/PCMU',
        'audio/PCMA',
        'audio/G722',
        'video/VP8',
        'video/VP9',
        'video/H264',
        'video/AV1',
      ]),
    );
    const pids = (await gateway.app.sfu.describeWorkers()).map(({ pid }) => pid);
    expect(pids).toHaveLength(1);
    await gateway.close();
    expect(await peer.event('closed')).toBeTruthy();
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  } finally {
    await gateway.close();
  }
});

test('a token for another room, and none at all, get nowhere', async () => {
  const gateway = await startGateway({ rooms: { initial: ['demo', 'other'] } });
  try {
    const token = await gateway.token({ room: 'other' });
    for (const [given, code] of [
      [token, 'forbidden'],
      ['x', 'unauthorized'],
    ] as const) {
      const peer = await SignallingPeer.connect(gateway.webSocketUrl);
      expect(await peer.codeOf('join', { protocol: 1, room: 'demo', token: given })).toBe(code);
    }
  } finally {
    await gateway.close();
  }
});
