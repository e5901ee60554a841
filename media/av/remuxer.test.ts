import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileMuxer, type MuxedPacket } from './muxer.ts';
import { remux } from './remuxer.ts';
import { numberedPicture } from './test-signals.ts';
import { VideoEncoder } from './video-encoder.ts';

const size = { width: 160, height: 96 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-remux-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Key pictures, one for each time. */
function pictures(times: readonly { atMs: number; durationMs: number }[]): MuxedPacket[] {
  using encoder = new VideoEncoder({ codec: 'vp9', ...size, framerateHz: 25, bitrateBps: 200_000 });
  return times.flatMap(({ atMs, durationMs }, n) => {
    encoder.requestKeyFrame();
    using picture = numberedPicture(size.width, size.height, n);
    const packets: MuxedPacket[] = [];
    encoder.encode(picture, n * 40_000, ({ data }) => {
      const atUs = atMs * 1_000;
      packets.push({ stream: 0, ptsUs: atUs, dtsUs: atUs, durationUs: durationMs * 1_000, isKey: true, data });
    });
    return packets;
  });
}

test('a fragment that was said to last up to the second picture of the next one is no obstacle', async () => {
  const written: Buffer[] = [];
  using muxer = new FileMuxer('mp4', [{ codec: 'vp9', ...size }], (bytes) => written.push(bytes));
  const [first, ...rest] = pictures([
    { atMs: 0, durationMs: 80 },
    { atMs: 40, durationMs: 40 },
    { atMs: 80, durationMs: 40 },
    { atMs: 120, durationMs: 40 },
  ]);
  if (first) muxer.write(first);
  muxer.flush();
  for (const packet of rest) muxer.write(packet);
  muxer.finish();
  expect(rest).toHaveLength(3);
  const raw = join(folder, 'raw.mp4');
  await writeFile(raw, Buffer.concat(written));
  // How long the last picture stands is not known of such a file.
  expect(remux(raw, join(folder, 'out.mp4'), 'mp4')?.durationMs).toBe(120);
});
