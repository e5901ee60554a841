import { expect, test } from 'vitest';
import { chooseSpeakers } from './speaker-choice.ts';

const voice = (levelDbov: number) => ({ levelDbov, score: -127, isChosen: false, holdSteps: 0 });
const quiet = -90;

test('the loudest few are heard, and the silent never', () => {
  const voices = [voice(-30), voice(quiet), voice(-20), voice(-40), voice(-25)];
  expect(chooseSpeakers(voices, 3).map(({ levelDbov }) => levelDbov)).toEqual([-20, -25, -30]);
  expect(voices.map(({ isChosen }) => isChosen)).toEqual([true, false, true, false, true]);
});

test('who pauses for breath stays for 300 ms, then goes', () => {
  const one = voice(-20);
  chooseSpeakers([one], 3);
  one.levelDbov = quiet;
  const steps = Array.from({ length: 20 }, () => chooseSpeakers([one], 3).length);
  expect(steps.indexOf(0)).toBe(14);
});

test('somebody a little louder does not push a speaker out, somebody much louder does', () => {
  const [a, b] = [voice(-30), voice(quiet)];
  chooseSpeakers([a, b], 1);
  b.levelDbov = -27;
  expect(chooseSpeakers([a, b], 1)).toEqual([a]);
  b.levelDbov = -15;
  expect(chooseSpeakers([a, b], 1)).toEqual([b]);
  expect(a.isChosen).toBe(false);
});

test('two who are equally loud do not take turns', () => {
  const voices = [voice(-30), voice(-30)];
  const [first] = chooseSpeakers(voices, 1);
  for (let step = 0; step < 50; step++) {
    for (const one of voices) one.levelDbov = -30 + ((step * 7) % 5) - (one === first ? 4 : 0);
    expect(chooseSpeakers(voices, 1)).toEqual([first]);
  }
});

test('of hundreds the same few are chosen as by putting all in order, whoever was chosen before', () => {
  let seed = 1;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
  const voices = Array.from({ length: 300 }, () => voice(quiet));
  for (let step = 0; step < 100; step++) {
    for (const one of voices) one.levelDbov = -90 + Math.floor(next() * 80);
    const before = new Map(voices.map((one) => [one, one.isChosen]));
    const chosen = chooseSpeakers(voices, 3);
    const rank = (one: ReturnType<typeof voice>) => one.score + (before.get(one) ? 6 : 0);
    const inOrder = voices.filter(({ levelDbov }) => levelDbov > -55).toSorted((a, b) => rank(b) - rank(a));
    const held = voices.filter((one) => one.levelDbov <= -55 && one.isChosen);
    const least = Math.min(...chosen.map(rank));
    expect(chosen).toHaveLength(3);
    expect(voices.filter(({ isChosen }) => isChosen)).toHaveLength(3);
    expect(inOrder.filter((one) => !chosen.includes(one)).every((one) => rank(one) <= least)).toBe(true);
    expect(held.every((one) => chosen.includes(one))).toBe(true);
  }
});
