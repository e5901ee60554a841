// Owns: whether an address is in one of several ranges. Pure. May import: core only.
import { NetPolicy } from './net-policy.ts';

const known = new Map<string, NetPolicy>();
const maxKnown = 2_000;

/** @returns why the range is none, for people; undefined for a good one like 10.0.0.0/8 or 2001:db8::1 */
export function flawOfRange(range: string): string | undefined {
  try {
    policyOf([range]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'is no address range';
  }
}

/** @param ranges sound ones: see {@link flawOfRange} */
export function isAddressIn(address: string, ranges: readonly string[]): boolean {
  return ranges.length > 0 && policyOf(ranges).addressProblem(address) === undefined;
}

function policyOf(ranges: readonly string[]): NetPolicy {
  const key = ranges.join();
  const found = known.get(key);
  if (found) return found;
  if (known.size >= maxKnown) known.clear();
  const made = new NetPolicy({ schemes: [], allow: ranges, otherwise: 'deny' });
  known.set(key, made);
  return made;
}
