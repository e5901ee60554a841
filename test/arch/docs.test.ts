// Follows every link of the documentation. May import: its neighbours.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deadLinks } from './doc-links.ts';
import { listFiles, projectDir } from './source-files.ts';

function read(path: string): string | undefined {
  const full = join(projectDir, path);
  if (!existsSync(full)) return undefined;
  return statSync(full).isDirectory() ? '' : readFileSync(full, 'utf8');
}

test('every link of README.md and docs/ leads somewhere', () => {
  const pages = ['README.md', ...listFiles(['docs'], /\.md$/)];
  expect(pages.flatMap((page) => deadLinks(page, read(page) ?? '', read))).toEqual([]);
});

test('a dead link is found, and only a dead one', () => {
  const pages = new Map([['docs/a.md', '# One way\n']]);
  const text = `
[gone](b.md) [here](a.md) [no such heading](a.md#two) [heading](a.md#one-way) [self](#top) [site](https://example.org/x)
\`[code](c.md)\`
[ref]: d.md
# Top
\`\`\`
[fenced](e.md)
\`\`\``;
  const dead = deadLinks('docs/page.md', text, (path) => pages.get(path));
  expect(dead.map((line) => line.replace(/^.*links to (\S+),.*$/, '$1'))).toEqual(['b.md', 'a.md#two', 'd.md']);
});
