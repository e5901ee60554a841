/**
 * The Node.js that Switchyard runs on. A machine's own is taken when it is new enough (type stripping, node:sqlite); else
 * the one that the npm registry holds as a package is brought, as docs/adr/0001 says.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheDir, projectDir, withLock } from './cache.mjs';
import { exitCodeOf, runQuietly } from './child-process.mjs';
import { SetupError, step } from './progress.mjs';

const version = '24.21.0';
const oldestMajor = 24;

/**
 * @returns {Promise<string>} path of a node binary that is new enough
 */
export async function ensureRuntime() {
  if (Number.parseInt(process.versions.node, 10) >= oldestMajor) return process.execPath;
  const packageName = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const home = join(cacheDir(), `node-v${version}-${process.platform}-${process.arch}`);
  const node = join(home, 'node_modules', packageName, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(node)) return node;
  return withLock('runtime', async () => {
    if (!existsSync(node)) await bring(packageName, home, node);
    return node;
  });
}

/**
 * The package of the platform is taken by name: `node` itself only picks it in an install script, and no install script
 * runs here.
 * @param {string} packageName
 * @param {string} home
 * @param {string} node
 */
async function bring(packageName, home, node) {
  const fresh = `${home}.fresh`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const whatToDo = `Node.js ${process.versions.node} is too old for Switchyard, and ${packageName}@${version} could not be had from the npm registry.
Install Node.js ${oldestMajor} or newer yourself, or let this machine reach the registry, then run the command again.`;
  const args = [
    'install',
    '--prefix',
    fresh,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ];
  await step(`Bringing Node.js ${version} (this machine has ${process.versions.node})`, () =>
    runQuietly('npm', [...args, `${packageName}@${version}`], { cwd: fresh, whatToDo }),
  );
  const freshNode = join(fresh, node.slice(home.length));
  if (exitCodeOf(freshNode, ['--version']) !== 0) {
    throw new SetupError(`the Node.js ${version} from the npm registry does not run on this machine`, whatToDo);
  }
  rmSync(home, { recursive: true, force: true });
  renameSync(fresh, home);
}

/**
 * The environment in which everything of ours runs: the runtime and the project's own tools come first on the PATH, so
 * that child processes find them too.
 * @param {{ node: string, mediasoupWorker?: string }} tools
 * @returns {NodeJS.ProcessEnv}
 */
export function runtimeEnvironment({ node, mediasoupWorker }) {
  const path = [dirname(node), join(projectDir, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  const compiled = { NODE_COMPILE_CACHE: join(cacheDir(), 'compiled') };
  return { ...process.env, ...compiled, PATH: path, ...(mediasoupWorker && { MEDIASOUP_WORKER_BIN: mediasoupWorker }) };
}
