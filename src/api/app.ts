// Owns: the HTTP application: what every request passes, and which routes there are. May import: core, config, ./…
import type { OpenAPIHono } from '@hono/zod-openapi';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { GatewayError } from '#core/errors.ts';
import { identify } from './access.ts';
import { allowedMethods } from './allowed-methods.ts';
import type { ApiEnv, ApiOptions } from './api-env.ts';
import { loggedPath } from './logged-path.ts';
import { declareCredentials, describeApi } from './openapi.ts';
import { pageRoutes } from './pages.ts';
import { errorOfRequest, problemResponse } from './problem.ts';
import { requestContext } from './request-context.ts';
import { newRouter } from './route.ts';
import { resources } from './routes/index.ts';
import { healthRoutes } from './routes/server.ts';
import { cors, securityHeaders } from './security-headers.ts';
import { traced } from './traced.ts';

/**
 * The application for the HTTP and HTTPS listeners. Gateways that speak HTTP are mounted on it by the composition root:
 * what they throw becomes a problem like everything else, and CORS, limits and logs hold for them too.
 */
export function createApi(options: ApiOptions): OpenAPIHono<ApiEnv> {
  const { config, limits, metrics } = options;
  const app = newRouter();

  app.onError((thrown, c) => answerError(c, thrown, metrics));
  app.notFound(async (c) => answerNotFound(c, app, metrics));

  app.use(requestContext(options, (request, env) => app.fetch(request, env)));
  const { tracer } = options;
  if (tracer) for (const path of ['/api/*', '/whip/*', '/whep/*']) app.use(path, traced(tracer));
  app.use(securityHeaders);
  app.use(cors(config.http.corsOrigins));
  const tooLarge = () =>
    new GatewayError('too_large', `The request body has more than ${config.http.maxBodyBytes} bytes.`);
  const limitBody = bodyLimit({
    maxSize: config.http.maxBodyBytes,
    onError: () => {
      throw tooLarge();
    },
  });
  // A read has no body, and to ask for it makes a whole request object of what the adapter reads lazily.
  // Nor has a body of a length that was said another: who sends more has begun the next request (RFC 9112 §6). One that is
  // refused by that length stays unopened, so that the adapter can take in the rest and the connection goes on.
  app.use(async (c, next) => {
    const { method } = c.req;
    if (method === 'GET' || method === 'HEAD') return next();
    const length = c.req.header('transfer-encoding') === undefined ? c.req.header('content-length') : undefined;
    if (length === undefined) return limitBody(c, next);
    if (Number(length) > config.http.maxBodyBytes) throw tooLarge();
    return next();
  });
  for (const path of ['/api/*', '/metrics']) {
    app.use(path, async (c, next) => {
      limits.requests.consume(c.get('address'));
      // What is asked of the API is of this moment and of this caller.
      await next();
      if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
    });
  }

  declareCredentials(app);
  for (const routesOf of resources) app.route('/', routesOf(options));
  const describe = once(() => describeApi(app));
  app.get('/openapi.json', async (c) => {
    return c.body(await describe(), 200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
  });
  app.route('/', pageRoutes(options.webRoot));
  return app;
}

/** The same metrics and health without a credential, for a listener that only the scraper reaches. */
export function createMetricsApp({ metrics, health }: Pick<ApiOptions, 'metrics' | 'health'>): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError((thrown, c) => answerError(c, thrown, metrics));
  app.notFound((c) => answerError(c, new GatewayError('not_found', 'Here are /metrics, /health and /ready.'), metrics));
  app.get('/metrics', async (c) => c.text(await metrics.render(), 200, { 'content-type': metrics.contentType }));
  app.route('/', healthRoutes({ health }));
  return app;
}

/** The document is asked for long after the last route was declared. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function answerError(
  c: Context<ApiEnv>,
  thrown: unknown,
  metrics: ApiOptions['metrics'],
  headers: Readonly<Record<string, string>> = {},
): Response {
  const error = errorOfRequest(thrown);
  metrics.counters.failed(error.code);
  // The metrics listener has no request context.
  const log: ApiEnv['Variables']['log'] | undefined = c.get('log');
  const fields = { err: thrown, code: error.code, method: c.req.method, path: loggedPath(c.req.path) };
  if (error.spec.blame === 'client') log?.debug(fields, 'request refused');
  // What there is no room for, or what another machine would not do, is no fault of ours.
  else if (error.code !== 'internal') log?.warn(fields, 'request not fulfilled');
  else log?.error(fields, 'request failed');
  return problemResponse(error, c.get('requestId'), headers);
}

async function answerNotFound(
  c: Context<ApiEnv>,
  app: OpenAPIHono<ApiEnv>,
  metrics: ApiOptions['metrics'],
): Promise<Response> {
  // Without a credential nobody learns what there is below /api.
  if (c.req.path.startsWith('/api/')) await identify(c);
  const methods = allowedMethods(app.routes, c.req.path);
  const allow = methods.join(', ');
  if (allow !== '' && c.req.method === 'OPTIONS') return c.body(null, 204, { allow });
  // A route that takes the method has looked and passed on: a file that is not there.
  if (allow === '' || methods.includes(c.req.method)) {
    return answerError(c, new GatewayError('not_found', 'There is nothing at this address.'), metrics);
  }
  const error = new GatewayError('method_not_allowed', `This address takes ${allow}.`);
  return answerError(c, error, metrics, { allow });
}
