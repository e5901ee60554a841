import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { AmfEcmaArray, type AmfObject, type AmfValue, decodeAmf0, encodeAmf0, objectOf } from './amf0.ts';

const { value: anyValue } = fc.letrec<{ value: AmfValue; object: AmfObject; array: AmfValue[] }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.double(),
    fc.boolean(),
    fc.string(),
    fc.constant(null),
    fc.constant(undefined),
    tie('object'),
    tie('array'),
  ),
  // An empty key cannot be told from the end of the object.
  object: fc.dictionary(fc.string({ minLength: 1 }), tie('value'), { maxKeys: 5, noNullPrototype: false }),
  array: fc.array(tie('value'), { maxLength: 5 }),
}));

test('values come back as they were sent', () => {
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 6 }), (values) => {
      const limits = { maxDepth: 1_000, maxValues: 1_000_000 };
      expect(withoutPrototypes(decodeAmf0(encodeAmf0(values), limits))).toEqual(withoutPrototypes(values));
    }),
  );
});

test('an ECMA array is read as an object, a string of 70 000 bytes as a long string', () => {
  const text = 'x'.repeat(70_000);
  const [metadata, long] = decodeAmf0(encodeAmf0([new AmfEcmaArray({ width: 1280 }), text]));
  expect(objectOf(metadata)?.width).toBe(1280);
  expect(long).toBe(text);
});

test('any bytes give values or an invalid_request, never another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        decodeAmf0(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test.each([
  ['an object without its end', Buffer.from('0300016105', 'hex')],
  ['an array of 2^32-1 values', Buffer.from('0affffffff', 'hex')],
  ['arrays nested 20 000 deep', Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from('0a00000001', 'hex')))],
  ['an array of nulls past the limit', Buffer.concat([Buffer.from('0a00002000', 'hex'), Buffer.alloc(8_192, 5)])],
  ['a number of seven bytes', Buffer.from('0000000000000000', 'hex')],
  ['a reference', Buffer.from('070001', 'hex')],
])('%s is refused', (_name, bytes) => {
  expect(() => decodeAmf0(bytes)).toThrow(GatewayError);
});

test('a key named __proto__ is a key', () => {
  const [decoded] = decodeAmf0(
    Buffer.concat([Buffer.of(3, 0, 9), Buffer.from('__proto__'), encodeAmf0([{ polluted: true }]), Buffer.of(0, 0, 9)]),
  );
  expect(Object.keys(objectOf(decoded) ?? {})).toEqual(['__proto__']);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

/** Entries instead of objects, because decoded objects have no prototype and `toEqual` would not see `__proto__`. */
function withoutPrototypes(value: AmfValue): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  const object = objectOf(value);
  return object ? Object.entries(object).map(([key, held]) => [key, withoutPrototypes(held)]) : value;
}
