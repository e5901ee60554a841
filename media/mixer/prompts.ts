// Owns: recordings by name and language: the operator's where there is one, ours otherwise, decoded once.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PromptName } from '#core/leg-media.ts';
import { decodeRecording } from './recording.ts';

const ownFolder = fileURLToPath(new URL('../prompts/', import.meta.url));
const fallbackLanguage = 'en';
/** Music knows no language. */
const anyLanguage = 'any';
const extensions = ['wav', 'opus'];
const maxFileBytes = 20 * 1024 * 1024;

export class Prompts {
  readonly #folders: readonly string[];
  readonly #known = new Map<string, Int16Array>();

  constructor(folder: string | undefined) {
    this.#folders = folder === undefined ? [ownFolder] : [folder, ownFolder];
  }

  /** @returns 48 kHz mono; empty where there is no such recording or it cannot be read */
  get(name: PromptName, language: string): Int16Array {
    const key = `${language}/${name}`;
    const known = this.#known.get(key);
    if (known) return known;
    const found = this.#load(name, language);
    this.#known.set(key, found);
    return found;
  }

  #load(name: PromptName, language: string): Int16Array {
    for (const wanted of [language, anyLanguage, fallbackLanguage]) {
      for (const folder of this.#folders) {
        for (const extension of extensions) {
          const samples = read(join(folder, wanted, `${name}.${extension}`));
          if (samples) return samples;
        }
      }
    }
    return new Int16Array(0);
  }
}

function read(file: string): Int16Array | undefined {
  try {
    const bytes = readFileSync(file);
    return bytes.length > maxFileBytes ? undefined : decodeRecording(bytes);
  } catch {
    // Not there, or not to be read: the next one is tried.
    return undefined;
  }
}
