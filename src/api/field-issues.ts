// Owns: what did not fit, field by field. Pure.

/** What zod says of one field, and what code that checks by itself says in the same way. */
export interface FieldIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  /** With `unrecognized_keys`: which. */
  readonly keys?: readonly string[] | undefined;
  /** With `invalid_type`: what it would have to be. */
  readonly expected?: string | undefined;
  /** With `invalid_union`: why it is none of what it may be, one list for each of them. */
  readonly errors?: readonly (readonly FieldIssue[])[] | undefined;
}

/**
 * Where a field may be one of several things, the field within the one that was meant: whoever misspells a key of an object
 * that may as well be null is not told of the object alone.
 */
export function unfolded(issues: readonly FieldIssue[]): FieldIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || !issue.errors || issue.errors.length === 0) return [issue];
    const meant = issue.errors.filter((forms) => !forms.some(isOfAnotherKind));
    if (meant.length === 0) return [{ ...issue, message: kindsWanted(issue.errors) ?? issue.message }];
    const fewest = Math.min(...meant.map(({ length }) => length));
    const nearest = meant.filter(({ length }) => length === fewest);
    // Of several that are equally near nobody knows which was meant.
    const [only] = nearest;
    if (nearest.length > 1 || !only) return [{ ...issue, message: 'is none of what it may be' }];
    return unfolded(only).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
  });
}

const isOfAnotherKind = ({ path, code }: FieldIssue): boolean =>
  path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');

/** Undefined where that is not said of all. */
function kindsWanted(forms: readonly (readonly FieldIssue[])[]): string | undefined {
  const wanted = forms.map((issues) => issues.find(isOfAnotherKind)?.expected);
  return wanted.includes(undefined) ? undefined : `Invalid input: expected ${[...new Set(wanted)].join(' or ')}`;
}
