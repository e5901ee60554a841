// Owns: /api/sip/accounts, phones that register here. May import: core, ./.. of the API.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { AccountContact, AccountRecord } from '#core/sip-account.ts';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import {
  pageQueryOf,
  type SipAccount,
  sipAccountInput,
  sipAccountList,
  sipAccountParams,
  sipAccountPatch,
  sipAccountSchema,
} from '../contract.ts';
import { patched } from '../patched.ts';
import { apiRoute, jsonBody, jsonInput, mergePatchInput, newRouter } from '../route.ts';
import { nextPage, timeText } from '../views.ts';

const tags = ['SIP accounts'];
const path = '/api/sip/accounts';

const listRoute = apiRoute({
  method: 'get',
  path,
  operationId: 'listSipAccounts',
  tags,
  summary: 'List the accounts of phones',
  access: { scope: 'rooms:read' },
  request: { query: pageQueryOf('SA_') },
  responses: { 200: jsonBody(sipAccountList, 'A page of accounts; passwords are not told.') },
});

const createAccountRoute = apiRoute({
  method: 'post',
  path,
  operationId: 'createSipAccount',
  tags,
  summary: 'Make an account',
  description: 'A phone registers with it at this server, and is called by `{"to": "alice"}` from any room then.',
  access: { scope: 'rooms:write' },
  request: { body: jsonInput(sipAccountInput) },
  responses: { 201: jsonBody(sipAccountSchema, 'Phones may register with it now.') },
  errors: ['conflict', 'limit_reached'],
});

const readRoute = apiRoute({
  method: 'get',
  path: `${path}/{account}`,
  operationId: 'readSipAccount',
  tags,
  summary: 'Read an account and the phones that are registered',
  access: { scope: 'rooms:read' },
  request: { params: sipAccountParams },
  responses: { 200: jsonBody(sipAccountSchema, 'The account.') },
  errors: ['not_found'],
});

const replaceRoute = apiRoute({
  method: 'put',
  path: `${path}/{account}`,
  operationId: 'replaceSipAccount',
  tags,
  summary: 'Replace an account',
  description: 'A password that is left out stays as it was. Disabling it forgets its phones.',
  access: { scope: 'rooms:write' },
  request: { params: sipAccountParams, body: jsonInput(sipAccountInput) },
  responses: { 200: jsonBody(sipAccountSchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const patchRoute = apiRoute({
  method: 'patch',
  path: `${path}/{account}`,
  operationId: 'patchSipAccount',
  tags,
  summary: 'Change an account',
  description: 'What is left out stays, null takes back to the default. Disabling it forgets its phones.',
  access: { scope: 'rooms:write' },
  request: { params: sipAccountParams, body: mergePatchInput(sipAccountPatch) },
  responses: { 200: jsonBody(sipAccountSchema, 'As it is now.') },
  errors: ['not_found', 'conflict'],
});

const deleteRoute = apiRoute({
  method: 'delete',
  path: `${path}/{account}`,
  operationId: 'deleteSipAccount',
  tags,
  summary: 'Delete an account',
  description: 'Calls of its phones go on.',
  access: { scope: 'rooms:write' },
  request: { params: sipAccountParams },
  responses: { 204: { description: 'Gone.' } },
  errors: ['not_found'],
});

export function sipAccountRoutes({ sip: { accounts, phonesOf } }: ApiOptions): OpenAPIHono<ApiEnv> {
  const app = newRouter();
  const shown = (account: AccountRecord) => view(account, phonesOf(account.id));

  app.openapi(listRoute, (c) => {
    const { after = '', limit } = c.req.valid('query');
    const left = accounts.all.filter(({ id }) => id > after).slice(0, limit + 1);
    return c.json(nextPage(left.map(shown), limit), 200);
  });

  app.openapi(createAccountRoute, async (c) => {
    const account = await accounts.create(c.req.valid('json'));
    c.header('location', `${path}/${account.id}`);
    return c.json(shown(account), 201);
  });

  app.openapi(readRoute, (c) => c.json(shown(accounts.get(c.req.valid('param').account)), 200));

  app.openapi(replaceRoute, async (c) => {
    return c.json(shown(await accounts.replace(c.req.valid('param').account, c.req.valid('json'))), 200);
  });

  app.openapi(patchRoute, async (c) => {
    const { id, username, displayName, isEnabled, maxContacts } = accounts.get(c.req.valid('param').account);
    const before = { username, displayName, isEnabled, maxContacts };
    return c.json(shown(await accounts.replace(id, patched(sipAccountInput, before, c.req.valid('json')))), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    await accounts.delete(c.req.valid('param').account);
    return c.body(null, 204);
  });

  return app;
}

function view(account: AccountRecord, contacts: readonly AccountContact[]): SipAccount {
  const { id, username, displayName = null, isEnabled, maxContacts, createdAtMs } = account;
  return {
    ...{ id, username, displayName, isEnabled, maxContacts, isOnline: contacts.length > 0 },
    contacts: contacts.map(({ uri, userAgent, source, registeredAtMs, expiresAtMs }) => {
      return { uri, userAgent, source, registeredAt: timeText(registeredAtMs), expiresAt: timeText(expiresAtMs) };
    }),
    createdAt: timeText(createdAtMs),
  };
}
