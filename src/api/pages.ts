// Owns: the pages for people: meeting, console and the API's documentation. May import: ./api-env, ./static-files.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, Hono } from 'hono';
import type { ApiEnv } from './api-env.ts';
import { type StaticFile, StaticFiles } from './static-files.ts';

const projectDir = fileURLToPath(new URL('../..', import.meta.url));

const missingPages = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Pages are not built</title>
<h1>The pages are not built</h1>
<p>The gateway runs, but its pages have not been made yet. Run <code>npm run build:web</code> in the project folder, or
start the gateway with <code>npm start</code>, which does it, and load this page again.</p>
<p>The API works: see <a href="/docs">its documentation</a>.</p>
</html>
`;

const docsPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Switchyard API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/init.js"></script>
  </body>
</html>
`;

const docsScript = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

const docsFiles = new Set(['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'favicon-16x16.png']);

/** The client for programs, to be imported or fetched from the gateway whose API it is for. */
const clientFiles = new Set(['index.mjs', 'index.d.mts', 'operations.mjs', 'operations.d.mts']);

/** @param webRoot folder of the built pages: meeting.html, console.html, assets/ */
export function pageRoutes(webRoot = `${projectDir}web/dist`): Hono<ApiEnv> {
  const web = new StaticFiles(webRoot);
  const swagger = new StaticFiles(dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json'))), (name) =>
    docsFiles.has(name),
  );
  const page = (name: string) => async (c: Context<ApiEnv>) => {
    const file = await web.find(name);
    return file ? serve(c, file) : c.html(missingPages, 503, { 'cache-control': 'no-store' });
  };
  const client = new StaticFiles(`${projectDir}src/client`, (name) => clientFiles.has(name));
  const app = new Hono<ApiEnv>();
  app.get('/', (c) => c.redirect('/console', 302));
  app.get('/console', page('console.html'));
  app.get('/r/:room', page('meeting.html'));
  app.get('/docs', (c) => c.html(docsPage, 200, { 'cache-control': 'no-cache' }));
  app.get('/docs/init.js', (c) => c.body(docsScript, 200, { 'content-type': 'text/javascript; charset=utf-8' }));
  app.get('/docs/:file', async (c, next) => {
    const file = await swagger.find(c.req.param('file'));
    return file ? serve(c, file) : next();
  });
  app.get('/client/:file', async (c, next) => {
    const file = await client.find(c.req.param('file'));
    return file ? serve(c, file, { 'cross-origin-resource-policy': 'cross-origin' }) : next();
  });
  app.get('/assets/*', async (c, next) => {
    const file = await web.find(c.req.path.slice(1));
    return file ? serve(c, file, { 'cross-origin-resource-policy': 'cross-origin' }) : next();
  });
  return app;
}

function serve(c: Context<ApiEnv>, file: StaticFile, extra: Readonly<Record<string, string>> = {}): Response {
  const headers: Record<string, string> = {
    ...extra,
    etag: file.etag,
    'cache-control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
  if (c.req.header('if-none-match')?.includes(file.etag)) return c.body(null, 304, headers);
  headers['content-type'] = file.contentType;
  if (!file.gzipped) return c.body(file.body, 200, headers);
  headers.vary = 'Accept-Encoding';
  if (!/\bgzip\b/.test(c.req.header('accept-encoding') ?? '')) return c.body(file.body, 200, headers);
  return c.body(file.gzipped, 200, { ...headers, 'content-encoding': 'gzip' });
}
