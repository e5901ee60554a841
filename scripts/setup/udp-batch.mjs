/**
 * The media workers' cheap way to send and receive UDP, compiled from media/native/udp-batch.c where there is a C
 * compiler. Without it everything works the same at a higher price, so nothing here ever fails a start.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashFiles, projectDir, readIfThere } from './cache.mjs';

const source = join('media', 'native', 'udp-batch.c');
const folder = join(projectDir, '.cache');
const target = join(folder, 'udp-batch.node');
const stamp = join(folder, 'udp-batch.built-from');
const compileTimeoutMs = 60_000;

export function ensureUdpBatch() {
  if (process.platform !== 'linux') return;
  const wanted = `${process.arch} ${hashFiles(projectDir, [source])}`;
  if (existsSync(target) && readIfThere(stamp) === wanted) return;
  mkdirSync(folder, { recursive: true });
  // Under another name first: a media worker that starts meanwhile sees all of it or none.
  const fresh = `${target}.${process.pid}`;
  const options = ['-O2', '-shared', '-fPIC', '-o', fresh, join(projectDir, source)];
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
