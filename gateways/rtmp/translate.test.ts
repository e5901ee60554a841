import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SourceStream, SourceUnit } from '#core/media-source.ts';
import type { RtmpMessage } from './chunk.ts';
import { messageType } from './messages.ts';
import { assertCarried, configMessage, extendTimestampMs, frameMessage, TagTranslator } from './translate.ts';

const avcC = Buffer.from('01640028ffe1000467640028010004' + '68ee3cb0', 'hex');

function translator() {
  const described: SourceStream[] = [];
  const delivered: SourceUnit[] = [];
  const translate = new TagTranslator({
    describe: (stream) => described.push(stream),
    deliver: (unit) => delivered.push(unit),
  });
  return { translate, described, delivered };
}

const video = (hex: string, timestamp = 0): RtmpMessage => tag(messageType.video, hex, timestamp);
const audio = (hex: string, timestamp = 0): RtmpMessage => tag(messageType.audio, hex, timestamp);

function tag(type: number, hex: string, timestamp: number): RtmpMessage {
  return { chunkStreamId: 4, type, streamId: 1, timestamp, payload: Buffer.from(hex.replaceAll(' ', ''), 'hex') };
}

test('H264 and AAC are described once and delivered on one clock', () => {
  const { translate, described, delivered } = translator();
  translate.metadata({ width: 1280, height: 720, framerate: 30 });
  translate.message(video(`17 00 000000 ${avcC.toString('hex')}`));
  translate.message(video(`17 00 000000 ${avcC.toString('hex')}`));
  translate.message(audio('af 00 1210'));
  translate.message(video('17 01 000028 aa', 1_000));
  translate.message(audio('af 01 bb', 1_010));
  expect(described).toMatchObject([
    { id: 0, kind: 'video', codec: 'h264', framing: { kind: 'length_prefixed', lengthSize: 4 }, width: 1280 },
    { id: 1, kind: 'audio', codec: 'aac', framing: { kind: 'bare' }, config: Buffer.of(0x12, 0x10) },
  ]);
  expect(delivered).toMatchObject([
    { streamId: 0, ptsUs: 1_040_000, dtsUs: 1_000_000, isKey: true, data: Buffer.of(0xaa) },
    { streamId: 1, ptsUs: 1_010_000, dtsUs: 1_010_000, isKey: true, data: Buffer.of(0xbb) },
  ]);
});

test('a new configuration describes the stream again under its id', () => {
  const { translate, described } = translator();
  translate.message(audio('af 00 1210'));
  translate.message(audio('af 00 1190'));
  expect(described.map(({ id, config }) => [id, config])).toEqual([
    [1, Buffer.from('1210', 'hex')],
    [1, Buffer.from('1190', 'hex')],
  ]);
});

test('frames that nobody could decode yet are left out; codecs without configuration begin with a frame', () => {
  const { translate, described, delivered } = translator();
  translate.message(video('17 01 000000 aa'));
  translate.message(audio('b2 bb'));
  expect(described).toMatchObject([{ id: 1, codec: 'speex', sampleRateHz: 16_000, channels: 1 }]);
  expect(delivered).toHaveLength(1);
});

test('a ninth track is not looked at', () => {
  const { translate, described } = translator();
  const fourCc = Buffer.from('Opus').toString('hex');
  for (let i = 0; i < 200; i++) translate.message(audio(`95 01 ${fourCc} ${i.toString(16).padStart(2, '0')} aa`));
  expect(described.map((stream) => stream.id)).toEqual([1, 3, 5, 7, 9, 11, 13, 15]);
});

test.each(['17 00 000000 0164', '17 00 000000 01640028fe'])('the configuration in "%s" is refused', (hex) => {
  expect(() => translator().translate.message(video(hex))).toThrow('broken h264');
});

test('timestamps go on over the wrap, and back where the publisher does', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), (last, step) => {
      expect(extendTimestampMs((last + step + 2 ** 41) % 2 ** 32, last)).toBe(last + step);
    }),
  );
});

test('what is sent is read back, times in milliseconds', () => {
  const stream: SourceStream = {
    id: 3,
    kind: 'video',
    codec: 'h265',
    framing: { kind: 'length_prefixed', lengthSize: 4 },
    config: Buffer.alloc(23, 3),
  };
  const { translate, described, delivered } = translator();
  translate.message(configMessage(stream, 1, 0) as RtmpMessage);
  const unit = { kind: 'access_unit', streamId: 3, ptsUs: 5_033_400, dtsUs: 5_000_100, isKey: true } as const;
  translate.message(frameMessage(stream, { ...unit, data: Buffer.of(9) }, 1, 4_000_000));
  expect(described).toMatchObject([{ codec: 'h265', framing: stream.framing, config: stream.config }]);
  expect(delivered).toMatchObject([{ ptsUs: 1_033_000, dtsUs: 1_000_000, isKey: true, data: Buffer.of(9) }]);
});

test.each<[string, SourceStream]>([
  ['raw RTP', { id: 0, kind: 'audio', codec: 'opus', framing: { kind: 'rtp' } }],
  ['G.722', { id: 0, kind: 'audio', codec: 'g722', framing: { kind: 'bare' } }],
  ['Annex B', { id: 0, kind: 'video', codec: 'h264', framing: { kind: 'bare' }, config: avcC }],
  ['AAC without configuration', { id: 0, kind: 'audio', codec: 'aac', framing: { kind: 'bare' } }],
])('%s cannot be sent', (_name, stream) => {
  expect(() => assertCarried(stream)).toThrow('RTMP cannot carry');
});
