import fc from 'fast-check';
import { ortc } from 'mediasoup';
import { describe, expect, test } from 'vitest';
import type { PayloadTypeLayout } from '#core/ports.ts';
import { roomCodecs, roomRtpCapabilities } from './codecs.ts';
import { layoutCapabilities, planLayout } from './payload-layout.ts';

type LayoutCodec = PayloadTypeLayout['codecs'][number];

const opus = (payloadType: number): LayoutCodec => ({
  kind: 'audio',
  mimeType: 'audio/opus',
  clockRate: 48_000,
  channels: 2,
  payloadType,
});
const video = (name: string, payloadType: number, parameters: Record<string, unknown> = {}): LayoutCodec => ({
  kind: 'video',
  mimeType: `video/${name}`,
  clockRate: 90_000,
  payloadType,
  parameters,
});
const h264 = (payloadType: number, profileLevelId?: string, packetizationMode = 1): LayoutCodec =>
  video('H264', payloadType, {
    'packetization-mode': packetizationMode,
    ...(profileLevelId === undefined ? {} : { 'profile-level-id': profileLevelId }),
  });

/** `96 VP8` for each codec that a router made for this layout lets its transports consume. */
function served(codecs: readonly LayoutCodec[]): string[] {
  const plan = planLayout({ codecs });
  const router = ortc.generateRouterRtpCapabilities(structuredClone([...plan.mediaCodecs]));
  return (layoutCapabilities(plan, router).codecs ?? []).map((codec) => {
    const variant = codec.parameters?.['profile-level-id'] ?? codec.parameters?.['profile-id'];
    const name = codec.mimeType.replace(/^.*\//, '');
    return `${codec.preferredPayloadType} ${name}${variant === undefined ? '' : ` ${variant}`}`;
  });
}

describe('a layout', () => {
  test.each<[string, LayoutCodec[], string[]]>([
    ['of one codec', [opus(111)], ['111 opus']],
    ['with codecs that no room has', [video('H265', 100), video('red', 101), opus(109)], ['109 opus']],
    ['of nothing', [], []],
    [
      'as Chrome offers it',
      [
        opus(111),
        { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8_000, payloadType: 0 },
        video('VP8', 96),
        h264(103, '42001f'),
        h264(107, '42001f', 0),
        h264(109, '42e01f'),
        h264(115, '42e01f', 0),
        h264(117, '4d001f'),
        h264(39, '4d001f', 0),
        video('AV1', 45),
        video('VP9', 98, { 'profile-id': 0 }),
        video('VP9', 100, { 'profile-id': 2 }),
      ],
      [
        '0 PCMU',
        '100 VP9 2',
        '109 H264 42e01f',
        '111 opus',
        '115 H264 42e01f',
        '117 H264 4d0032',
        '45 AV1',
        '96 VP8',
        '98 VP9 0',
      ],
    ],
    ['where VP9 names no profile', [video('VP9', 98)], ['98 VP9 0']],
    ['where H264 names no profile', [video('H264', 102, { 'packetization-mode': 1 })], ['102 H264 42e01f']],
    ['with baseline H264 only', [h264(102, '42001f')], ['102 H264 42e01f']],
    ['with high H264 only', [h264(102, '64001f')], ['102 H264 42e01f']],
    ['with main and high H264', [h264(102, '64001f'), h264(104, '4d001f')], ['102 H264 640032', '104 H264 42e01f']],
    ['with a profile that is none', [h264(102, 'zzz')], []],
    ['whose H264 has packetization mode 0 only', [h264(102, '42e01f', 0)], ['102 H264 42e01f']],
    [
      'whose second codec stands where the RTX of the first would',
      [video('VP8', 110), video('AV1', 100)],
      ['100 AV1', '110 VP8'],
    ],
  ])('%s is served with its own payload types', (_, codecs, expected) => {
    expect(served(codecs).sort()).toEqual(expected.sort());
  });

  test('with the numbers of the room needs no router of its own', () => {
    const codecs = (roomRtpCapabilities.codecs ?? [])
      .filter(({ mimeType }) => !mimeType.endsWith('/rtx'))
      .map(({ preferredPayloadType, ...codec }) => ({ ...codec, payloadType: preferredPayloadType }));
    const plan = planLayout({ codecs });
    expect(plan.key).toBe('room');
    expect(plan.payloadTypes.size).toBe(roomCodecs.length);
  });

  test('has the same key in whatever order it is offered, and another for other numbers', () => {
    const [a, b, c] = [opus(111), video('VP8', 96), h264(102, '42e01f')];
    expect(planLayout({ codecs: [a, b, c] }).key).toBe(planLayout({ codecs: [c, b, a] }).key);
    expect(planLayout({ codecs: [a, b] }).key).not.toBe(planLayout({ codecs: [a, video('VP8', 97)] }).key);
  });

  test('with a payload type that is none is refused', () => {
    expect(() => planLayout({ codecs: [opus(128)] })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  test('of whatever kind makes a router that has every codec of the room, and serves its own numbers only', () => {
    const anyCodec = fc.record({
      codec: fc.constantFrom(...roomCodecs),
      payloadType: fc.oneof(fc.integer({ min: 96, max: 110 }), fc.integer({ min: 0, max: 127 })),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(anyCodec, { selector: ({ payloadType }) => payloadType, maxLength: 40 }),
        (entries) => {
          const codecs = entries.map(({ codec, payloadType }) => ({ ...codec, payloadType }));
          const plan = planLayout({ codecs });
          const router = ortc.generateRouterRtpCapabilities(structuredClone([...plan.mediaCodecs]));
          const capabilities = layoutCapabilities(plan, router);
          const offered = new Set(codecs.map(({ payloadType }) => payloadType));
          for (const { preferredPayloadType } of capabilities.codecs ?? []) {
            expect(offered.has(preferredPayloadType)).toBe(true);
          }
          expect(capabilities.codecs).toHaveLength(plan.payloadTypes.size);
          const videoNames = (codecs: { mimeType: string }[]) =>
            codecs.filter(({ mimeType }) => /^video\/(?!rtx)/.test(mimeType)).map(({ mimeType }) => mimeType);
          expect(videoNames(router.codecs ?? []).sort()).toEqual(videoNames([...roomCodecs]).sort());
        },
      ),
      { numRuns: 500 },
    );
  });
});
