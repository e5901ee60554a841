// Owns: what a source file says about itself: its imports, its exports, what it reads. May import: vite's parser.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';

export const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path in the project, or the package or builtin it names: `src/core/ids.ts`, `zod`, `node:fs`. */
  readonly target: string;
  readonly isInProject: boolean;
  /** How it is loaded: with the file, when it is asked for, or never (types are stripped). */
  readonly when: 'load' | 'later' | 'never';
}

export interface SourceFile {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
  readonly readsEnvironment: boolean;
}

type SyntaxNode = { readonly type: string } & Readonly<Record<string, unknown>>;

/**
 * @param folders relative to the project; one that is not there holds no files
 * @param namePattern which files count
 * @returns paths relative to the project, with forward slashes, sorted
 */
export function listFiles(folders: readonly string[], namePattern: RegExp): string[] {
  return folders.flatMap((folder) => filesBelow(folder).filter((path) => namePattern.test(path)));
}

function filesBelow(folder: string): string[] {
  if (!existsSync(join(projectDir, folder))) return [];
  return readdirSync(join(projectDir, folder), { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules' && entry.name !== 'dist' && !entry.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

/** @param path relative to the project */
export function readSource(path: string): SourceFile {
  return parseSource(path, readFileSync(join(projectDir, path), 'utf8'));
}

/**
 * @param path relative to the project; decides the language and what relative imports mean
 * @param text of the file; a syntax error is thrown
 */
export function parseSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new SyntaxError(`${path}: ${errors[0].message}`);
  const nodes = [...nodesOf(program)];
  const imports = nodes
    .flatMap(importsOf)
    .map(({ specifier, when }) => ({ ...locate(path, specifier), specifier, when }));
  return {
    path,
    imports,
    hasDefaultExport: nodes.some(isDefaultExport),
    readsEnvironment:
      nodes.some(
        (node) => node.type === 'MemberExpression' && isNamed(node.object, 'process') && isNamed(node.property, 'env'),
      ) || imports.some(({ target, when }) => when !== 'never' && (target === 'node:process' || target === 'process')),
  };
}

function* nodesOf(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  if (!isNode(value)) return;
  yield value;
  for (const child of Object.values(value)) if (typeof child === 'object') yield* nodesOf(child);
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function isNamed(value: unknown, name: string): boolean {
  return isNode(value) && (value.name === name || value.value === name);
}

function isDefaultExport(node: SyntaxNode): boolean {
  return (
    node.type === 'ExportDefaultDeclaration' || (node.type === 'ExportSpecifier' && isNamed(node.exported, 'default'))
  );
}

/**
 * `import { type A }` counts as loaded: verbatimModuleSyntax and type stripping leave `import {}` of it, which runs the
 * other file.
 */
function importsOf(node: SyntaxNode): { specifier: string; when: Import['when'] }[] {
  const specifier = specifierOf(node);
  if (specifier === undefined) return [];
  const isType = node.importKind === 'type' || node.exportKind === 'type' || node.type === 'TSImportType';
  return [{ specifier, when: isType ? 'never' : node.type === 'ImportExpression' ? 'later' : 'load' }];
}

function specifierOf(node: SyntaxNode): string | undefined {
  const source = node.type === 'TSExternalModuleReference' ? node.expression : node.source;
  const canImport =
    /^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression|TSImportType|TSExternalModuleReference)$/;
  if (!canImport.test(node.type) || !isNode(source)) return undefined;
  return typeof source.value === 'string' ? source.value : undefined;
}

const aliases = Object.entries(
  (JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as { imports: Record<string, string> }).imports,
).map(([alias, folder]) => ({ prefix: alias.replace(/\*$/, ''), folder: folder.replace(/^\.\/|\*$/g, '') }));

function locate(importer: string, specifier: string): Pick<Import, 'target' | 'isInProject'> {
  const alias = aliases.find(({ prefix }) => specifier.startsWith(prefix));
  if (alias) return { target: posix.normalize(alias.folder + specifier.slice(alias.prefix.length)), isInProject: true };
  if (specifier.startsWith('.')) {
    return { target: posix.join(posix.dirname(importer), specifier.replace(/\?.*$/, '')), isInProject: true };
  }
  if (specifier.startsWith('node:')) return { target: specifier, isInProject: false };
  const depth = specifier.startsWith('@') ? 2 : 1;
  return { target: specifier.split('/').slice(0, depth).join('/'), isInProject: false };
}
