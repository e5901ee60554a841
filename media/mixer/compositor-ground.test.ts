import { afterEach, expect, test, vi } from 'vitest';
import { colorAt, compositorOf, disposeOpened, expectColor, look, Sender } from '#test/support/composed.ts';
import { plainPng } from '#test/support/png.ts';
import type { Compositor } from './compositor.ts';

afterEach(disposeOpened);

test('a background image fills what no input covers, and comes back when they go', async () => {
  const compositor = compositorOf({ backgroundImage: tinyPng, layout: { ...look.layout, fitPolicy: 'letterbox' } });
  await showsBehind(compositor, '#ff0000');
  const sender = new Sender(compositor, 1);
  sender.show('#2020c0', 180, 320);
  compositor.paint(33);
  expectColor(compositor.canvas, 320, 100, '#2020c0');
  expectColor(compositor.canvas, 20, 20, '#ff0000');
  compositor.drop(1);
  compositor.paint(66);
  expectColor(compositor.canvas, 320, 100, '#ff0000');
});

/** An image is read beside the pictures. */
function showsBehind(compositor: Compositor, color: string): Promise<void> {
  return vi.waitFor(() => {
    compositor.paint(0);
    expectColor(compositor.canvas, 20, 20, color);
  }, 10_000);
}

test('an image that was read is not read again when something else changes', async () => {
  const image = Buffer.from(tinyPng);
  const compositor = compositorOf({ backgroundImage: image });
  await showsBehind(compositor, '#ff0000');
  const other = Buffer.from(image);
  compositor.setLook({ ...look, backgroundImage: other, hasLabels: false, maxInputs: 3 });
  compositor.paint(0);
  expectColor(compositor.canvas, 20, 20, '#ff0000');
  // A look that says nothing of it keeps it, where it says so.
  compositor.setLook({ ...look, maxInputs: 4 }, true);
  compositor.paint(0);
  expectColor(compositor.canvas, 20, 20, '#ff0000');
  compositor.setLook({ ...look, backgroundImage: Buffer.from('none') });
  await showsBehind(compositor, look.backgroundColor);
});

test('pictures go on while the largest image is read, whatever the size of the view becomes meanwhile', async () => {
  const compositor = compositorOf();
  const large = { ...look, backgroundColor: '#20a020', backgroundImage: plainPng(4_096, [200, 30, 30]) };
  compositor.setLook(large);
  compositor.paint(0);
  // What was there.
  expectColor(compositor.canvas, 20, 20, look.backgroundColor);
  for (let side = 320; side > 160; side -= 2) compositor.resize(side, side);
  compositor.paint(33);
  // There was none of this size.
  expectColor(compositor.canvas, 20, 20, '#20a020');
  await showsBehind(compositor, '#c81e1e');
  expect(compositor.paint(66)).toBe(false);
}, 20_000);

test('names and initials of many who come at once are drawn over several pictures', () => {
  const compositor = compositorOf({ maxInputs: 25 });
  const events = { keyFrameWanted: () => undefined, sized: () => undefined };
  for (let id = 1; id <= 25; id++) {
    compositor.put({ inputId: id, name: `Participant ${id}`, isShared: false, isMuted: true }, events);
  }
  /** Where the disc of each is, besides its letter. */
  const drawn = () => {
    const isDisc = (id: number) =>
      colorAt(compositor.canvas, (id % 5) * 128 + 56, Math.floor(id / 5) * 72 + 22)[0] === 90;
    return Array.from({ length: 25 }, (_, id) => isDisc(id)).filter(Boolean).length;
  };
  compositor.paint(0);
  expect(drawn()).toBeGreaterThan(0);
  expect(drawn()).toBeLessThan(25);
  // A name and a disc of each: one of them a picture where the machine has no more time.
  for (let n = 1; n <= 50 && drawn() < 25; n++) compositor.paint(n * 33);
  expect(drawn()).toBe(25);
  // Another layout and back: what is known is not drawn again.
  compositor.setLook({ ...look, maxInputs: 25, layout: { ...look.layout, base: 'lecture' } });
  compositor.paint(2_000);
  compositor.setLook({ ...look, maxInputs: 25 });
  compositor.paint(2_033);
  expect(drawn()).toBe(25);
});

/** One red pixel. */
const tinyPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==',
  'base64',
);
