// Owns: which fonts this machine lacks, asked of the program that draws with them. May import: core.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(import.meta.resolve('#media/font-check.ts'));
const timeoutMs = 20_000;

/** @returns packages of Debian that would bring them */
export async function missingFonts(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: {}, timeout: timeoutMs });
  return JSON.parse(stdout);
}
