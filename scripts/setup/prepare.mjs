/** Puts the pieces of set-up together for what is about to be run. */
import { constants } from 'node:os';
import { ensureDependencies } from './dependencies.mjs';
import { ensureMediasoupWorker } from './mediasoup-worker.mjs';
import { ensureNativeAddons } from './native-addons.mjs';
import { ensureRuntime, runtimeEnvironment } from './runtime.mjs';
import { ensureSystemPackages, offerSystemPackages } from './system-packages.mjs';
import { ensureWebBuild } from './web-build.mjs';

/** @type {NodeJS.Signals[]} */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * @typedef {object} Needs
 * @property {boolean} [worker] a mediasoup worker
 * @property {boolean} [web] the built pages
 * @property {boolean} [testPackages] browsers and peers for the tests
 * @property {boolean} [isQuiet] says nothing when everything is there
 */

/**
 * Brings what is missing of the runtime, the dependencies and whatever else is needed.
 * @param {Needs} needs
 * @returns {Promise<{ node: string, env: NodeJS.ProcessEnv }>} what to run our code with
 */
export async function prepare(needs) {
  for (const signal of stopSignals) process.on(signal, stop);
  try {
    return await bring(needs);
  } finally {
    for (const signal of stopSignals) process.off(signal, stop);
  }
}

/** @param {Needs} needs */
async function bring({ worker = false, web = false, testPackages = false, isQuiet = false }) {
  const node = await ensureRuntime();
  const plain = runtimeEnvironment({ node });
  await ensureDependencies(plain);
  if (worker) ensureNativeAddons();
  const mediasoupWorker = worker ? await ensureMediasoupWorker({ isQuiet }) : undefined;
  if (testPackages) await ensureSystemPackages('test');
  if (worker || testPackages) await offerSystemPackages('font', 'views show no names in some scripts');
  if (worker) await offerSystemPackages('encoder', 'views to H264 cost more CPU than they need');
  if (web) await ensureWebBuild(plain);
  return { node, env: runtimeEnvironment({ node, mediasoupWorker }) };
}

/**
 * Leaves in good order in the middle of set-up: what runs is ended and locks are released by their exit listeners.
 * @param {NodeJS.Signals} signal
 */
function stop(signal) {
  process.exit(128 + constants.signals[signal]);
}
