import { expect, test } from 'vitest';
import { decodeG711, encodeG711, g711Power, g711Silence } from './g711.ts';

const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

test.each(['pcmu', 'pcma'] as const)('%s: every code is the code of its own value', (law) => {
  const samples = new Int16Array(256);
  const again = new Uint8Array(256);
  decodeG711(law, codes, samples);
  encodeG711(law, samples, again);
  const values = new Int16Array(256);
  decodeG711(law, again, values);
  // Both codes of zero in µ-law mean the same.
  expect(values).toEqual(samples);
});

// ITU-T G.711: the extremes and the smallest steps.
test.each([
  ['pcmu', 0x00, -32_124],
  ['pcmu', 0x80, 32_124],
  ['pcmu', 0xff, 0],
  ['pcma', 0x2a, -32_256],
  ['pcma', 0xaa, 32_256],
  ['pcma', 0xd5, 8],
] as const)('%s code %d is %d', (law, code, value) => {
  const samples = new Int16Array(1);
  decodeG711(law, Uint8Array.of(code), samples);
  expect(samples[0]).toBe(value);
});

test.each(['pcmu', 'pcma'] as const)('%s: silence has next to no power, a tone its own', (law) => {
  expect(g711Power(law, new Uint8Array(160).fill(g711Silence[law]))).toBeLessThan(100);
  const tone = Int16Array.from({ length: 160 }, (_, i) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * 440 * i) / 8_000)),
  );
  const bytes = new Uint8Array(160);
  encodeG711(law, tone, bytes);
  expect(Math.abs(10 * Math.log10(g711Power(law, bytes) / (10_000 ** 2 / 2)))).toBeLessThan(1);
});

test.each(['pcmu', 'pcma'] as const)('%s: a tone of any frequency, begun anywhere, has its own power', (law) => {
  const bytes = new Uint8Array(160);
  for (let hz = 50; hz < 3_950; hz += 25) {
    for (let begin = 0; begin < 8; begin++) {
      const angle = (i: number) => (2 * Math.PI * hz * i) / 8_000 + (begin * Math.PI) / 8;
      const tone = Int16Array.from({ length: 160 }, (_, i) => Math.round(10_000 * Math.sin(angle(i))));
      encodeG711(law, tone, bytes);
      const power = tone.reduce((sum, value) => sum + value * value, 0) / tone.length;
      expect(Math.abs(10 * Math.log10(g711Power(law, bytes) / power)), `${hz} Hz`).toBeLessThan(3);
    }
  }
});
