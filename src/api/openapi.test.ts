import { strict as assert } from 'node:assert';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, test } from 'vitest';
import { errorTable } from '#core/errors.ts';
import { someApi } from '#test/support/some-api.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, unknown> }>;
}

async function someDocument() {
  const api = await someApi();
  const { json } = await api.call('GET', '/openapi.json');
  const operations = Object.entries<Record<string, Operation>>(json.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return { ...api, document: json, operations };
}

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1, references and all', async () => {
    const { document } = await someDocument();
    assert.equal(document.openapi, '3.1.0');
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
    validator.resolveRefs();
  });

  test('has every route that the application has', async () => {
    const { app, operations } = await someDocument();
    const documented = operations.map(({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`);
    const pages = [
      '/',
      '/console',
      '/r/:room',
      '/docs',
      '/docs/init.js',
      '/docs/:file',
      '/assets/*',
      '/client/:file',
      '/openapi.json',
    ];
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !pages.includes(path))
      .map(({ method, path }) => `${method.toLowerCase()} ${path}`);
    assert.deepEqual(documented.sort(), [...new Set(routes)].sort());
  });

  test('names each operation once and explains it, with its path parameters and refusals', async () => {
    const { operations } = await someDocument();
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { path, operation } of operations) {
      assert.ok(operation.summary.length > 3, operation.operationId);
      const named = operation.parameters?.filter((parameter) => parameter.in === 'path').map(({ name }) => name) ?? [];
      assert.deepEqual(
        named,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        path,
      );
      for (const [status, { content, description }] of Object.entries(operation.responses)) {
        assert.ok(description, `${operation.operationId} ${status}`);
        if (Number(status) < 400 || operation.operationId === 'readReadiness') continue;
        assert.deepEqual(
          Object.keys(content ?? {}),
          ['application/problem+json'],
          `${operation.operationId} ${status}`,
        );
      }
    }
  });

  test('asks for a credential everywhere but where none is needed', async () => {
    const { document, operations } = await someDocument();
    assert.deepEqual(document.security, [{ bearer: [] }, { authToken: [] }]);
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path);
    assert.deepEqual(open.sort(), ['/api/login', '/api/rooms/{room}/guest-tokens', '/health', '/ready']);
    for (const { path, operation } of operations) {
      assert.equal('401' in operation.responses, !['/health', '/ready'].includes(path), path);
    }
  });

  test('knows only codes of the error table', async () => {
    const { operations } = await someDocument();
    for (const { operation } of operations) {
      for (const { description } of Object.values(operation.responses)) {
        for (const [, code] of description.matchAll(/\(`(\w+)`\)/g)) assert.ok(code && code in errorTable, code);
      }
    }
  });
});
