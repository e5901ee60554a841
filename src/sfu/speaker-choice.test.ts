import { expect, test } from 'vitest';
import { SpeakerChoice } from './speaker-choice.ts';

type Step =
  | { readonly atMs: number; readonly heard: readonly string[] }
  | { readonly atMs: number; readonly dominant: string }
  | { readonly atMs: number; readonly forget: string }
  | { readonly atMs: number; readonly silent: true };

/** Who is the speaker after each step. */
function speakers(steps: readonly Step[]): (string | null)[] {
  const choice = new SpeakerChoice();
  return steps.map((step) => {
    if ('heard' in step) {
      choice.onLevels(
        step.heard.map((producerId, i) => ({ producerId, levelDbov: -20 - i })),
        step.atMs,
      );
    } else if ('dominant' in step) choice.onDominant(step.dominant, step.atMs);
    else if ('forget' in step) choice.forget(step.forget);
    else choice.onSilence();
    return choice.current;
  });
}

test.each<[string, Step[], (string | null)[]]>([
  ['the only participant is no speaker before a word is said', [{ atMs: 0, dominant: 'a' }], [null]],
  ['whoever is heard first speaks', [{ atMs: 0, heard: ['b'] }], ['b']],
  [
    'the dominant one of two who are heard speaks',
    [
      { atMs: 0, dominant: 'b' },
      { atMs: 300, heard: ['a', 'b'] },
    ],
    [null, 'b'],
  ],
  [
    'a cough does not take the word',
    [
      { atMs: 0, heard: ['a'] },
      { atMs: 300, heard: ['b', 'a'] },
      { atMs: 600, heard: ['a'] },
    ],
    ['a', 'a', 'a'],
  ],
  [
    'the word goes to the new dominant speaker at once',
    [
      { atMs: 0, heard: ['a'] },
      { atMs: 300, heard: ['b', 'a'] },
      { atMs: 400, dominant: 'b' },
    ],
    ['a', 'a', 'b'],
  ],
  [
    'nobody speaks after silence, and the same dominant speaker is back with the next word',
    [
      { atMs: 0, heard: ['a'] },
      { atMs: 10, dominant: 'a' },
      { atMs: 3_000, silent: true },
      { atMs: 9_000, heard: ['a'] },
    ],
    ['a', 'a', null, 'a'],
  ],
  [
    'who was heard once gives way to who goes on, dominant or not',
    [
      { atMs: 0, dominant: 'a' },
      { atMs: 0, heard: ['b'] },
      { atMs: 300, heard: ['a'] },
      { atMs: 1_500, heard: ['a'] },
    ],
    [null, 'b', 'b', 'a'],
  ],
  [
    'who leaves speaks no more',
    [
      { atMs: 0, heard: ['a'] },
      { atMs: 10, forget: 'a' },
      { atMs: 20, dominant: 'a' },
    ],
    ['a', null, null],
  ],
])('%s', (_, steps, expected) => {
  expect(speakers(steps)).toEqual(expected);
});
