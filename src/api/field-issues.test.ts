import { strict as assert } from 'node:assert';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { roomPatch, streamingOutInput } from './contract.ts';
import { unfolded } from './field-issues.ts';
import { invalidFields } from './problem.ts';

const told = (schema: z.ZodType, value: unknown): string[] => {
  const { error } = schema.safeParse(value);
  assert.ok(error, 'it fits');
  return invalidFields('body', error.issues).fields.map(({ path, message }) => `${path}: ${message}`);
};

test.each<[string, z.ZodType, unknown, readonly (string | RegExp)[]]>([
  [
    'a key of what may be null',
    roomPatch,
    { transcoding: { video: 1, vdeo: 1 } },
    [/^transcoding\.video: /, 'transcoding.vdeo: is not known here'],
  ],
  ['an item of it', roomPatch, { mediaIn: { audio: ['opus', 'mp3'], video: [] } }, [/^mediaIn\.audio\.1: /]],
  [
    'what is deep in a list',
    roomPatch,
    { views: [{ name: 'a' }, { name: 'b', video: { width: 'x' } }] },
    [/^views\.1\.video\.width: .*received string/],
  ],
  ['another kind of thing', roomPatch, { meeting: 5 }, ['meeting: Invalid input: expected object or null']],
  ['the form that was meant', streamingOutInput, { url: 'x', source: { view: 5 } }, [/^source\.view: /]],
  [
    'none of the forms',
    z.object({ a: z.union([z.strictObject({ b: z.int() }), z.strictObject({ c: z.int() })]) }),
    { a: { d: 1 } },
    ['a: is none of what it may be'],
  ],
  [
    'a union in a union',
    z.object({ a: z.union([z.union([z.object({ b: z.int() }), z.string()]), z.null()]) }),
    { a: { b: 'x' } },
    [/^a\.b: /],
  ],
])('%s is named', (_, schema, value, expected) => {
  const fields = told(schema, value);
  assert.equal(fields.length, expected.length, fields.join('; '));
  for (const [i, one] of expected.entries()) expect(fields[i]).toMatch(one);
});

test('a discriminator that is none stays as it was said', () => {
  const schema = z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') })]);
  const issues = schema.safeParse({ kind: 'b' }).error?.issues ?? [];
  assert.deepEqual(unfolded(issues), issues);
});
