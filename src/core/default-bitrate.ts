// Owns: the bitrate of a video that nobody chose one for. Pure. May import: nothing.

/** kbit/s at 30 frames per second; what lies between is interpolated by area. */
const table: readonly (readonly [width: number, height: number, kbps: number])[] = [
  [176, 144, 132],
  [320, 240, 400],
  [352, 288, 442],
  [480, 320, 533],
  [640, 480, 800],
  [800, 600, 1_137],
  [1_024, 768, 1_736],
  [1_280, 720, 2_000],
  [1_920, 1_080, 4_000],
  [3_840, 2_160, 16_000],
];

/** @returns bit/s; frames beyond 30 per second cost half, as they differ less from each other */
export function defaultBitrateBps(width: number, height: number, framerateHz: number): number {
  const pixels = width * height;
  const points = table.map(([w, h, kbps]) => ({ pixels: w * h, kbps })).sort((a, b) => a.pixels - b.pixels);
  const above = points.find((point) => point.pixels >= pixels) ?? points.at(-1);
  const below = points.findLast((point) => point.pixels <= pixels);
  let kbps = above?.kbps ?? 0;
  if (above && below && above.pixels > below.pixels) {
    const share = (pixels - below.pixels) / (above.pixels - below.pixels);
    kbps = below.kbps + share * (above.kbps - below.kbps);
  } else if (above && !below) {
    kbps = Math.max(64, (above.kbps * pixels) / above.pixels);
  }
  const rate = framerateHz > 30 ? 1 + (framerateHz - 30) / 60 : Math.max(0.3, framerateHz / 30);
  return Math.round(kbps * rate) * 1_000;
}
