import { expect, test, vi } from 'vitest';
import type { MediaSource, SourceSink, SourceUnit } from '#core/media-source.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import type { MediaWorker } from './media-worker.ts';
import { SourceFeed } from './source-feed.ts';

const rtcp = (streamId: number, text: string): SourceUnit => ({ kind: 'rtcp', streamId, data: Buffer.from(text) });
const rtp = (streamId: number): SourceUnit => ({ kind: 'rtp', streamId, data: Buffer.alloc(12) });

/** What a worker is sent by its pipe. */
function pipeOf(sent: object[]): MediaWorker {
  const sendMedia: MediaWorker['sendMedia'] = (message) => sent.push(message) > 0;
  return { backlog: 0, sendMedia } as MediaWorker;
}

test('a worker that takes over is told how streams by RTP lie to each other, by reports that are not too old', () => {
  let sink: SourceSink | undefined;
  const source: MediaSource = {
    start: (taker) => {
      sink = taker;
    },
    requestKeyFrame: () => false,
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
    done: new Promise(() => undefined),
  };
  const feed = new SourceFeed('job', () => source, new KeepingLog());
  feed.setWorker(pipeOf([]));
  feed.open();
  const clock = vi.spyOn(performance, 'now');
  try {
    clock.mockReturnValue(0);
    sink?.deliver(rtcp(1, 'old'));
    clock.mockReturnValue(30_000);
    for (const unit of [rtcp(0, 'first'), rtp(0), rtcp(0, 'last')]) sink?.deliver(unit);
    clock.mockReturnValue(70_000);
    const sent: object[] = [];
    feed.setWorker(pipeOf(sent));
    feed.open();
    expect(sent).toEqual([{ type: 'deliverUnit', jobId: 'job', unit: rtcp(0, 'last'), isReplay: true }]);
  } finally {
    clock.mockRestore();
    feed.close();
  }
});
