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
