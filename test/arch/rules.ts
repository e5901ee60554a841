// Owns: the rules about who may import whom, as pure functions over parsed files. May import: source-files.ts.
import type { Import, SourceFile } from './source-files.ts';

export interface PartRule {
  /** Folder or file prefixes of other parts; what lies in the part itself is always allowed. */
  readonly mayImport: readonly string[];
  /** Packages, and builtins as `node:x`; `node:*` stands for every builtin. */
  readonly packages: readonly string[];
}

/** By folder; the longest that a path begins with is the part it belongs to. `gateways/*` is one part for each gateway. */
export type PartTable = Readonly<Record<string, PartRule>>;

const isTest = (path: string) => /\.test\.tsx?$/.test(path);
/** What a test beside the code may use on top of what the code may. */
const forTests: PartRule = {
  mayImport: ['test/support/', 'test/fixtures/'],
  packages: ['vitest', 'fast-check', '@seriousme/openapi-schema-validator', 'node:*'],
};

/** @returns one line for each import that the table does not allow */
export function forbiddenImports(files: readonly SourceFile[], table: PartTable): string[] {
  return files.flatMap((file) => {
    const part = partOf(file.path, table);
    if (!part) return [`${file.path} belongs to no part of the table`];
    const rules = isTest(file.path) ? [part.rule, forTests] : [part.rule];
    return file.imports
      .filter((one) => !rules.some((rule) => allows(rule, part.folder, one)))
      .map((one) => `${file.path} imports ${one.specifier}, which ${part.folder} may not`);
  });
}

function partOf(path: string, table: PartTable): { folder: string; rule: PartRule } | undefined {
  const keys = Object.keys(table).filter((key) => new RegExp(`^${key.replaceAll('*', '[^/]+')}(/|$)`).test(path));
  const key = keys.sort((a, b) => b.length - a.length)[0];
  const rule = key === undefined ? undefined : table[key];
  if (key === undefined || !rule) return undefined;
  return { folder: path.split('/').slice(0, key.split('/').length).join('/'), rule };
}

function allows(rule: PartRule, ownFolder: string, { target, isInProject }: Import): boolean {
  if (isInProject) return [`${ownFolder}/`, ...rule.mayImport].some((prefix) => target.startsWith(prefix));
  return rule.packages.includes(target) || (target.startsWith('node:') && rule.packages.includes('node:*'));
}

/**
 * @returns each cycle of imports that run when a file is loaded, as `a.ts > b.ts > a.ts`, once
 */
export function loadCycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) cycles.push([...trail.slice(seenAt), path].join(' > '));
    if (seenAt >= 0 || finished.has(path)) return;
    for (const { target, when } of byPath.get(path)?.imports ?? [])
      if (when === 'load') visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const { path } of files) visit(path, []);
  return cycles;
}

/** @returns imports of files that are not there */
export function danglingImports(files: readonly SourceFile[], exists: (path: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports
      .filter(({ isInProject, target }) => isInProject && !exists(target))
      .map(({ specifier }) => `${path} imports ${specifier}, which is not there`),
  );
}

/** @returns one line for each file whose name does not say what it holds, or is not in kebab-case */
export function badNames(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const vague = path.split('/').find((step) => /^(utils?|helpers?|common|misc|shared)(\.|$)/.test(step));
    if (vague) return [`${path}: "${vague}" says nothing about what it holds`];
    return path.split('/').every((step) => /^[a-z0-9]+([.-][a-z0-9]+)*$/.test(step))
      ? []
      : [`${path} is not in kebab-case`];
  });
}
