// Owns: `switchyard keys …`. May import: #core, ../command, ../table.
import { scopes as allScopes } from '#core/grants.ts';
import { type Command, durationMs, type KeyRow, type NewKeyRow, textOf, UsageError } from '../command.ts';
import { table } from '../table.ts';

const rowOf = ({ id, name, scopes, createdAt, lastUsedAt, expiresAt }: KeyRow) => [
  ...[id, name, scopes.join(','), createdAt, lastUsedAt, expiresAt],
];

const made = (row: NewKeyRow, what: string) => ({
  data: row,
  text: `${row.key}\n${what}; it is shown this once and kept hashed.`,
});

/** @param text a time from now, `30d`, or a date @throws UsageError */
function expiryOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^\d+[a-z]+$/.test(text)) return new Date(Date.now() + durationMs(text, 'expires')).toISOString();
  const date = new Date(text);
  if (Number.isNaN(date.getTime()))
    throw new UsageError(`--expires takes 30d or a date such as 2030-01-31, not "${text}".`);
  return date.toISOString();
}

export const keyCommands: readonly Command[] = [
  {
    name: 'keys list',
    positionals: [],
    options: {},
    summary: 'API keys: their scopes, when they were used last, when they end',
    isForStore: true,
    async run({ keys }) {
      const rows = await keys.list();
      return { data: rows, text: table(['ID', 'NAME', 'SCOPES', 'MADE', 'LAST USED', 'EXPIRES'], rows.map(rowOf)) };
    },
  },
  {
    name: 'keys create',
    positionals: ['NAME'],
    options: {
      scopes: { value: 'a,b', summary: `what it may do: ${allScopes.join(', ')}` },
      expires: { value: 'TIME', summary: '30d, or a date; never unless said' },
    },
    summary: 'makes an API key and shows it this once',
    isForStore: true,
    async run({ keys }, [name = ''], given) {
      const scopes = (textOf(given, 'scopes') ?? '').split(',').filter((scope) => scope !== '');
      const unknown = scopes.find((scope) => !(allScopes as readonly string[]).includes(scope));
      if (unknown !== undefined || scopes.length === 0) {
        const wrong = unknown === undefined ? '--scopes is missing' : `There is no scope "${unknown}"`;
        throw new UsageError(`${wrong}; there are ${allScopes.join(', ')}.`);
      }
      const row = await keys.create({ name, scopes, expiresAt: expiryOf(textOf(given, 'expires')) });
      return made(row, `Key ${row.id} (${row.name})`);
    },
  },
  {
    name: 'keys rotate',
    positionals: ['ID'],
    options: { 'keep-old': { value: 'TIME', summary: 'so long the old secret is good as well: 1h' } },
    summary: 'gives a key a new secret',
    isForStore: true,
    async run({ keys }, [id = ''], given) {
      const keep = textOf(given, 'keep-old');
      const row = await keys.rotate(id, keep === undefined ? 0 : durationMs(keep, 'keep-old'));
      return made(
        row,
        keep === undefined ? 'The old secret is no longer good' : `The old secret is good for ${keep} more`,
      );
    },
  },
  {
    name: 'keys revoke',
    positionals: ['ID'],
    options: {},
    summary: 'deletes a key; whoever has it is refused from now on',
    isForStore: true,
    async run({ keys }, [id = '']) {
      await keys.revoke(id);
      return { data: { id, isRevoked: true }, text: `Key ${id} is no longer good.` };
    },
  },
];
