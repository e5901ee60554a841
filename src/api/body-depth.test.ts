import fc from 'fast-check';
import { expect, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { isNestedDeeperThan, maxBodyDepth } from './body-depth.ts';

test('counts what is open at once, and no bracket of a text', () => {
  expect(isNestedDeeperThan(1, '[[]]')).toBe(true);
  expect(isNestedDeeperThan(1, '[{}]')).toBe(true);
  expect(isNestedDeeperThan(1, '{"a": 1, "[[[": "{{\\"[[", "b": "\\\\"}')).toBe(false);
  expect(isNestedDeeperThan(2, '[[],[],[[')).toBe(true);
  expect(isNestedDeeperThan(0, '"["')).toBe(false);
});

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test('any JSON is as deep as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const depth = depthOf(value);
      const text = JSON.stringify(value);
      expect(isNestedDeeperThan(depth, text)).toBe(false);
      if (depth > 0) expect(isNestedDeeperThan(depth - 1, text)).toBe(true);
    }),
  );
});

test('a body that is deeper than any of ours is refused by what it is, before it is parsed', async () => {
  const { call, admin } = await someApi();
  const nested = (depth: number) => ({
    name: 'deep',
    metadata: JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`),
  });
  const answer = await call('POST', '/api/rooms', { as: admin, json: nested(maxBodyDepth) });
  expect([answer.status, answer.json.code]).toEqual([400, 'invalid_request']);
  expect(answer.json.detail).toMatch(/more than 64 levels deep/);
});
