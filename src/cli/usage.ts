// Owns: what `--help` and a wrong command show. May import: ./command.
import type { Command, Options } from './command.ts';

/** What every command that talks to the gateway takes. */
const commonOptions: Options = {
  url: { value: 'URL', summary: 'of the gateway; SWITCHYARD_URL, or http://localhost:8080' },
  'port-base': { value: 'N', summary: 'instead of the URL: a gateway on this machine that was started with it' },
  key: { value: 'KEY', summary: 'API key; better in SWITCHYARD_ADMIN_KEY, since others see the command line' },
  'key-file': { value: 'FILE', summary: 'file with the API key in it' },
  json: { summary: 'prints JSON, for programs' },
  help: { summary: 'says this' },
};

const storeOptions: Options = {
  offline: { summary: 'works on the store in the data folder instead of asking the gateway' },
  data: { value: 'DIR', summary: 'the data folder, ./data unless said' },
};

export const exitCodes = { done: 0, refused: 1, wrongUsage: 2, unreachable: 3 } as const;

export const optionsOf = ({ options, isForStore }: Command): Options => ({
  ...options,
  ...(isForStore && storeOptions),
  ...commonOptions,
});

export function usageOf(command: Command): string {
  const options = Object.entries(optionsOf(command)).map(([name, { value, summary }]) => ({
    left: `--${name}${value === undefined ? '' : ` ${value}`}`,
    summary,
  }));
  const width = Math.max(...options.map(({ left }) => left.length));
  const lines = options.map(({ left, summary }) => `  ${left.padEnd(width)}  ${summary}`);
  const head = ['switchyard', command.name, ...command.positionals, '[flags]'].join(' ');
  return `Usage: ${head}\n\n${command.summary}\n\n${lines.join('\n')}\n`;
}

export function listOf(commands: readonly Command[]): string {
  const lines = commands.map((command) => ({
    left: [command.name, ...command.positionals].join(' '),
    summary: command.summary,
  }));
  const width = Math.max(...lines.map(({ left }) => left.length));
  return lines.map(({ left, summary }) => `  switchyard ${left.padEnd(width)}  ${summary}\n`).join('');
}
