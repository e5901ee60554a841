// Owns: a program that reads every recording of the operator's once and tells which cannot be played:
//   node media/prompt-check.ts FOLDER
// It writes a JSON list of {file, reason}, with `isUnknown` for names that are no prompt's. The gateway starts it, since
// only media processes load the decoders.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promptNamePattern, promptNames } from '#core/leg-media.ts';
import { readRecording } from './mixer/prompts.ts';

interface PromptProblem {
  readonly file: string;
  readonly reason: string;
  /** It would never be played; it may be a note of the operator's to himself. */
  readonly isUnknown: boolean;
  /** Sound, but no name of ours: for menus, unless it is misspelt. */
  readonly isOwn?: true;
}

const [folder = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(problemsOf(folder)));

function problemsOf(root: string): PromptProblem[] {
  try {
    const inside = readdirSync(root, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
    return inside.flatMap((entry) => {
      const path = join(root, entry.name);
      if (!entry.isDirectory()) return [unknown(path, 'recordings belong into a folder named for their language')];
      return readdirSync(path).flatMap((name) => problemOf(path, name));
    });
  } catch (error) {
    return [{ file: root, reason: textOf(error), isUnknown: false }];
  }
}

function problemOf(folder: string, name: string): PromptProblem[] {
  if (name.startsWith('.')) return [];
  const file = join(folder, name);
  const prompt = name.replace(/\.[^.]*$/, '');
  const isOurs = promptNames.some((one) => one === prompt);
  const strange = `"${prompt}" is none of ${promptNames.join(', ')}`;
  if (!isOurs && !promptNamePattern.test(prompt)) return [unknown(file, `${strange}, and no name for one of a menu`)];
  try {
    readRecording(file);
    return isOurs ? [] : [{ file, reason: `${strange}: only a menu can play it`, isUnknown: false, isOwn: true }];
  } catch (error) {
    // One of a menu's, or a note of the operator's to himself.
    if (!isOurs) return [unknown(file, `${strange}, and no recording: ${textOf(error)}`)];
    return [{ file, reason: textOf(error), isUnknown: false }];
  }
}

function unknown(file: string, reason: string): PromptProblem {
  return { file, reason, isUnknown: true };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
