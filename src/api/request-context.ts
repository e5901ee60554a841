// Owns: what is known of a request before a handler sees it: who, from where, under which id. May import: core, ./…
import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { ApiEnv, ApiOptions } from './api-env.ts';
import { clientAddress, isTrusted, parseProxies } from './client-address.ts';
import { loggedPath } from './logged-path.ts';

const requestIdPattern = /^[\w-]{1,64}$/;

/** Sets the variables of the request, and afterwards logs and counts it. */
export function requestContext(
  options: Pick<ApiOptions, 'rooms' | 'auth' | 'audit' | 'idempotency' | 'limits' | 'log' | 'metrics' | 'config'>,
  ask: (request: Request, env: ApiEnv['Bindings']) => Response | Promise<Response>,
): MiddlewareHandler<ApiEnv> {
  const proxies = parseProxies(options.config.http.trustedProxies);
  return async (c, next) => {
    const startedAtMs = performance.now();
    const remoteAddress = c.env?.incoming?.socket?.remoteAddress ?? 'unknown';
    const address = clientAddress(remoteAddress, c.req.header('x-forwarded-for'), proxies);
    const given = c.req.header('x-request-id') ?? '';
    const requestId = requestIdPattern.test(given) ? given : randomUUID();
    const log = options.log.child({ request: requestId });
    c.set('requestId', requestId);
    c.set('address', address);
    c.set('log', log);
    c.set('rooms', options.rooms);
    c.set('auth', options.auth);
    c.set('audit', options.audit);
    c.set('idempotency', options.idempotency);
    c.set('limits', options.limits);
    c.set('inside', async (request) => ask(request, c.env));
    const { origin, protocol, host } = new URL(c.req.url);
    const isProxied = isTrusted(proxies, remoteAddress);
    const forwarded = isProxied ? c.req.header('x-forwarded-proto')?.split(',').at(-1)?.trim() : undefined;
    c.set('origin', forwarded === 'https' && protocol === 'http:' ? `https://${host}` : origin);

    await next();

    c.res.headers.set('x-request-id', requestId);
    const durationMs = Math.round((performance.now() - startedAtMs) * 10) / 10;
    const { status } = c.res;
    const { method, path } = c.req;
    // The pattern, or `other` for what matched only middleware: unknown paths must not make series or log fields.
    const pattern = routePath(c, -1);
    const route = pattern === '' || pattern.endsWith('/*') || pattern === '*' ? otherRoute(pattern) : pattern;
    options.metrics.counters.httpAnswered({ method, route, status, durationMs });
    const fields = { method, path: loggedPath(path), status, ms: durationMs, address };
    // Reads are many and tell little; what changes something is worth a line.
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') log.debug(fields, 'request');
    else log.info(fields, 'request');
  };
}

function otherRoute(pattern: string): string {
  return pattern === '/assets/*' ? pattern : 'other';
}
