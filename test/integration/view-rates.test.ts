// Views at rates other than the usual 30, of a camera that really brings 50 or 60 pictures a second, each with its number.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CameraPeer } from '#test/support/camera-peer.ts';
import type { SeenPicture } from '#test/support/room-viewer.ts';
import { startViewStack, type ViewStack, ViewWatcher } from '#test/support/view-stack.ts';

const clockRateHz = 90_000;
let stack: ViewStack;

beforeAll(async () => {
  stack = await startViewStack({ workers: 1 });
});

afterAll(() => stack.close());

const stepsOf = (values: readonly number[]) => values.slice(1).map((value, n) => value - (values[n] ?? 0));
const shareOf = (steps: readonly number[], isSo: (step: number) => boolean) => steps.filter(isSo).length / steps.length;

/** What is wrong with a second of a view; by its own time stamps, however late anybody saw it. */
function faultsOf(pictures: readonly SeenPicture[], viewHz: number, cameraHz: number): string[] {
  const ticks = stepsOf(pictures.map(({ rtpTimestamp }) => rtpTimestamp)).map(
    (step) => ((step >>> 0) * viewHz) / clockRateHz,
  );
  // The camera counts to 255.
  const numbers = stepsOf(pictures.map(({ number }) => number)).map((step) => step & 255);
  const [passedTicks, cameraPictures] = [ticks, numbers].map((steps) => steps.reduce((sum, step) => sum + step, 0));
  const madeHz = (ticks.length / (passedTicks ?? 0)) * viewHz;
  const seenHz = ((cameraPictures ?? 0) / (passedTicks ?? 0)) * viewHz;
  const each = cameraHz / viewHz;
  const checks: readonly (readonly [isFine: boolean, fault: string])[] = [
    [madeHz > 0.9 * viewHz && madeHz < 1.01 * viewHz, `${madeHz} pictures a second`],
    [ticks.every((step) => Math.abs(step - Math.round(step)) < 0.02), `not all at a tick: ${ticks}`],
    [shareOf(ticks, (step) => Math.round(step) === 1) > 0.9, `more than a tick apart: ${ticks}`],
    [Math.abs(seenHz - cameraHz) < 0.1 * cameraHz, `the camera's counter goes on by ${seenHz} a second`],
    // Each is of its own moment: none is seen twice, or falls behind and catches up.
    [shareOf(numbers, (step) => step > 0 && Math.abs(step - each) < 1) > 0.8, `unevenly of the camera: ${numbers}`],
  ];
  return checks.flatMap(([isFine, fault]) => (isFine ? [] : [fault]));
}

function restart(camera: CameraPeer): void {
  camera.freeze();
  camera.resume();
}

test.each([
  [25, 50],
  [25, 60],
  [50, 50],
  [50, 60],
  [60, 60],
])(
  'a view of %i makes as many evenly spaced pictures a second of a camera of %i, each of its moment',
  async (viewHz, cameraHz) => {
    const room = await stack.openRoom();
    const video = { width: 640, height: 360, framerateHz: viewHz, codec: 'h264' } as const;
    await stack.views.ofRooms.change(room.id, 'common', { video });
    const camera = await CameraPeer.join(room, { name: 'fast', color: '#206080', framerateHz: cameraHz });
    const watcher = await ViewWatcher.watch(stack, room);
    const { viewer } = watcher;
    // A busy machine leaves gaps of its own, now here and now there: what we do wrong would be so each time.
    let faults: string[] = ['nothing seen'];
    for (let round = 0; round < 40 && faults.length > 0; round++) {
      const from = viewer.pictures.length;
      await viewer.until(({ pictures }) => pictures.length > from + viewHz);
      faults = faultsOf(viewer.pictures.slice(from), viewHz, cameraHz);
      // Where the two beat at the same moment, what is a millisecond late comes with the next: they are set apart anew.
      if (faults.length > 0) restart(camera);
    }
    expect(faults).toEqual([]);
    watcher.close();
    await camera.close();
    await room.close();
  },
  120_000,
);
