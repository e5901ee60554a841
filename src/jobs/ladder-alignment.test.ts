import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import { LadderAlignment } from './ladder-alignment.ts';

const bitratesBps = [2_000_000, 800_000, 300_000];
const pictureUs = 40_000;
const segmentUs = 2_000_000;

function initOf(rung: number): LiveInit {
  const video = { kind: 'video', codecs: `avc1.${rung}`, init: Buffer.from(`v${rung}`), height: 720 >> rung } as const;
  const audio = { kind: 'audio', codecs: 'mp4a.40.2', init: Buffer.from('a') } as const;
  return { muxed: Buffer.from('m'), tracks: rung === 0 ? [video, audio] : [video] };
}

/** Key pictures every two seconds, and one more that somebody has asked this encoding alone for. */
function pictureOf(rung: number, index: number, extraKey = -1): LiveFragment {
  const isKey = index % 50 === 0 || index === extraKey;
  // Times are rounded on the way, in each encoding otherwise.
  return {
    kind: 'video',
    startUs: index * pictureUs + rung * 7,
    durationUs: pictureUs,
    isKey,
    data: Buffer.from([rung]),
  };
}

function aligned() {
  const inits: LiveInit[] = [];
  const out: LiveFragment[] = [];
  const lost: number[] = [];
  const alignment = new LadderAlignment({
    ...{ bitratesBps, segmentUs },
    onInit: (init) => inits.push(init),
    onFragment: (fragment) => out.push(fragment),
    onLost: (rung) => lost.push(rung),
  });
  const of = (rung: number) => out.filter((one) => one.kind === 'video' && (one.rung ?? 0) === rung);
  return { alignment, inits, out, lost, of };
}

test('in whatever order encodings come, all are cut at the same pictures, and none loses or changes places', () => {
  const orders = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 300, maxLength: 900 });
  fc.assert(
    fc.property(orders, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 3, maxLength: 3 }), (order, extras) => {
      const { alignment, inits, of, lost } = aligned();
      const next = [0, 0, 0];
      for (const rung of [2, 0, 1]) alignment.init(rung, initOf(rung));
      for (const rung of order) {
        // None is more than half a second before another.
        if ((next[rung] ?? 0) - Math.min(...next) > 12) continue;
        const index = next[rung] ?? 0;
        alignment.add(rung, pictureOf(rung, index, extras[rung]));
        next[rung] = index + 1;
      }
      expect(lost).toEqual([]);
      expect(inits.length).toBeLessThanOrEqual(1);
      const cuts = bitratesBps.map((_, rung) =>
        of(rung)
          .filter(({ isCut }) => isCut)
          .map(({ startUs }) => startUs - rung * 7),
      );
      expect(cuts[1]).toEqual(cuts[0]);
      expect(cuts[2]).toEqual(cuts[0]);
      expect(cuts[0]?.every((startUs) => startUs % segmentUs === 0)).toBe(true);
      for (const rung of [0, 1, 2]) {
        const steps = of(rung).map(({ startUs }, at, all) => startUs - (all[at - 1]?.startUs ?? startUs - pictureUs));
        expect(steps.every((step) => step === pictureUs)).toBe(true);
        expect(
          of(rung)
            .filter(({ isCut }) => isCut)
            .every(({ isKey }) => isKey),
        ).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('names every encoding with what it was asked to keep to, and lets sound through from the first picture on', () => {
  const { alignment, inits, out } = aligned();
  const sound = (startUs: number): LiveFragment => {
    return { kind: 'audio', startUs, durationUs: 40_000, isKey: true, data: Buffer.from('s') };
  };
  for (const rung of [0, 1, 2]) alignment.init(rung, initOf(rung));
  alignment.add(0, sound(0));
  for (let index = 40; index <= 50; index++) for (const rung of [0, 1, 2]) alignment.add(rung, pictureOf(rung, index));
  alignment.add(0, sound(2_000_000));
  expect(
    inits.map(({ tracks, rungs }) => [...tracks, ...(rungs ?? [])].map((one) => [one.rung, one.bitrateBps])),
  ).toEqual([
    [
      [undefined, 2_000_000],
      [undefined, undefined],
      [1, 800_000],
      [2, 300_000],
    ],
  ]);
  expect(out.filter(({ kind }) => kind === 'audio').map(({ startUs }) => startUs)).toEqual([2_000_000]);
});

test('goes on without an encoding that has stopped or never comes, and with it again when it is back', () => {
  const { alignment, inits, lost, of } = aligned();
  alignment.init(0, initOf(0));
  alignment.init(1, initOf(1));
  let index = 0;
  const run = (rungs: readonly number[], pictures: number) => {
    for (const end = index + pictures; index < end; index++) {
      for (const rung of rungs) alignment.add(rung, pictureOf(rung, index));
    }
  };
  run([0, 1], 450);
  expect(lost).toEqual([2]);
  expect(inits.map(({ rungs }) => rungs?.length)).toEqual([1]);
  run([0], 150);
  expect(lost).toEqual([2, 1]);
  expect(inits.map(({ rungs }) => rungs?.length)).toEqual([1, 0]);
  alignment.init(2, initOf(2));
  run([0, 2], 150);
  expect(inits.map(({ rungs }) => rungs?.map(({ rung }) => rung))).toEqual([[1], [], [2]]);
  const lastCut = (rung: number) => of(rung).findLast(({ isCut }) => isCut)?.startUs;
  expect(lastCut(2)).toBe((lastCut(0) ?? 0) + 14);
});

test('a key picture that one encoding has lost begins all anew, rather than segments that do not belong together', () => {
  const { alignment, inits, of } = aligned();
  for (const rung of [0, 1, 2]) alignment.init(rung, initOf(rung));
  for (let index = 0; index < 500; index++) {
    for (const rung of [0, 1, 2]) {
      const isBroken = rung === 1 && index > 75 && index < 325;
      const picture = pictureOf(rung, index);
      alignment.add(rung, isBroken ? { ...picture, isKey: false } : picture);
    }
  }
  expect(inits.length).toBeGreaterThan(1);
  const cuts = (rung: number) => of(rung).flatMap(({ isCut, startUs }) => (isCut ? [startUs - rung * 7] : []));
  expect(cuts(1)).toEqual(cuts(0));
  expect(cuts(0).at(-1)).toBe(18_000_000);
});
