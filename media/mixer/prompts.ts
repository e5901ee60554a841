// Owns: recordings by name and language: the operator's where there is one, ours otherwise, decoded once.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSoundFile } from '../av/sound-file.ts';
import { decodeRecording } from './recording.ts';

const ownFolder = fileURLToPath(new URL('../prompts/', import.meta.url));
const fallbackLanguage = 'en';
/** Music knows no language. */
const anyLanguage = 'any';
const maxSeconds = 600;
const maxFileBytes = 20 * 1024 * 1024;

export class Prompts {
  readonly #folders: readonly string[];
  readonly #known = new Map<string, Int16Array>();

  constructor(folder: string | undefined) {
    this.#folders = folder === undefined ? [ownFolder] : [folder, ownFolder];
  }

  /** @param name as `promptNamePattern` has it @returns 48 kHz mono; empty where there is no such recording or it cannot be read */
  get(name: string, language: string): Int16Array {
    const key = `${language}/${name}`;
    const known = this.#known.get(key);
    if (known) return known;
    const found = this.#load(name, language);
    this.#known.set(key, found);
    return found;
  }

  #load(name: string, language: string): Int16Array {
    for (const wanted of [language, anyLanguage, fallbackLanguage]) {
      for (const folder of this.#folders) {
        for (const file of filesOf(join(folder, wanted), name)) {
          const samples = read(file);
          if (samples) return samples;
        }
      }
    }
    return new Int16Array(0);
  }
}

/** Whatever their extension; ours are small Opus files that need no demuxer. */
function filesOf(folder: string, name: string): string[] {
  try {
    const names = readdirSync(folder).filter(
      (file) => file.startsWith(`${name}.`) && !file.slice(name.length + 1).includes('.'),
    );
    return names.sort().map((file) => join(folder, file));
  } catch {
    // There is no such language here.
    return [];
  }
}

/** @returns 48 kHz mono @throws Error that says what is wrong with it */
export function readRecording(file: string): Int16Array {
  const bytes = readFileSync(file);
  if (bytes.length > maxFileBytes) throw new Error(`larger than ${maxFileBytes / 1024 / 1024} MB`);
  return decodeRecording(bytes) ?? decodeSoundFile(file, { sampleRateHz: 48_000, channels: 1 }, maxSeconds);
}

function read(file: string): Int16Array | undefined {
  try {
    return readRecording(file);
  } catch {
    // It was all right when the gateway started, and is not any more: the next one is tried.
    return undefined;
  }
}
