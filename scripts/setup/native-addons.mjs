/**
 * What media workers do cheaper in C, compiled from media/native where there is a compiler: UDP in batches, H264 of views,
 * x264 called directly, copying and halving pictures. Without them everything works the same at a higher price, so nothing
 * here ever fails a start.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashFiles, projectDir, readIfThere } from './cache.mjs';

const names = ['udp-batch', 'h264-encode', 'x264-encode', 'planes'];
const sources = join('media', 'native');
const headers = readdirSync(join(projectDir, sources))
  .filter((name) => name.endsWith('.h'))
  .sort()
  .map((name) => join(sources, name));
const folder = join(projectDir, '.cache');
const compileTimeoutMs = 60_000;

export function ensureNativeAddons() {
  if (process.platform !== 'linux') return;
  for (const name of names) ensureAddon(name);
}

/** @param {string} name */
function ensureAddon(name) {
  const source = join(sources, `${name}.c`);
  const target = join(folder, `${name}.node`);
  const stamp = join(folder, `${name}.built-from`);
  const wanted = `${process.arch} ${hashFiles(projectDir, [source, ...headers])}`;
  if (existsSync(target) && readIfThere(stamp) === wanted) return;
  mkdirSync(folder, { recursive: true });
  // Under another name first: a media worker that starts meanwhile sees all of it or none.
  const fresh = `${target}.${process.pid}`;
  const options = ['-O2', '-shared', '-fPIC', '-o', fresh, join(projectDir, source), '-ldl'];
  const isCompiled = ['cc', 'gcc', 'clang'].some(
    (compiler) => spawnSync(compiler, options, { stdio: 'ignore', timeout: compileTimeoutMs }).status === 0,
  );
  if (!isCompiled) {
    rmSync(fresh, { force: true });
    return;
  }
  renameSync(fresh, target);
  writeFileSync(stamp, wanted);
}
