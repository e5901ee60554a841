import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { PhoneBridge, PhoneBridgeEvents } from '#core/phone-bridge.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import type { WebRtcPeer } from './webrtc-lines.ts';
import { WebRtcPath } from './webrtc-path.ts';

const peer: WebRtcPeer = {
  iceUfrag: 'theirs',
  dtls: { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: '00' }] },
  setup: 'active',
  stream: { ssrc: 7 },
};

/** A bridge of no worker: it says what it is told to, and dies when it is told to. */
class SomeBridge {
  readonly events = new EventEmitter<PhoneBridgeEvents>();
  readonly connected: unknown[] = [];
  isDead = false;
  connectLeg = async () => undefined;
  connectPhone = async (phone: unknown) => {
    if (this.isDead) throw new Error('dead');
    this.connected.push(phone);
  };
  getQuality = async () => undefined;
  close(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.events.emit('closed');
  }
}

function pathWith(failures = 0) {
  const bridges: SomeBridge[] = [];
  const lost: GatewayError[] = [];
  const moves: unknown[] = [];
  let gone = 0;
  let toFail = 0;
  const open = WebRtcPath.open({
    bridges: {
      createPhoneBridge: async () => {
        if (bridges.length > 0 && toFail++ < failures) throw new Error('no worker yet');
        const bridge = new SomeBridge();
        bridges.push(bridge);
        return bridge as unknown as PhoneBridge;
      },
    },
    formats: [],
    leg: { localAddress: '127.0.0.1', localPort: 20_000, ssrc: 1, isClosed: false } as unknown as Leg,
    log: new KeepingLog(),
    onLost: (error) => lost.push(error),
    onGone: () => {
      gone += 1;
    },
  });
  const ready = open.then((path) => {
    path.speech = { peer, moveTo: (bridge) => moves.push(bridge) };
    return path;
  });
  return { ready, bridges, lost, moves, gone: () => gone };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('a bridge that dies is replaced by one that the phone is told of; once it is reached nothing is awaited any more', async () => {
  const { ready, bridges, lost, moves, gone } = pathWith(3);
  const path = await ready;
  await path.follow();
  bridges[0]?.events.emit('peerReached');
  bridges[0]?.close();
  expect([gone(), path.isComingBack]).toEqual([1, true]);
  expect(() => path.bridge).toThrow('The media of the call was lost.');
  // An answer to an offer from before is about nothing any more.
  await path.follow();
  expect(path.isComingBack).toBe(true);
  const renewed = path.renew();
  await vi.advanceTimersByTimeAsync(2_000);
  await renewed;
  expect(moves).toEqual([bridges[1]]);
  expect(path.isComingBack).toBe(true);
  await path.follow();
  expect([path.isComingBack, bridges[1]?.connected]).toEqual([false, [{ dtls: peer.dtls, stream: peer.stream }]]);
  bridges[1]?.events.emit('peerReached');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lost).toEqual([]);
  path.close();
  expect([bridges[1]?.isDead, gone(), vi.getTimerCount()]).toEqual([true, 1, 0]);
});

test('a phone that does not come over in 15 s is lost, whatever it answered, and also when the next one dies meanwhile', async () => {
  const { ready, bridges, lost, gone } = pathWith();
  const path = await ready;
  bridges[0]?.close();
  await path.renew();
  await path.follow();
  await vi.advanceTimersByTimeAsync(10_000);
  bridges[1]?.close();
  await path.renew();
  await path.follow();
  expect([gone(), lost.length]).toEqual([2, 0]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(lost).toMatchObject([
    { code: 'media_lost', message: expect.stringContaining('did not come back to it in 15 s') },
  ]);
  path.close();
});

test('without another worker it is lost with the reason, and a call that ends meanwhile gives up', async () => {
  const { ready, bridges, lost } = pathWith(1_000);
  const path = await ready;
  bridges[0]?.close();
  const renewed = path.renew();
  const given = expect(renewed).rejects.toMatchObject({ code: 'closed' });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(lost).toMatchObject([{ code: 'media_lost' }]);
  path.close();
  await vi.advanceTimersByTimeAsync(1_000);
  await given;
  expect(vi.getTimerCount()).toBe(0);
});
