import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAddressIn, RangeIndex } from './address-ranges.ts';

const octet = fc.constantFrom(0, 1, 2, 127, 128, 255);
const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const ipv6 = fc
  .tuple(octet, octet, octet)
  .map((parts) => `fd00:${parts.map((part) => part.toString(16)).join(':')}::1`);
const length = (max: number) => fc.constantFrom(1, 7, 8, 9, 16, 24, 31, max);
const range = fc.oneof(
  ipv4,
  ipv6,
  fc.tuple(ipv4, length(32)).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(ipv6, length(128)).map(([address, bits]) => `${address}/${bits}`),
);

test('many ranges are as each of them alone', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), fc.oneof(ipv4, ipv6), (ranges, address) => {
      const index = new RangeIndex(ranges.map((one) => [one, one]));
      const found: string[] = [];
      index.some(address, (one) => found.push(one) < 0);
      expect(found.sort()).toEqual(ranges.filter((one) => isAddressIn(address, [one])).sort());
    }),
  );
});

test('what is no address is in none, and what is no range is refused', () => {
  expect(new RangeIndex([['0.0.0.0/0', 1]]).some('nowhere', () => true)).toBe(false);
  expect(new RangeIndex([['0.0.0.0/0', 1]]).some('::ffff:192.0.2.1', () => true)).toBe(true);
  expect(new RangeIndex().some('192.0.2.1', () => true)).toBe(false);
  expect(() => new RangeIndex([['10.0.0.0/33', 1]])).toThrow(/no address range/);
});
