import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { EncoderRequest } from '#core/view-messages.ts';
import { disposeOpened, filled, opened } from '#test/support/composed.ts';
import { EncoderRegistry } from './encoder-registry.ts';

afterEach(disposeOpened);

const request: EncoderRequest = {
  codec: 'vp9',
  profile: 'baseline',
  width: 640,
  height: 360,
  framerateHz: 30,
  bitrateBps: 500_000,
  keyFrameIntervalS: 100,
};

function registryOf(): EncoderRegistry {
  const registry = new EncoderRegistry();
  opened.push(registry);
  return registry;
}

const silent = { onUnit: () => undefined };

test.each(['vp8', 'vp9'] as const)(
  'while an encoder of %s is opened pictures go on, and then it is there',
  async (codec) => {
    const registry = registryOf();
    let pictures = 0;
    const other = registry.tap(
      { ...request, codec: 'h264' },
      {
        onUnit: () => {
          pictures += 1;
        },
      },
    );
    using picture = filled('#c02020', 640, 360);
    let isOpen = false;
    const opening = registry.hold({ ...request, codec }).finally(() => {
      isOpen = true;
    });
    for (let n = 0; !isOpen; n++) {
      registry.encode(picture, n * 33_333, 33_333);
      await nextTurn();
    }
    // It is opened on another thread: at least one turn of this one went by.
    expect(pictures).toBeGreaterThan(1);
    const held = await opening;
    expect(registry.size).toBe(2);
    const handle = registry.tap({ ...request, codec }, silent);
    held[Symbol.dispose]();
    expect(registry.stats.map(({ users }) => users)).toEqual([1, 1]);
    for (const one of [handle, other]) one.close();
    expect(registry.size).toBe(0);
  },
);

test('an encoder that is held and not wanted after all is gone, and one of a view that has ended never was there', async () => {
  const registry = registryOf();
  const [one, other] = await Promise.all([registry.hold(request), registry.hold(request)]);
  expect(registry.size).toBe(1);
  for (const held of [one, other]) held[Symbol.dispose]();
  expect(registry.size).toBe(0);
  const late = registry.hold(request);
  registry[Symbol.dispose]();
  await expect(late).rejects.toThrow('closed');
  expect(registry.size).toBe(0);
});

test.each(['vp8', 'vp9'] as const)(
  'another bitrate of %s leaves no picture out: it goes on as it was until its next encoder begins with a key picture',
  async (codec) => {
    const registry = registryOf();
    const keys: boolean[] = [];
    const handle = registry.tap({ ...request, codec }, { onUnit: ({ isKey }) => keys.push(isKey) });
    using picture = filled('#2020c0', 640, 360);
    let made = 0;
    const encode = () => registry.encode(picture, made++ * 33_333, 33_333);
    encode();
    for (const bitrateBps of [300_000, 200_000]) handle.setBitrate(bitrateBps);
    encode();
    expect(keys).toEqual([true, false]);
    // Of the first that was asked for, then of the last.
    while (keys.filter(Boolean).length < 3) {
      await nextTurn();
      encode();
    }
    expect(keys.length).toBe(made);
    for (let n = 0; n < 30; n++) {
      await nextTurn();
      encode();
    }
    expect(keys.filter(Boolean).length).toBe(3);
    expect(registry.stats[0]?.bitrateBps).toBe(200_000);
  },
);
