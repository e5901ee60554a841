// Owns: a span for each request. May import: core, ./api-env.
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { ApiEnv, ApiTracer } from './api-env.ts';

/** Of the API and what is mounted on it; pages and health tell nothing. */
export function traced(tracer: ApiTracer): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { method } = c.req;
    const span = tracer.startRequest(c.req.header('traceparent'), { 'http.request.method': method });
    await next();
    const pattern = routePath(c, -1);
    const route = pattern.endsWith('*') ? undefined : pattern;
    const { status } = c.res;
    span.end({
      name: route === undefined ? method : `${method} ${route}`,
      attributes: {
        ...{ 'http.route': route, 'http.response.status_code': status, 'request.id': c.get('requestId') },
        room: c.req.param('room'),
      },
      error: status >= 500 ? String(status) : undefined,
    });
  };
}
