// Owns: whether an address is in one of several ranges, and what is kept of each of many. Pure. May import: core only.
import { type Bits, NetPolicy, parseAddress, parseRange } from './net-policy.ts';

const known = new Map<string, NetPolicy>();
const knownByList = new WeakMap<readonly string[], NetPolicy>();
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
  if (ranges.length === 0) return false;
  const policy = knownByList.get(ranges) ?? policyOf(ranges);
  knownByList.set(ranges, policy);
  return policy.addressProblem(address) === undefined;
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

/** What is kept of ranges: however many there are, one look for each length that they have, and no more, finds it. */
export class RangeIndex<T> {
  /** By how many bits the range leaves open, then by those that it does not. */
  readonly #byOpenBits = new Map<bigint, Map<Bits, T[]>>();

  /** @throws GatewayError `invalid_request` for a range that is none: see {@link flawOfRange} */
  constructor(entries: Iterable<readonly [range: string, value: T]> = []) {
    for (const [text, value] of entries) {
      const { base, prefixLength } = parseRange(text);
      const openBits = BigInt(128 - prefixLength);
      const ranges = this.#byOpenBits.get(openBits) ?? new Map<Bits, T[]>();
      this.#byOpenBits.set(openBits, ranges);
      const key = base >> openBits;
      const values = ranges.get(key);
      if (values) values.push(value);
      else ranges.set(key, [value]);
    }
  }

  /** Whether one of the ranges that the address is in has such a value. */
  some(address: string, isSuch: (value: T) => boolean): boolean {
    const bits = this.#byOpenBits.size === 0 ? undefined : parseAddress(address);
    if (bits === undefined) return false;
    for (const [openBits, ranges] of this.#byOpenBits) if (ranges.get(bits >> openBits)?.some(isSuch)) return true;
    return false;
  }
}
