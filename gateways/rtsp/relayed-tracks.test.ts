import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { RtpFeed, RtpFeedEvents, RtpUnit } from '#core/rtp-feed.ts';
import { RelayedTracks } from './relayed-tracks.ts';
import { SharedFeed } from './shared-feed.ts';

class MadeFeed implements RtpFeed {
  readonly events = new EventEmitter<RtpFeedEvents>();
  readonly signal = new AbortController().signal;
  readonly isClosed = false;
  readonly state = 'made';
  keyFramesAsked = 0;

  requestKeyFrame(): void {
    this.keyFramesAsked += 1;
  }

  async close(reason: CloseReason = 'requested'): Promise<CloseReason> {
    return reason;
  }
}

/** RTP of payload type 96 with its number, or a sender report. */
function packet(number: number, type = 96): Uint8Array {
  const made = Buffer.alloc(12);
  made.writeUInt8(0x80);
  made.writeUInt8(type, 1);
  made.writeUInt16BE(number, 2);
  made.writeUInt32BE(number * 10, 4);
  return made;
}

const picture = (number: number, isKey = false): RtpUnit => ({ kind: 'video', isKey, packets: [packet(number)] });
const sound = (number: number): RtpUnit => ({ kind: 'audio', isKey: true, packets: [packet(number)] });
const report: RtpUnit = { kind: 'video', isKey: false, packets: [packet(0, 200)] };

let made: MadeFeed;
let shared: SharedFeed;
let tracks: RelayedTracks;
let sent: string[];
let queuedBytes: number;
let ends: GatewayError[];

beforeEach(() => {
  vi.useFakeTimers();
  made = new MadeFeed();
  shared = new SharedFeed(made);
  sent = [];
  queuedBytes = 0;
  ends = [];
  tracks = new RelayedTracks(shared, { heard: () => undefined, end: (failure) => ends.push(failure) });
  const outletOf = (kind: string) => ({
    send: (what: 'rtp' | 'rtcp', data: Uint8Array) =>
      void sent.push(what === 'rtcp' ? 'report' : `${kind} ${Buffer.from(data).readUInt16BE(2)}`),
    get queuedBytes() {
      return queuedBytes;
    },
  });
  tracks.add('video', 0, outletOf('video'));
  tracks.add('audio', 1, outletOf('audio'));
});

afterEach(async () => {
  tracks.close();
  await shared.close();
  vi.useRealTimers();
});

const give = (...units: RtpUnit[]) => {
  for (const unit of units) made.events.emit('unit', unit);
};

async function begun(): Promise<void> {
  const positions = tracks.begin();
  give(report, picture(3), sound(7), picture(4, true));
  expect(await positions).toEqual([{ track: 0, sequenceNumber: 4, rtpTimestamp: 40 }]);
  give(sound(8));
  expect(sent).toEqual([]);
  tracks.play();
}

test('begins with a key picture, which RTP-Info names, after a report, and not before the answer has left', async () => {
  await begun();
  give(picture(5), sound(9));
  expect(sent).toEqual(['report', 'video 4', 'audio 8', 'video 5', 'audio 9']);
});

test('without a picture PLAY is answered all the same, and it begins with the next one', async () => {
  const positions = tracks.begin();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await positions).toEqual([]);
  tracks.play();
  give(picture(1), sound(1), picture(2, true), sound(2));
  expect(sent).toEqual(['video 2', 'audio 2']);
});

test('who reads too slowly loses everything up to a key picture after half has been read', async () => {
  await begun();
  sent.length = 0;
  queuedBytes = 600_000;
  give(picture(5), picture(6, true), sound(10));
  queuedBytes = 200_000;
  const asked = made.keyFramesAsked;
  await vi.advanceTimersByTimeAsync(1_000);
  give(picture(7));
  expect(made.keyFramesAsked).toBe(asked + 1);
  give(picture(8, true), sound(11));
  expect(sent).toEqual(['video 8', 'audio 11']);
  expect(ends).toEqual([]);
});

test('who reads nothing for ten seconds is cut off; who reads a little is not', async () => {
  await begun();
  for (queuedBytes = 900_000; queuedBytes > 700_000; queuedBytes -= 10_000) {
    give(picture(5));
    await vi.advanceTimersByTimeAsync(2_000);
  }
  expect(ends).toEqual([]);
  give(picture(6));
  await vi.advanceTimersByTimeAsync(9_000);
  give(picture(7));
  expect(ends).toEqual([]);
  await vi.advanceTimersByTimeAsync(2_000);
  give(picture(8));
  expect(ends).toMatchObject([{ code: 'timeout', message: 'The player does not read what it is sent.' }]);
});

test('a pause is silent, and the next PLAY begins with a key picture again', async () => {
  await begun();
  tracks.pause();
  sent.length = 0;
  give(picture(5), sound(9));
  const positions = tracks.begin();
  give(picture(6, true));
  await positions;
  tracks.play();
  expect(sent).toEqual(['report', 'video 6']);
});

test('a feed that ends ends the player; one that nobody uses goes after a while', async () => {
  await begun();
  made.events.emit('closed', 'failed');
  await vi.advanceTimersByTimeAsync(0);
  expect(ends.map(({ message }) => message)).toEqual(['There is nothing to play any more. made']);
  const other = new SharedFeed(new MadeFeed());
  other.use()();
  // Whose first player left before it had begun.
  const never = new SharedFeed(new MadeFeed());
  const used = new SharedFeed(new MadeFeed());
  used.use();
  await vi.advanceTimersByTimeAsync(5_000);
  expect([other, never, used].map(({ isClosed }) => isClosed)).toEqual([true, true, false]);
  await used.close();
});
