import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import { dashManifest } from './dash-manifest.ts';
import { mediaPlaylist } from './media-playlist.ts';
import { multivariantPlaylist } from './multivariant-playlist.ts';
import { Timeline, type TimelineOptions } from './timeline.ts';

const options: TimelineOptions = { partUs: 300_000, segmentUs: 2_000_000, windowUs: 20_000_000, maxBytes: 1e9 };
const nowMs = Date.UTC(2026, 0, 1);
const video = { kind: 'video', codecs: 'avc1.42c01f', init: Buffer.from('vi'), width: 1280, height: 720 } as const;
const audio = {
  kind: 'audio',
  codecs: 'mp4a.40.2',
  init: Buffer.from('ai'),
  sampleRateHz: 48_000,
  channels: 2,
} as const;
const both: LiveInit = { muxed: Buffer.from('mi'), tracks: [video, audio] };
const soundOnly: LiveInit = { muxed: Buffer.from('mi'), tracks: [audio] };

const picture = (startUs: number, isKey: boolean, durationUs = 40_000): LiveFragment => {
  return { kind: 'video', startUs, durationUs, isKey, data: Buffer.from(`v${startUs};`) };
};
const sound = (startUs: number, durationUs = 40_000): LiveFragment => {
  return { kind: 'audio', startUs, durationUs, isKey: true, data: Buffer.from(`a${startUs};`) };
};

/** 25 pictures a second, a key picture every `gop`, and sound. */
function feed(timeline: Timeline, seconds: number, gop = 50, fromUs = 0): void {
  for (let index = 0; index < seconds * 25; index++) {
    const atUs = fromUs + index * 40_000;
    timeline.add(picture(atUs, index % gop === 0), nowMs + atUs / 1_000 + 40);
    timeline.add(sound(atUs), nowMs + atUs / 1_000 + 40);
  }
}

function started(init = both, some: Partial<TimelineOptions> = {}): Timeline {
  const timeline = new Timeline({ ...options, ...some });
  timeline.begin(init);
  return timeline;
}

function renditionOf(timeline: Timeline, kind: 'audio' | 'video') {
  const rendition = timeline.rendition(kind);
  if (!rendition) expect.fail(`no ${kind}`);
  return rendition;
}

function playlist(timeline: Timeline, kind: 'audio' | 'video' = 'video', isDelta = false): string {
  return mediaPlaylist({ timeline, rendition: renditionOf(timeline, kind), query: '?v=x', isDelta, hasEnded: false });
}

describe('a timeline', () => {
  test('segments that lie elsewhere take no room: as many stay in the playlist as it is to hold', () => {
    const timeline = started(both, { maxBytes: 1_500 });
    const rendition = renditionOf(timeline, 'video');
    for (let atUs = 0; atUs < 40e6; atUs += 40_000) {
      timeline.add(picture(atUs, atUs % 2e6 === 0), nowMs);
      timeline.add(sound(atUs), nowMs);
      for (const one of timeline.renditions) for (const { number } of one.segments) one.unload(number);
    }
    expect(rendition.segments.filter(({ isComplete }) => isComplete)).toHaveLength(10);
    const text = mediaPlaylist({ timeline, rendition, query: '', isDelta: false, hasEnded: false, isStatic: true });
    expect(text.match(/#EXTINF:2\.00000,/g)).toHaveLength(10);
  });

  test('whatever comes, cuts pictures at key pictures only, loses no byte within its window and is bounded', () => {
    const gaps = fc.array(
      fc.record({ durationUs: fc.integer({ min: 8_000, max: 900_000 }), isKey: fc.boolean(), hasSound: fc.boolean() }),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(gaps, (steps) => {
        const timeline = started(both, { maxBytes: 600 });
        let atUs = 0;
        let written = '';
        for (const { durationUs, isKey, hasSound } of steps) {
          const one = picture(atUs, isKey, durationUs);
          written += one.data.toString();
          timeline.add(one, nowMs);
          if (hasSound) timeline.add(sound(atUs, durationUs), nowMs);
          atUs += durationUs;
        }
        const { segments } = renditionOf(timeline, 'video');
        for (const { parts, durationUs, isComplete } of segments) {
          expect(parts.reduce((sum, part) => sum + part.durationUs, 0)).toBe(durationUs);
          if (isComplete) expect(parts.length).toBeGreaterThan(0);
        }
        segments.slice(1).forEach(({ number, parts }, index) => {
          expect(number).toBe((segments[index]?.number ?? 0) + 1);
          if (parts[0]) expect(parts[0].isIndependent).toBe(true);
        });
        const kept = segments.flatMap(({ parts }) => parts.map(({ data }) => Buffer.from(data).toString())).join('');
        expect(written).toContain(kept);
        const growing = segments.at(-1)?.parts.reduce((sum, { data }) => sum + data.byteLength, 0) ?? 0;
        const audioGrowing = renditionOf(timeline, 'audio').bytes;
        expect(renditionOf(timeline, 'video').bytes).toBeLessThanOrEqual(Math.max(600, growing + audioGrowing));
      }),
      { numRuns: 60 },
    );
  });

  test('parts are no longer than the target and, but for the last of a segment, at least 85 % of it', () => {
    const timeline = started();
    feed(timeline, 10);
    for (const { parts, isComplete } of renditionOf(timeline, 'video').segments) {
      if (!isComplete) continue;
      parts.forEach(({ durationUs }, index) => {
        expect(durationUs).toBeLessThanOrEqual(options.partUs);
        if (index < parts.length - 1) expect(durationUs).toBeGreaterThanOrEqual(options.partUs * 0.85);
      });
    }
  });

  test('the sound is cut where the pictures are, and by itself where there are none', () => {
    const timeline = started();
    feed(timeline, 9);
    const [pictures, sounds] = [renditionOf(timeline, 'video').segments, renditionOf(timeline, 'audio').segments];
    expect(sounds.map(({ startUs }) => startUs)).toEqual(pictures.map(({ startUs }) => startUs));
    const alone = started(soundOnly);
    for (let index = 0; index < 250; index++) alone.add(sound(index * 40_000), nowMs);
    expect(renditionOf(alone, 'audio').segments.map(({ startUs }) => startUs)).toEqual([0, 2e6, 4e6, 6e6, 8e6]);
  });

  test('keeps its window and forgets the rest', () => {
    const timeline = started();
    feed(timeline, 60);
    const { segments } = renditionOf(timeline, 'video');
    expect(segments[0]?.number).toBeGreaterThan(15);
    expect(segments.length).toBeLessThan(13);
  });
});

describe('a media playlist', () => {
  test('names segments, the parts of the last ones, what comes next, and the other rendition', () => {
    const timeline = started();
    feed(timeline, 10.4);
    const text = playlist(timeline);
    const lines = text.split('\n');
    expect(lines.slice(0, 8)).toEqual([
      '#EXTM3U',
      '#EXT-X-VERSION:9',
      '#EXT-X-TARGETDURATION:2',
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.90000,HOLD-BACK=6,CAN-SKIP-UNTIL=12',
      '#EXT-X-PART-INF:PART-TARGET=0.30000',
      '#EXT-X-MEDIA-SEQUENCE:0',
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EXT-X-MAP:URI="video-0.mp4?v=x"',
    ]);
    expect(text.match(/#EXTINF:2\.00000,\nvideo-\d+\.m4s\?v=x/g)).toHaveLength(5);
    expect(text).not.toContain('video-1.0.m4s');
    expect(text).toContain('#EXT-X-PART:DURATION=0.28000,URI="video-4.0.m4s?v=x",INDEPENDENT=YES');
    expect(text).toContain('#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:02.000Z');
    expect(lines.slice(-3)).toEqual([
      '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="video-5.1.m4s?v=x"',
      '#EXT-X-RENDITION-REPORT:URI="audio.m3u8?v=x",LAST-MSN=5,LAST-PART=0',
      '',
    ]);
  });

  test('a delta has the news only, and says how much it leaves out', () => {
    const timeline = started();
    feed(timeline, 21);
    const [whole, delta] = [playlist(timeline), playlist(timeline, 'video', true)];
    const names = (text: string) => text.match(/^video-\d+\.m4s/gm) ?? [];
    const [, skipped] = delta.match(/SKIPPED-SEGMENTS=(\d+)/) ?? [];
    expect(Number(skipped)).toBeGreaterThan(2);
    expect(names(whole).slice(Number(skipped))).toEqual(names(delta));
  });

  test('tells where another initialisation begins, and how many of those have gone', () => {
    const timeline = started();
    feed(timeline, 5);
    timeline.begin(both);
    feed(timeline, 5);
    const text = playlist(timeline);
    expect(text.indexOf('#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="video-1.mp4?v=x"')).toBeGreaterThan(0);
    feed(timeline, 40);
    expect(playlist(timeline)).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:1');
    timeline.begin(both);
    expect(timeline.epochOf(0)).toBeUndefined();
  });
});

test('the multivariant playlist has the sound as a group, or sound alone', () => {
  const timeline = started();
  feed(timeline, 4);
  const text = multivariantPlaylist(timeline, '?v=x');
  expect(text).toMatch(
    /#EXT-X-STREAM-INF:BANDWIDTH=\d+,CODECS="avc1.42c01f,mp4a.40.2",RESOLUTION=1280x720,AUDIO="sound"\nvideo.m3u8\?v=x/,
  );
  expect(text).toContain(
    'TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8?v=x"',
  );
  const alone = started(soundOnly);
  alone.add(sound(0), nowMs);
  expect(multivariantPlaylist(alone, '')).toMatch(/CODECS="mp4a.40.2"\naudio.m3u8\n$/);
});

test('the DASH manifest has a period for each initialisation and names the same segments', () => {
  const timeline = started();
  feed(timeline, 5);
  timeline.begin(both);
  feed(timeline, 6.5);
  const text = dashManifest({ timeline, query: '?v=x', nowMs: nowMs + 12_000 });
  expect(text.match(/<Period id="\d"/g)).toEqual(['<Period id="0"', '<Period id="1"']);
  expect(text).toContain('availabilityStartTime="2026-01-01T00:00:00.000Z"');
  expect(text).toContain('initialization="video-1.mp4?v=x" media="video-$Number$.m4s?v=x"');
  expect(text.match(/<S t="0" d="2000000"\/>/g)).toHaveLength(4);
});

describe('a ladder', () => {
  const rung = (index: number) => ({
    ...video,
    rung: index,
    width: 1280 >> index,
    height: 720 >> index,
    bitrateBps: 4e6 >> index,
  });
  const ladder: LiveInit = { ...both, tracks: [{ ...video, bitrateBps: 4e6 }, audio], rungs: [rung(1), rung(2)] };
  const feedAll = (timeline: Timeline, seconds: number, rungs: readonly number[], fromUs = 0) => {
    for (let index = 0; index < seconds * 25; index++) {
      const atUs = fromUs + index * 40_000;
      for (const one of rungs)
        timeline.add({ ...picture(atUs, index % 50 === 0), rung: one, isCut: index % 50 === 0 }, nowMs);
      timeline.add(sound(atUs), nowMs);
    }
  };

  test('has a variant for each encoding, the sound in all, and segments of the same numbers', () => {
    const timeline = started(ladder);
    feedAll(timeline, 9, [0, 1, 2]);
    const main = multivariantPlaylist(timeline, '?v=x').split('\n');
    const variants = main.filter((line) => line.startsWith('#EXT-X-STREAM-INF'));
    expect(variants.map((line) => line.match(/RESOLUTION=(\S+),AUDIO="sound"/)?.[1])).toEqual([
      '1280x720',
      '640x360',
      '320x180',
    ]);
    expect(
      variants
        .map((line) => Number(line.match(/BANDWIDTH=(\d+)/)?.[1]))
        .every((bps, at, all) => bps < (all[at - 1] ?? 1e9)),
    ).toBe(true);
    expect(main.filter((line) => line.endsWith('m3u8?v=x'))).toEqual([
      'video.m3u8?v=x',
      'video1.m3u8?v=x',
      'video2.m3u8?v=x',
    ]);
    const cutsOf = (id: string) => timeline.rendition(id)?.segments.map(({ number, startUs }) => [number, startUs]);
    expect(cutsOf('video2')).toEqual([
      [0, 0],
      [1, 2e6],
      [2, 4e6],
      [3, 6e6],
      [4, 8e6],
    ]);
    expect(cutsOf('video1')).toEqual(cutsOf('video'));
    expect(cutsOf('audio')).toEqual(cutsOf('video'));
    const [rendition] = timeline.renditions.slice(-1);
    if (!rendition) expect.fail('no rendition');
    const text = mediaPlaylist({ timeline, rendition, query: '?v=x', isDelta: false, hasEnded: false });
    expect(text).toContain('#EXT-X-MAP:URI="video2-0.mp4?v=x"');
    expect(text.match(/RENDITION-REPORT:URI="(\w+)/g)).toHaveLength(3);
    const manifest = dashManifest({ timeline, query: '', nowMs });
    expect(manifest.match(/<AdaptationSet/g)).toHaveLength(2);
    expect(manifest.match(/<Representation id="(video\d?|audio)"/g)).toHaveLength(4);
  });

  test('an encoding that was away goes on with the numbers of the others', () => {
    const timeline = started(ladder);
    feedAll(timeline, 4, [0, 1, 2]);
    timeline.begin({ ...ladder, rungs: [rung(1)] });
    feedAll(timeline, 6, [0, 1], 4e6);
    expect(multivariantPlaylist(timeline, '')).not.toContain('video2.m3u8');
    timeline.begin(ladder);
    feedAll(timeline, 4, [0, 1, 2], 10e6);
    const last = (id: string) => timeline.rendition(id)?.segments.at(-1)?.number;
    expect(last('video')).toBe(6);
    expect(last('video2')).toBe(6);
  });
});
