import { strict as assert } from 'node:assert';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import fc from 'fast-check';
import { test } from 'vitest';
import { arbitraryOf, type JsonSchema } from './schema-arbitrary.ts';

const schema: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[a-z]{1,8}$' },
    title: { type: ['string', 'null'], minLength: 2, maxLength: 5 },
    count: { type: 'integer', minimum: 3, maximum: 7 },
    gain: { type: 'number', minimum: -40, maximum: 20 },
    kinds: { type: 'array', items: { enum: ['audio', 'video'] }, minItems: 1, maxItems: 2 },
    wish: { anyOf: [{ type: 'boolean' }, { enum: ['auto'] }] },
    url: { type: 'string', format: 'uri' },
    at: { type: 'string', format: 'date-time' },
    bag: { type: 'object', additionalProperties: { type: 'string', maxLength: 3 } },
    other: { $ref: '#/other' },
  },
  required: ['name', 'count'],
  additionalProperties: false,
};
const other: JsonSchema = { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] };

test('every value fits the schema that it was made from', () => {
  const ajv = new Ajv2020({ strict: false, formats: fullFormats });
  const validate = ajv.compile({ ...schema, other });
  fc.assert(
    fc.property(
      arbitraryOf(schema, () => other),
      (value) => assert.ok(validate(value), ajv.errorsText(validate.errors)),
    ),
  );
});

test('what a schema says that is not understood is refused rather than ignored', () => {
  assert.throws(() => arbitraryOf({ type: 'tuple' }, () => other), /no values are known/);
  assert.throws(() => arbitraryOf({ type: 'string', format: 'ipv6' }, () => other), /ipv6/);
});
