// Owns: the OpenAPI document around the routes. May import: ./version.
import type { OpenAPIHono } from '@hono/zod-openapi';
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

/** From the routes as they were declared. */
export function describeApi(app: OpenAPIHono<ApiEnv>): string {
  const document = app.getOpenAPI31Document({
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
  });
  return JSON.stringify(document);
}
