// Owns: the OpenAPI document around the routes. May import: core, ./version.
import { OpenAPIHono } from '@hono/zod-openapi';
import { nextTurn } from '#core/in-parts.ts';
import type { ApiEnv } from './api-env.ts';
import { version } from './version.ts';

/** How a request says who it is from. */
export function declareCredentials(app: OpenAPIHono<ApiEnv>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'API key (`sk_…`), session token of the console, or join token of a room.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'authToken', {
    type: 'apiKey',
    in: 'header',
    name: 'X-Auth-Token',
    description: 'The same credentials, for clients that cannot set Authorization.',
  });
}

/**
 * From the routes as they were declared, one after the other: all of them at once held up calls and media workers for two
 * seconds, at the word of anybody.
 */
export async function describeApi(app: OpenAPIHono<ApiEnv>): Promise<string> {
  const { definitions } = app.openAPIRegistry;
  const components = new OpenAPIHono();
  for (const definition of definitions) {
    if (definition.type !== 'component') continue;
    components.openAPIRegistry.registerComponent(definition.componentType, definition.name, definition.component);
  }
  const document = components.getOpenAPI31Document(about);
  const paths = { ...document.paths };
  const schemas = { ...document.components?.schemas };
  for (const definition of definitions) {
    if (definition.type !== 'route') continue;
    await nextTurn();
    const one = new OpenAPIHono();
    one.openAPIRegistry.registerPath(definition.route);
    const own = one.getOpenAPI31Document(about);
    for (const [path, operations] of Object.entries(own.paths ?? {})) paths[path] = { ...paths[path], ...operations };
    Object.assign(schemas, own.components?.schemas);
  }
  await nextTurn();
  return JSON.stringify({ ...document, paths, components: { ...document.components, schemas } });
}

const about: Parameters<OpenAPIHono['getOpenAPI31Document']>[0] = {
  openapi: '3.1.0',
  info: {
    title: 'Switchyard',
    version,
    description: [
      'Rooms that browsers, phones, OBS and cameras meet in.',
      'Refusals are problems of RFC 9457 with a `code` for programs and a `detail` that says what to do.',
      'Lists are paged: pass `next` of one page as `after` for the following one.',
    ].join('\n\n'),
    license: { name: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
  security: [{ bearer: [] }, { authToken: [] }],
};
