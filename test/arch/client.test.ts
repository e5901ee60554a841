// The client that is published is the one of the routes there are. `npm run generate:client` writes it anew.
import { expect, test } from 'vitest';
import { type OpenApiDocument, renderOperations, renderTypes } from '../../src/client/render-operations.ts';
import { someApi } from '../support/some-api.ts';

test('the client has the operations and types of the OpenAPI document', { timeout: 60_000 }, async () => {
  const { call } = await someApi();
  const document = (await call('GET', '/openapi.json')).json as OpenApiDocument;
  const advice = 'The API has changed: run `npm run generate:client` and commit src/client.';
  await expect(renderOperations(document), advice).toMatchFileSnapshot('../../src/client/operations.mjs', advice);
  await expect(renderTypes(document), advice).toMatchFileSnapshot('../../src/client/operations.d.mts', advice);
});
