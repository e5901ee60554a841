// Owns: reading the configuration once, from file, environment and flags. May import: zod, yaml and its siblings here.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { portOffsets } from './port-base.ts';
import { type Config, configSchema } from './schema.ts';
import { environmentName, listSettings, type Setting } from './settings.ts';

/** The configuration is wrong; the message lists everything that is, with its path. Shown as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface LoadedConfig {
  readonly config: Config;
  /** What followed the flags: `doctor`, `keys list` … */
  readonly command: readonly string[];
  /** The file it was read from. */
  readonly file: string | undefined;
}

type Layer = Record<string, unknown>;

/** Names that the documentation promises beside the derived ones. */
const environmentAliases: Readonly<Record<string, string>> = {
  SWITCHYARD_ADMIN_KEY: 'auth.adminKey',
};

/**
 * Later ones win: defaults, `--port-base`, file (`--config`, `SWITCHYARD_CONFIG`), environment (`SWITCHYARD_HTTP_PORT`),
 * flags (`--http.port 80`).
 * @param args command line after the program
 * @throws ConfigError
 */
export function loadConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): LoadedConfig {
  const { settings } = listSettings(configSchema);
  const { flags, command } = readFlags(args, settings);
  const file = flags.get('config') ?? environment.SWITCHYARD_CONFIG;
  const portBase = flags.get('port-base') ?? environment.SWITCHYARD_PORT_BASE;

  const layer: Layer = {};
  if (portBase !== undefined) applyPortBase(layer, portBase, settings);
  if (file !== undefined) merge(layer, readFile(file));
  for (const setting of settings) {
    const text = environment[environmentName(setting.path)];
    if (text !== undefined) setAt(layer, setting.path, parseValue(setting, text, environmentName(setting.path)));
  }
  for (const [name, path] of Object.entries(environmentAliases)) {
    if (environment[name] !== undefined) setAt(layer, path.split('.'), environment[name]);
  }
  assertKnownEnvironment(environment, settings);
  for (const setting of settings) {
    const name = setting.path.join('.');
    const text = flags.get(name);
    if (text !== undefined) setAt(layer, setting.path, parseValue(setting, text, `--${name}`));
  }

  const result = configSchema.safeParse(layer);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => {
      const path = issue.path.join('.') || '(top level)';
      return issue.code === 'unrecognized_keys'
        ? `  ${path}: unknown ${issue.keys.length > 1 ? 'keys' : 'key'} ${issue.keys.join(', ')}`
        : `  ${path}: ${issue.message}`;
    });
    throw new ConfigError(`The configuration${file ? ` (${file})` : ''} is not right:\n${lines.join('\n')}`);
  }
  return { config: result.data, command, file };
}

function readFlags(args: readonly string[], settings: readonly Setting[]) {
  const names = ['config', 'port-base', ...settings.map((setting) => setting.path.join('.'))];
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
      allowPositionals: true,
    });
    return { flags: new Map(Object.entries(values as Record<string, string>)), command: positionals };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('. To specify')[0] : String(cause);
    throw new ConfigError(
      `${reason}. Flags are the settings of docs/config.md (--http.port 80), --config and --port-base.`,
      {
        cause,
      },
    );
  }
}

function applyPortBase(layer: Layer, text: string, settings: readonly Setting[]): void {
  const base = Number(text);
  if (!Number.isInteger(base) || base < 1 || base > 65535 - 900) {
    throw new ConfigError(`--port-base: "${text}" is not a port from 1 to ${65535 - 900}.`);
  }
  for (const setting of settings) {
    const offset = portOffsets[setting.path.join('.')];
    if (offset !== undefined) setAt(layer, setting.path, base + offset);
  }
}

function readFile(file: string): Layer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`The configuration file ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    const parsed: unknown = parseYaml(text) ?? {};
    if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new Error('it has to be a mapping of sections');
    return parsed as Layer;
  } catch (cause) {
    throw new ConfigError(`The configuration file ${file} is no YAML: ${(cause as Error).message}`, { cause });
  }
}

/** Text of a flag or variable as the kind of value that the setting wants; the schema judges it afterwards. */
function parseValue(setting: Setting, text: string, where: string): unknown {
  switch (setting.kind) {
    case 'string':
    case 'enum':
      return text;
    case 'array':
      if (!text.trimStart().startsWith('[')) return text === '' ? [] : text.split(',').map((item) => item.trim());
      break;
    case 'number':
    case 'boolean':
    case 'object':
      break;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${where}: "${text}" is no ${setting.kind}.`, { cause });
  }
}

/** A misspelt variable is as wrong as a misspelt key. */
function assertKnownEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  settings: readonly Setting[],
): void {
  const known = new Set([
    'SWITCHYARD_CONFIG',
    'SWITCHYARD_PORT_BASE',
    // Of the command line, where it is a gateway to talk to.
    'SWITCHYARD_URL',
    // The set-up's own, which ours inherits.
    'SWITCHYARD_CACHE',
    'SWITCHYARD_SYSTEM_PACKAGES',
    ...Object.keys(environmentAliases),
    ...settings.map((setting) => environmentName(setting.path)),
  ]);
  // SWITCHYARD_TEST_… belongs to the test suite.
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('SWITCHYARD_') && !name.startsWith('SWITCHYARD_TEST_') && !known.has(name),
  );
  if (unknown.length > 0)
    throw new ConfigError(`Unknown environment variable ${unknown.join(', ')}; see docs/config.md.`);
}

function setAt(layer: Layer, path: readonly string[], value: unknown): void {
  let target = layer;
  for (const key of path.slice(0, -1)) {
    const next = target[key];
    if (typeof next !== 'object' || next === null) target[key] = {};
    target = target[key] as Layer;
  }
  target[path.at(-1) as string] = value;
}

function merge(target: Layer, source: Layer): void {
  for (const [key, value] of Object.entries(source)) {
    const existing = target[key];
    if (isPlainObject(existing) && isPlainObject(value)) merge(existing, value);
    // An empty section in YAML is null and means "all defaults".
    else if (value !== null) target[key] = value;
  }
}

function isPlainObject(value: unknown): value is Layer {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
