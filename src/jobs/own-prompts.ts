// Owns: which recordings there are to be played by name: ours, and the operator's. May import: core.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promptNamePattern, promptNames } from '#core/leg-media.ts';

/** @param folder `mix.promptsFolder` @returns as they are on the disk now; unreadable folders have none */
export async function knownPrompts(folder: string | undefined): Promise<ReadonlySet<string>> {
  const names = new Set<string>(promptNames);
  if (folder === undefined) return names;
  const languages = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const language of languages.filter((one) => one.isDirectory())) {
    for (const file of await readdir(join(folder, language.name)).catch(() => [])) {
      const name = file.replace(/\.[^.]*$/, '');
      if (promptNamePattern.test(name)) names.add(name);
    }
  }
  return names;
}
