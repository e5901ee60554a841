// Compares docs/errors.md with the error table. May import: its neighbours, the table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorTable } from '#core/errors.ts';
import { projectDir } from './source-files.ts';

test('docs/errors.md has every code with its statuses, and no other', () => {
  const page = readFileSync(join(projectDir, 'docs', 'errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (\d+) \| (\w+) \| (yes|no) \| (.+) \|$/gm)];
  const documented = rows.map(([, code, http, sip, blame, again]) => ({
    code,
    http: Number(http),
    sip: Number(sip),
    blame,
    isRetryable: again === 'yes',
  }));
  const table = Object.entries(errorTable).map(([code, { http, sip, blame, ...rest }]) => ({
    code,
    http,
    sip,
    blame,
    isRetryable: 'retryable' in rest,
  }));
  expect(documented).toEqual(table);
});
