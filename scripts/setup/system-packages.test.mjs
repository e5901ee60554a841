import { afterEach, expect, test, vi } from 'vitest';
import { ensureSystemPackages, offerSystemPackages } from './system-packages.mjs';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('a machine without apt-get is told what is missing, why, and how to go on', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('SWITCHYARD_SYSTEM_PACKAGES', '');
  const error = await ensureSystemPackages('worker').catch((e) => e);
  expect(error.message).toMatch(/building mediasoup-worker needs packages/);
  expect(error.whatToDo).toMatch(/libuv1-dev +the worker's event loop/);
  expect(error.whatToDo).toContain('SWITCHYARD_SYSTEM_PACKAGES=skip');
  expect(error.whatToDo).toContain('MEDIASOUP_WORKER_BIN');
});

test('who says that the packages are there is believed', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('SWITCHYARD_SYSTEM_PACKAGES', 'skip');
  await expect(ensureSystemPackages('test')).resolves.toBeUndefined();
});

test('a machine that cannot have the fonts is told so, and goes on', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('SWITCHYARD_SYSTEM_PACKAGES', '');
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await offerSystemPackages('font', 'views show no names');
  expect(said.mock.calls.join()).toMatch(/views show no names; .*fonts-noto-cjk/);
});
