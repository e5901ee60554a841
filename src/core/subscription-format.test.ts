import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someRtpParameters } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { roomCapabilities } from '#test/support/room-capabilities.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { GatewayError } from './errors.ts';
import { joinHidden } from './hidden-participant.ts';
import type { StreamFormat } from './stream-format.ts';
import { SubscriptionFormat } from './subscription-format.ts';
import type { Publication } from './track.ts';
import type { TranscodePort } from './transcode-port.ts';

/** Makes streams of a real room, by a hidden participant as the real one does, without media. */
async function someSubscription() {
  const { rooms } = someRooms();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const { video } = await joinAndPublish(room, 'alice');
  const bob = await joinAndPublish(room, 'bob');
  const maker = joinHidden(room, 'transcoder', 'Transcoder');
  const transport = await room.media.createWebRtcTransport();
  const made: { publication: Publication; formats: StreamFormat[]; isClosed: boolean }[] = [];
  const transcodes: TranscodePort = {
    running: [],
    canFormat: () => true,
    open: async (_source, format) => {
      if (format.resolution === 'x9/1') throw new GatewayError('invalid_request', 'No such size.');
      const rtpParameters = someRtpParameters('video');
      const publication = await maker.publish(transport, { kind: 'video', source: 'other', rtpParameters });
      const one = { publication, formats: [format], isClosed: false };
      made.push(one);
      return {
        publication,
        request: { codec: format.codec ?? 'vp8' } as never,
        change: async (next) => {
          if (next.resolution === 'x9/1') throw new GatewayError('invalid_request', 'No such size.');
          one.formats.push(next);
        },
        close: () => {
          one.isClosed = true;
          void publication.close('requested');
        },
      };
    },
  };
  const { rtpCapabilities } = room.media;
  const subscription = await bob.participant.subscribe(bob.transport, video, { rtpCapabilities });
  const format = new SubscriptionFormat({
    ...{ subscription, transport: bob.transport, transcodes, rtpCapabilities: roomCapabilities },
    log: new KeepingLog(),
  });
  subscription.formats = format;
  const redirects: string[] = [];
  subscription.events.on('redirected', () => redirects.push(subscription.consumer.id));
  return { video, subscription, format, made, redirects };
}

test('a format is made once and then changed; the subscription stays, and what it was sent ends after its receiver resumed', async () => {
  const { video, subscription, format, made, redirects } = await someSubscription();
  await subscription.resume();
  const past = subscription.consumer;
  await format.set({ resolution: 'x1/2' });
  assert.equal(redirects.length, 1);
  assert.equal(subscription.carrier, made[0]?.publication);
  assert.equal(subscription.publication, video);
  assert.ok(subscription.isPaused && !past.isClosed);
  assert.ok(made[0]?.publication.subscriptions.has(subscription));
  await format.set({ resolution: 'x1/4' });
  assert.deepEqual([redirects.length, made.length, made[0]?.formats.length], [1, 1, 2]);
  assert.deepEqual(format.format, { resolution: 'x1/4' });
  await subscription.close();
  assert.ok(past.isClosed && subscription.consumer.isClosed && made[0]?.isClosed);
  assert.equal(video.subscriptions.has(subscription), false);
});

test('what cannot be had leaves it as it was, before and after something was made', async () => {
  const { subscription, format, made, redirects } = await someSubscription();
  await assert.rejects(format.set({ resolution: 'x9/1' }), { code: 'invalid_request' });
  assert.deepEqual([format.format, redirects.length, made.length], [undefined, 0, 0]);
  await format.set({ resolution: 'x1/2' });
  await assert.rejects(format.set({ resolution: 'x9/1' }), { code: 'invalid_request' });
  await assert.rejects(format.set({ codec: 'h264', resolution: 'x9/1' }), { code: 'invalid_request' });
  await assert.rejects(format.set({ codec: 'h265' as 'vp9' }), { code: 'no_common_codec' });
  assert.deepEqual([format.format, redirects.length, made[0]?.isClosed], [{ resolution: 'x1/2' }, 1, false]);
  assert.equal(subscription.carrier, made[0]?.publication);
});

test('two changes at once are a conflict, and null goes back to what the publisher sends', async () => {
  const { video, subscription, format, redirects } = await someSubscription();
  const [first, second] = await Promise.allSettled([format.set({ framerate: 5 }), format.set({ framerate: 6 })]);
  assert.deepEqual([first.status, second.status], ['fulfilled', 'rejected']);
  await format.set(null);
  assert.equal(subscription.carrier, video);
  assert.deepEqual([format.format, redirects.length, subscription.isClosed], [undefined, 2, false]);
  await format.set(null);
  assert.equal(redirects.length, 2);
});

test('where what was made ends by itself the receiver gets the stream again; where the publisher ends, it is over', async () => {
  const { video, subscription, format, made, redirects } = await someSubscription();
  await format.set({ resolution: 'x1/2' });
  await made[0]?.publication.close('failed');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(subscription.carrier, video);
  assert.deepEqual([format.format, redirects.length, subscription.isClosed], [undefined, 2, false]);
  await format.set({ resolution: 'x1/2' });
  await video.close('peer_left');
  assert.ok(subscription.isClosed && made[1]?.isClosed);
});

test('what was made ends while another format is asked for: what is sent and what is said of it are the same', async () => {
  for (const turns of [0, 1, 2, 3, 4, 5]) {
    const { video, subscription, format, made } = await someSubscription();
    await format.set({ resolution: 'x1/2' });
    const changing = format.set({ codec: 'h264' }).then(
      () => true,
      () => false,
    );
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await made[0]?.publication.close('failed');
    const isChanged = await changing;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(subscription.isClosed, false);
    assert.equal(subscription.carrier, isChanged ? made[1]?.publication : video);
    assert.deepEqual(format.format, isChanged ? { codec: 'h264' } : undefined);
    assert.deepEqual(made[1]?.isClosed ?? true, !isChanged);
  }
});
