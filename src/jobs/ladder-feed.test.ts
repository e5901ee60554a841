import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveFeed, LiveFeedEvents } from '#core/live-feed.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { LadderFeed } from './ladder-feed.ts';

class Encoding extends Owned implements LiveFeed {
  readonly events = new EventEmitter<LiveFeedEvents>();
  readonly state = '';

  protected override onClose(reason: CloseReason): void {
    this.events.emit('closed', reason);
    this.events.removeAllListeners();
  }
}

const ladderOf = (feeds: readonly Encoding[]) =>
  new LadderFeed({ feeds, bitratesBps: [2_000_000, 500_000], segmentUs: 2_000_000, log: new KeepingLog() });

test('a ladder ends with its first encoding, and takes the others with it', async () => {
  const [first, second] = [new Encoding(), new Encoding()];
  const ladder = ladderOf([first, second]);
  await first.close('peer_left');
  expect(await ladder.done).toBe('peer_left');
  expect(second.isClosed).toBe(true);
});

test('a ladder whose first encoding was over before the last was opened ends, too', async () => {
  const [first, second] = [new Encoding(), new Encoding()];
  await first.close('peer_left');
  const ladder = ladderOf([first, second]);
  expect(await ladder.done).toBe('peer_left');
  expect(second.isClosed).toBe(true);
});

test('a ladder outlives its smaller encodings', async () => {
  const [first, second] = [new Encoding(), new Encoding()];
  const ladder = ladderOf([first, second]);
  await second.close('failed');
  expect(ladder.isClosed).toBe(false);
  await ladder.close();
  expect(first.isClosed).toBe(true);
});
