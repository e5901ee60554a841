import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { buildAudioTag, buildVideoTag, parseAudioTag, parseVideoTag } from './flv.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ascii = (text: string) => Buffer.from(text).toString('hex');

describe('video', () => {
  test.each([
    ['H264 configuration', '17 00 000000 0142', { codec: 'h264', type: 'config', isKey: true, compositionMs: 0 }],
    ['H264 key frame', '17 01 000000 aa', { codec: 'h264', type: 'frame', isKey: true }],
    ['H264 B-frame shown 40 ms later', '27 01 000028 aa', { type: 'frame', isKey: false, compositionMs: 40 }],
    ['H264 frame shown before it is decoded', '27 01 ffffd8 aa', { compositionMs: -40 }],
    ['H264 end of sequence', '17 02 000000', { type: 'end' }],
    ['HEVC in the way of before Enhanced RTMP', '1c 01 000000 aa', { codec: 'h265', type: 'frame' }],
    ['Sorenson H263', '12 aa', { codec: 'h263', type: 'frame', isKey: true }],
    ['enhanced HEVC configuration', `90 ${ascii('hvc1')} 01`, { codec: 'h265', type: 'config' }],
    ['enhanced HEVC with a composition time', `a1 ${ascii('hvc1')} fffff6 aa`, { isKey: false, compositionMs: -10 }],
    ['enhanced HEVC without one', `93 ${ascii('hvc1')} aa`, { type: 'frame', isKey: true, compositionMs: 0 }],
    ['enhanced H264', `91 ${ascii('avc1')} 00000a aa`, { codec: 'h264', compositionMs: 10 }],
    ['AV1, which has no composition time', `91 ${ascii('av01')} aa`, { codec: 'av1', type: 'frame' }],
    ['VP9', `a1 ${ascii('vp09')} aa`, { codec: 'vp9', isKey: false }],
    ['ModEx with nanoseconds before a frame', `97 02 0003e8 03 ${ascii('hvc1')} aa`, { offsetNs: 1000, type: 'frame' }],
    ['ModEx that nobody knows', `97 00 ff f3 ${ascii('hvc1')} aa`, { offsetNs: 0, type: 'frame' }],
    ['multitrack, one track', `96 01 ${ascii('av01')} 05 aa`, { codec: 'av1', trackId: 5, type: 'frame' }],
  ])('%s', (_name, body, expected) => {
    expect(parseVideoTag(hex(body))).toMatchObject([{ kind: 'video', trackId: 0, ...expected }]);
  });

  test('many tracks of many codecs', () => {
    const body = hex(`96 21 ${ascii('av01')} 00 000001 aa ${ascii('hvc1')} 01 000004 000000 bb`);
    expect(parseVideoTag(body)).toMatchObject([
      { codec: 'av1', trackId: 0, payload: Buffer.of(0xaa) },
      { codec: 'h265', trackId: 1, payload: Buffer.of(0xbb) },
    ]);
  });

  test.each([
    ['a seek command', '57 00'],
    ['colour metadata', `94 ${ascii('hvc1')} 00`],
    ['a multitrack of multitracks', `96 06 ${ascii('hvc1')} 00 aa`],
  ])('%s is no picture', (_name, body) => {
    expect(parseVideoTag(hex(body))).toEqual([]);
  });

  test.each([
    '',
    '17',
    '1701',
    '170100',
    '91',
    '91 6876',
    '97',
    '97 ff ffff',
    '96 11 68766331 00 00ffff aa',
    '1f aa',
    '93 66616b65',
  ])('the body "%s" is refused', (body) => {
    expect(() => parseVideoTag(hex(body))).toThrow(GatewayError);
  });
});

describe('audio', () => {
  test.each([
    ['AAC configuration', 'af 00 1210', { codec: 'aac', type: 'config', sampleRateHz: undefined }],
    ['AAC', 'af 01 aa', { codec: 'aac', type: 'frame' }],
    ['MP3, stereo', '2f aa', { codec: 'mp3', sampleRateHz: 44_100, channels: 2 }],
    ['MP3 of 8 kHz', 'ee aa', { codec: 'mp3', sampleRateHz: 8_000, channels: 1 }],
    ['Speex', 'b2 aa', { codec: 'speex', sampleRateHz: 16_000, channels: 1 }],
    ['Nellymoser of 16 kHz', '42 aa', { codec: 'nellymoser', sampleRateHz: 16_000, channels: 1 }],
    ['Nellymoser of 8 kHz', '52 aa', { codec: 'nellymoser', sampleRateHz: 8_000 }],
    ['Nellymoser of 22 kHz', '6a aa', { codec: 'nellymoser', sampleRateHz: 22_050 }],
    ['A-law', '72 aa', { codec: 'pcma', sampleRateHz: 8_000, channels: 1 }],
    ['µ-law', '82 aa', { codec: 'pcmu', sampleRateHz: 8_000 }],
    ['Opus configuration', `90 ${ascii('Opus')} aa`, { codec: 'opus', type: 'config' }],
    ['Opus', `91 ${ascii('Opus')} aa`, { codec: 'opus', type: 'frame' }],
    ['FLAC', `91 ${ascii('fLaC')} aa`, { codec: 'flac' }],
    ['AC-3', `91 ${ascii('ac-3')} aa`, { codec: 'ac3' }],
    ['multitrack AAC', `95 01 ${ascii('mp4a')} 02 aa`, { codec: 'aac', trackId: 2 }],
  ])('%s', (_name, body, expected) => {
    expect(parseAudioTag(hex(body))).toMatchObject([{ kind: 'audio', trackId: 0, ...expected }]);
  });

  test('a channel layout is no sound', () => {
    expect(parseAudioTag(hex(`94 ${ascii('Opus')} 00 02`))).toEqual([]);
  });

  test.each(['', 'af', '91 4f70', '91 66616b65', 'd0', '3f aa'])('the body "%s" is refused', (body) => {
    expect(() => parseAudioTag(hex(body))).toThrow(GatewayError);
  });
});

test('any body gives tags or a GatewayError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(parseVideoTag, parseAudioTag), (bytes, parse) => {
      try {
        parse(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test('what is built is read back', () => {
  fc.assert(
    fc.property(
      fc.record({
        codec: fc.constantFrom('h264', 'h265', 'av1', 'vp9', 'vp8'),
        type: fc.constantFrom('config', 'frame'),
        isKey: fc.boolean(),
        compositionMs: fc.integer({ min: -0x800000, max: 0x7fffff }),
        payload: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      }),
      (tag) => {
        const hasComposition = tag.type === 'frame' && (tag.codec === 'h264' || tag.codec === 'h265');
        const expected = {
          ...tag,
          isKey: tag.isKey || tag.type === 'config',
          compositionMs: hasComposition ? tag.compositionMs : 0,
        };
        expect(parseVideoTag(Buffer.concat(buildVideoTag(tag)))).toMatchObject([expected]);
      },
    ),
  );
  for (const codec of ['aac', 'mp3', 'opus', 'flac', 'ac3', 'eac3', 'pcma', 'pcmu'] as const) {
    const tag = { codec, type: 'frame', payload: Buffer.of(1, 2) } as const;
    expect(parseAudioTag(Buffer.concat(buildAudioTag(tag)))).toMatchObject([tag]);
  }
});
