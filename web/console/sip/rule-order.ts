// Owns: which rules get which place when one is moved. Pure.

interface Placed {
  readonly id: string;
  /** Lower comes first; those of one order in the order in which they were made. */
  readonly order: number;
}

/**
 * @param rules in the order in which they are tried
 * @param steps -1: one up, 1: one down
 * @returns what has to be changed, the last first: in between no rule passes another that it is not to pass
 */
export function ordersAfterMove(rules: readonly Placed[], id: string, steps: -1 | 1): Placed[] {
  const from = rules.findIndex((rule) => rule.id === id);
  const first = Math.min(from, from + steps);
  const [upper, lower] = rules.slice(Math.max(0, first), first + 2);
  if (from < 0 || first < 0 || !upper || !lower) return [];
  const changed: Placed[] = [];
  let free = (rules[first - 1]?.order ?? -1) + 1;
  for (const rule of [lower, upper, ...rules.slice(first + 2)]) {
    const order = Math.max(rule.order, free);
    if (order !== rule.order) changed.unshift({ id: rule.id, order });
    free = order + 1;
  }
  return changed;
}
