// Owns: the commands that talk to a gateway: finding the one that was typed, running it, telling how it went.
// May import: #client, #core, #config, #store, ./…
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ApiError, createClient, Unreachable } from '#client/index.mjs';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import { type Command, type Given, type KeyDesk, type Outcome, textOf, UsageError } from './command.ts';
import { keyCommands } from './commands/keys.ts';
import { nodeCommands } from './commands/nodes.ts';
import { roomCommands } from './commands/rooms.ts';
import { workCommands } from './commands/work.ts';
import { gatewayKeys, storeKeys } from './key-desks.ts';
import { exitCodes, listOf, optionsOf, usageOf } from './usage.ts';

const commands: readonly Command[] = [...keyCommands, ...roomCommands, ...workCommands, ...nodeCommands];
const defaultUrl = 'http://localhost:8080';

export interface CliOptions {
  /** What follows the program. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly log: Logger;
}

/** For the page of `switchyard help`. */
export const commandList = (): string => listOf(commands);

/** Whether the first word is one of a command here; flags of the gateway come first in no such command. */
export const isCliCommand = ([first]: readonly string[]): boolean =>
  commands.some(({ name }) => name.split(' ')[0] === first);

/** @returns the exit code: 0 done, 1 refused, 2 wrongly typed, 3 nobody answers */
export async function runCli(options: CliOptions): Promise<number> {
  const { args, out, err } = options;
  const isJson = args.includes('--json');
  try {
    const command = find(args);
    const { positionals, given } = read(command, args);
    if (given.help) {
      out(usageOf(command));
      return exitCodes.done;
    }
    const { data, text } = await perform(command, positionals, given, options);
    out(given.json ? `${JSON.stringify(data, undefined, 2)}\n` : `${text}\n`);
    return exitCodes.done;
  } catch (thrown) {
    if (thrown instanceof Help) {
      (thrown.isMistake ? err : out)(thrown.message);
      return thrown.isMistake ? exitCodes.wrongUsage : exitCodes.done;
    }
    const told = tell(thrown);
    err(
      isJson
        ? `${JSON.stringify({ error: { code: told.code, detail: told.detail } })}\n`
        : `${told.detail}\n${told.usage ?? ''}`,
    );
    return told.exitCode;
  }
}

/** @throws UsageError */
function find(args: readonly string[]): Command {
  const [first = '', second = ''] = args;
  const found = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  if (found) return found;
  const near = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (['--help', '-h', ''].includes(second)) throw new Help(`Usage:\n${listOf(near)}`, second === '');
  throw new UsageError(`There is no "switchyard ${first} ${second}". There is:\n${listOf(near)}`.trimEnd());
}

/** `switchyard keys --help`. */
class Help extends Error {
  readonly isMistake: boolean;

  constructor(text: string, isMistake: boolean) {
    super(text);
    this.isMistake = isMistake;
  }
}

class CommandUsageError extends UsageError {
  readonly usage: string;

  constructor(message: string, command: Command) {
    super(message);
    this.usage = `\n${usageOf(command)}`;
  }
}

/** @throws UsageError */
function read(command: Command, args: readonly string[]): { positionals: readonly string[]; given: Given } {
  const options = optionsOf(command);
  try {
    const { values, positionals } = parseArgs({
      args: args.slice(command.name.split(' ').length),
      options: Object.fromEntries(
        Object.entries(options).map(([name, { value }]) => {
          const kind = { type: value === undefined ? ('boolean' as const) : ('string' as const) };
          return [name, name === 'help' ? { ...kind, short: 'h' } : kind];
        }),
      ),
      allowPositionals: true,
    });
    if (!values.help && positionals.length !== command.positionals.length) {
      const wanted = command.positionals.join(' ') || 'nothing';
      throw new UsageError(`switchyard ${command.name} takes ${wanted}, not "${positionals.join(' ')}".`);
    }
    return { positionals, given: values as Given };
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('. To specify');
    throw new CommandUsageError(reason, command);
  }
}

async function perform(
  command: Command,
  positionals: readonly string[],
  given: Given,
  options: CliOptions,
): Promise<Outcome> {
  const { environment, err, log } = options;
  const offline = storeKeys(resolve(textOf(given, 'data') ?? environment.SWITCHYARD_DATA ?? './data'), log);
  const url = urlOf(given, environment);
  const client = createClient({ url: url ?? defaultUrl, token: keyOf(given, environment) });
  const runWith = (keys: KeyDesk) => command.run({ client, keys }, positionals, given);
  try {
    return await (given.offline && command.isForStore ? runWith(offline) : runWith(gatewayKeys(client)));
  } catch (thrown) {
    // Only where the answer can be nobody else's: no other gateway was named, and this machine has no listener there.
    const isDown = thrown instanceof Unreachable && /ECONNREFUSED/.test(thrown.message);
    if (!isDown || !command.isForStore || textOf(given, 'data') === undefined || given.url !== undefined) throw thrown;
    err('No gateway is running there; this was done on the store in the data folder.\n');
    return runWith(offline);
  }
}

/** @throws UsageError */
function urlOf(given: Given, environment: CliOptions['environment']): string | undefined {
  const { SWITCHYARD_URL, SWITCHYARD_PORT_BASE } = environment;
  const based = (base: string | undefined) => (base ? `http://localhost:${base}` : undefined);
  const named =
    textOf(given, 'url') ?? based(textOf(given, 'port-base')) ?? (SWITCHYARD_URL || based(SWITCHYARD_PORT_BASE));
  if (named === undefined) return undefined;
  if (!URL.canParse(named) || !/^https?:$/.test(new URL(named).protocol)) {
    throw new UsageError(
      `"${named}" is no address of a gateway: it looks like http://localhost:8080 or https://meet.example.org.`,
    );
  }
  return named;
}

/** @throws UsageError */
function keyOf(given: Given, environment: CliOptions['environment']): string | undefined {
  const file = textOf(given, 'key-file');
  if (file === undefined) return textOf(given, 'key') ?? environment.SWITCHYARD_ADMIN_KEY;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new UsageError(
      `The key file ${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    );
  }
}

interface Told {
  readonly code: string;
  readonly detail: string;
  readonly exitCode: number;
  readonly usage?: string;
}

/** What went wrong, and what to do about it, for whoever has typed the command. */
function tell(thrown: unknown): Told {
  if (thrown instanceof UsageError) {
    const usage = thrown instanceof CommandUsageError ? { usage: thrown.usage } : {};
    return { code: 'usage', detail: thrown.message, exitCode: exitCodes.wrongUsage, ...usage };
  }
  if (thrown instanceof Unreachable) {
    const advice =
      'Is the gateway running there? Name it by --url, --port-base or SWITCHYARD_URL; `keys` also works with --offline --data DIR.';
    return { code: 'unreachable', detail: `${thrown.message}.\n${advice}`, exitCode: exitCodes.unreachable };
  }
  if (thrown instanceof ApiError) {
    const fields = thrown.errors.map(({ path, message }) => `\n  ${path}: ${message}`).join('');
    return {
      code: thrown.code,
      detail: `${thrown.detail || thrown.message}${fields}${adviceOn(thrown)}`,
      exitCode: exitCodes.refused,
    };
  }
  if (thrown instanceof GatewayError) return { code: thrown.code, detail: thrown.message, exitCode: exitCodes.refused };
  throw thrown;
}

function adviceOn({ status, retryAfterMs }: ApiError): string {
  if (status === 401)
    return '\nGive an API key by SWITCHYARD_ADMIN_KEY or --key-file; `switchyard keys create NAME --scopes admin --offline --data DIR` makes one on the machine of the gateway.';
  if (status === 429 && retryAfterMs !== undefined) return `\nTry again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return '';
}
