// Owns: finding links in Markdown that lead nowhere. May import: builtins.
import { posix } from 'node:path';

/**
 * Checks links to files and to headings; those to other sites are not followed.
 * @param path of the page, relative to the project
 * @param text of the page
 * @param read gives a file's text, '' for a folder, undefined where there is nothing; relative to the project
 * @returns one line for each dead link
 */
export function deadLinks(path: string, text: string, read: (path: string) => string | undefined): string[] {
  const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)/gm)].map(
    (m) => m[1] ?? m[2] ?? '',
  );
  return targets
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .filter((target) => {
      const [file = '', heading] = target.split('#');
      const page = file === '' ? text : read(posix.join(posix.dirname(path), decodeURI(file)));
      return page === undefined || (heading !== undefined && file.match(/\.md$|^$/) && !headingsOf(page).has(heading));
    })
    .map((target) => `${path} links to ${target}, which is not there`);
}

/** Heading anchors as the usual renderers make them. */
function headingsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+\s+(.*)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    ),
  );
}
