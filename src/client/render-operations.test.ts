import { expect, test } from 'vitest';
import { renderOperations, renderTypes, type Schema, typeOf } from './render-operations.ts';

test.each<[Schema, string]>([
  [{ type: 'integer' }, 'number'],
  [{ type: ['string', 'null'] }, '(string | null)'],
  [{ enum: ['a', 1, null] }, '("a" | 1 | null)'],
  [{ $ref: '#/components/schemas/Room' }, 'Room'],
  [{ type: 'array', items: { type: 'boolean' } }, 'readonly (boolean)[]'],
  [{ type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] }, 'readonly [string, number]'],
  [{ anyOf: [{ type: 'string' }, { type: 'string' }, { const: 5 }] }, '(string | 5)'],
  [{ type: 'object', additionalProperties: { type: 'string' } }, '{ [name: string]: string }'],
  [
    { type: 'object', properties: { 'a-b': {}, c: { type: 'null' } }, required: ['c'] },
    '{ "a-b"?: unknown | undefined; c: null; }',
  ],
  [
    { type: 'object', properties: { a: { description: 'Ends */ here.', type: 'string' } } },
    '{ /** Ends * / here. */ a?: string | undefined; }',
  ],
  [{}, 'unknown'],
])('%j is %s', (schema, type) => {
  expect(typeOf(schema)).toBe(type);
});

test('an operation has its path, query and body, and a merge patch is sent as one', () => {
  const parameters = [
    { name: 'room', in: 'path', required: true, schema: { type: 'string' } },
    { name: 'limit', in: 'query', schema: { type: 'integer' } },
    { name: 'if-match', in: 'header', schema: { type: 'string' } },
  ];
  const body = { schema: { $ref: '#/components/schemas/RoomPatch' } };
  const content = { 'application/json': body, 'application/merge-patch+json': body };
  const responses = { 200: { content: { 'application/json': { schema: { type: 'string' } } } }, 404: {} };
  const patch = { operationId: 'patchRoom', parameters, requestBody: { required: true, content }, responses };
  const document = { paths: { '/api/rooms/{room}': { patch } }, components: { schemas: {} } };
  expect(renderOperations(document)).toContain(
    'patchRoom: ["PATCH","/api/rooms/{room}","application/merge-patch+json"],',
  );
  expect(renderTypes(document)).toContain(
    'patchRoom: { input: { room: string; query?: { limit?: number | undefined; } | undefined; body: RoomPatch; }; output: string };',
  );
});
