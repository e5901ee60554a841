// Owns: which methods a path would take (RFC 9110 §10.2.1). Pure.

interface DeclaredRoute {
  readonly method: string;
  /** Hono's pattern: `/api/rooms/:room`, `/assets/*`. */
  readonly path: string;
}

/** @returns for the Allow header; empty when no route is declared for the path */
export function allowedMethods(routes: readonly DeclaredRoute[], path: string): string[] {
  const segments = path.split('/');
  const methods = new Set<string>();
  for (const route of routes) {
    // ALL is middleware: it passes everything on and takes nothing itself.
    if (route.method === 'ALL' || methods.has(route.method)) continue;
    if (matches(route.path.split('/'), segments)) methods.add(route.method);
  }
  if (methods.size === 0) return [];
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods.add('OPTIONS')].sort();
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.at(-1) === '*') return segments.length >= pattern.length && startsWith(pattern.slice(0, -1), segments);
  return pattern.length === segments.length && startsWith(pattern, segments);
}

function startsWith(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.every((part, i) => (part.startsWith(':') ? segments[i] !== '' : part === segments[i]));
}
