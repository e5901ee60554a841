import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { type MasterPlaylist, type MediaPlaylist, parsePlaylist } from './playlist.ts';
import { audioUriOf, preferredVariants } from './variant-choice.ts';

const media = (...lines: string[]) => parsePlaylist(['#EXTM3U', ...lines].join('\n')) as MediaPlaylist;

describe('a media playlist', () => {
  test('numbers its segments and says what holds for each', () => {
    const playlist = media(
      ...['#EXT-X-TARGETDURATION:6', '#EXT-X-MEDIA-SEQUENCE:41', '#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@0"'],
      ...['#EXTINF:6.006,', 'a.m4s', '#EXT-X-DISCONTINUITY', '#EXT-X-KEY:METHOD=AES-128,URI="k?x=1,2",IV=0xAB'],
      ...['#EXT-X-MAP:URI="other.mp4"', '#EXTINF:4,title', 'b.m4s', '#EXT-X-KEY:METHOD=NONE', '#EXTINF:5', 'c.m4s'],
      '#EXT-X-ENDLIST',
    );
    const [a, b, c] = playlist.segments;
    expect(playlist).toMatchObject({ targetDurationS: 6.006, isEnded: true });
    expect(a).toMatchObject({ sequence: 41, discontinuity: 0, durationS: 6.006, uri: 'a.m4s', key: undefined });
    expect(a?.map).toEqual({ uri: 'init.mp4', range: { first: 0, length: 700 } });
    expect(b).toMatchObject({ sequence: 42, discontinuity: 1, map: { uri: 'other.mp4' } });
    expect(b?.key).toEqual({ uri: 'k?x=1,2', iv: Buffer.from(`${'00'.repeat(15)}ab`, 'hex') });
    expect(c).toMatchObject({ sequence: 43, discontinuity: 1, key: undefined });
  });

  test('byte ranges go on where the last one of the same file ended', () => {
    const { segments } = media(
      ...['#EXT-X-TARGETDURATION:2', '#EXTINF:2', '#EXT-X-BYTERANGE:100@50', 'all.ts', '#EXTINF:2'],
      ...['#EXT-X-BYTERANGE:30', 'all.ts', '#EXTINF:2', '#EXT-X-BYTERANGE:20', 'other.ts', '#EXTINF:2', 'whole.ts'],
    );
    expect(segments.map(({ range }) => range)).toEqual([
      { first: 50, length: 100 },
      { first: 150, length: 30 },
      { first: 0, length: 20 },
      undefined,
    ]);
  });

  test.each([
    ['no playlist', '<html>'],
    ['an empty one', '#EXTM3U'],
    ['sample encryption', '#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1\na.ts'],
    ['a key of a rights system', '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.x"\n#EXTINF:1\na.ts'],
    ['a byte range of nothing', '#EXTM3U\n#EXTINF:1\n#EXT-X-BYTERANGE:0@1\na.ts'],
  ])('%s is refused with a reason', (_, text) => {
    expect(() => parsePlaylist(text)).toThrow(GatewayError);
  });

  test('whatever text comes, it is read or refused', () => {
    const pieces = [
      ...[
        '#EXTM3U',
        '#EXT-X-STREAM-INF:BANDWIDTH=1',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a"',
        '#EXTINF:',
        '#EXT-X-KEY:',
      ],
      ...['#EXT-X-MAP:URI=', '#EXT-X-BYTERANGE:9@', '#EXT-X-MEDIA-SEQUENCE:', 'x.ts', '"', ',', '=', '\n', '-1', '9e9'],
    ];
    const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 60 });
    fc.assert(
      fc.property(text, (parts) => {
        try {
          parsePlaylist(`#EXTM3U\n${parts.join('')}`);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});

describe('the variant that is played', () => {
  const master = parsePlaylist(
    [
      '#EXTM3U',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",URI="de.m3u8"',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",DEFAULT=YES,URI="en.m3u8"',
      '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="a"',
      '360.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,CODECS="avc1.640028,mp4a.40.2",AUDIO="a"',
      '1080.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=4000000,RESOLUTION=1920x1080,CODECS="hvc1.1.6.L120,mp4a.40.2"',
      '1080-hevc.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=16000000,RESOLUTION=3840x2160,CODECS="avc1.640033,mp4a.40.2"',
      '2160.m3u8',
      '#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"',
      'sound.m3u8',
    ].join('\n'),
  ) as MasterPlaylist;

  test.each([
    ['the largest up to 1080 lines, without a transcoder', { wantsVideo: true }, '1080.m3u8'],
    ['no larger than asked for', { wantsVideo: true, maxHeight: 720 }, '360.m3u8'],
    ['larger where asked for', { wantsVideo: true, maxHeight: 2_160 }, '2160.m3u8'],
    ['within the bitrate', { wantsVideo: true, maxBitrateBps: 4_500_000 }, '1080-hevc.m3u8'],
    ['the smallest where none fits', { wantsVideo: true, maxHeight: 100 }, '360.m3u8'],
    ['the one of sound alone where no picture is wanted', { wantsVideo: false }, 'sound.m3u8'],
  ])('is %s', (_, wish, uri) => {
    expect(preferredVariants(master, wish)[0]?.uri).toBe(uri);
  });

  test('has its sound in the default rendition of its group, or in itself', () => {
    const [best, next] = preferredVariants(master, { wantsVideo: true });
    expect(best && audioUriOf(master, best)).toBe('en.m3u8');
    expect(next && audioUriOf(master, next)).toBeUndefined();
  });

  test('may be portrait', () => {
    const portrait = parsePlaylist('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1080x1920\nup.m3u8');
    expect(preferredVariants(portrait as MasterPlaylist, { wantsVideo: true, maxHeight: 1_080 })).toHaveLength(1);
  });
});
