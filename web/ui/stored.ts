// Owns: what a page keeps in the browser. May import: nothing.

/** Private windows and strict settings may refuse storage; a page works without. */
export function readStored(storage: 'local' | 'session', key: string): string | undefined {
  try {
    return store(storage).getItem(`switchyard.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function writeStored(storage: 'local' | 'session', key: string, value: string | undefined): void {
  try {
    if (value === undefined) store(storage).removeItem(`switchyard.${key}`);
    else store(storage).setItem(`switchyard.${key}`, value);
  } catch {
    // As said above: it is then not kept.
  }
}

function store(storage: 'local' | 'session'): Storage {
  return storage === 'local' ? localStorage : sessionStorage;
}
