import { strict as assert } from 'node:assert';
import { afterEach, test, vi } from 'vitest';
import { someRtpParameters } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someRooms } from '#test/support/some-room.ts';
import { EncodedStreams } from './encoded-streams.ts';
import { joinHidden } from './hidden-participant.ts';
import type { JobTrack } from './job.ts';
import type { EncoderRequest, ViewCommand } from './view-messages.ts';

const request: EncoderRequest = {
  ...{ codec: 'vp8', profile: 'baseline', width: 640, height: 360, framerateHz: 30 },
  ...{ bitrateBps: 800_000, keyFrameIntervalS: 100 },
};

/** Of a hidden participant of a room, whose worker is the test. */
async function someStreams() {
  const { rooms } = someRooms();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const self = joinHidden(room, 'view', 'View');
  const sent: ViewCommand[] = [];
  const streams = new EncodedStreams({
    ...{ self, label: 'View', log: new KeepingLog() },
    send: (command) => void sent.push(command),
    onUse: () => undefined,
  });
  const transport = await room.media.createPlainTransport();
  const track = { id: 1, kind: 'video', rtpParameters: someRtpParameters('video') } as JobTrack;
  return { self, streams, sent, publish: () => streams.publish(transport, track) };
}

afterEach(() => {
  vi.useRealTimers();
});

test('who changes his mind as fast as he is answered has an encoder opened anew three times a second, and gets the last', async () => {
  const { streams, sent, publish } = await someStreams();
  const opening = streams.open(request, false);
  await publish();
  const { publication, request: first } = await opening;
  assert.equal(first.width, 640);
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const asked: number[] = [];
  const changes = [320, 160, 320].map((width) => ({ ...request, width, height: (width * 9) / 16 }));
  const all = (async () => {
    for (const change of changes) await streams.change(publication, change);
  })();
  while (asked.length < changes.length) {
    await vi.advanceTimersByTimeAsync(10);
    await new Promise((resolve) => setImmediate(resolve));
    const count = sent.filter(({ type }) => type === 'changeViewEncoder').length;
    if (count === asked.length) continue;
    asked.push(performance.now());
    streams.noteChanged(1, undefined);
  }
  await all;
  assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 290 && (asked[2] ?? 0) - (asked[1] ?? 0) >= 290, asked.join());
  assert.equal([...streams.tracks()][0]?.request.width, 320);
});

test('a stream that nobody wants any more once it is published again is in the room no longer than that takes', async () => {
  const { self, streams, sent, publish } = await someStreams();
  const opening = streams.open(request, true);
  await publish();
  const stream = await opening;
  assert.deepEqual([...self.publications.values()], [stream.publication]);
  // By the next worker, after this one was lost.
  const publishing = publish();
  stream.close();
  await publishing;
  assert.equal(self.publications.size, 0);
  assert.equal(sent.at(-1)?.type, 'closeViewEncoder');
});
