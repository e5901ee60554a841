// Owns: what browsers are told about our answers: policies, and who else may read them. May import: config, ./api-env.
import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from './api-env.ts';

const policy = (styles: string) =>
  [
    "default-src 'self'",
    // Signalling may be on another port or name than the page.
    "connect-src 'self' ws: wss:",
    "img-src 'self' data: blob:",
    "media-src 'self' blob: mediastream:",
    "worker-src 'self' blob:",
    `style-src ${styles}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ].join('; ');

const pagePolicy = policy("'self'");
/** Swagger UI sets style attributes. */
const docsPolicy = policy("'self' 'unsafe-inline'");

/**
 * No HSTS: with the self-signed certificate of the first start it would lock people out, and behind a proxy it is the
 * proxy's to say.
 */
export const securityHeaders: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set('content-security-policy', c.req.path.startsWith('/docs') ? docsPolicy : pagePolicy);
  headers.set('x-content-type-options', 'nosniff');
  // Tokens travel in fragments, which no referrer has; names of rooms need not travel either.
  headers.set('referrer-policy', 'no-referrer');
  headers.set('permissions-policy', 'camera=(self), microphone=(self), display-capture=(self)');
};

const exposed =
  'etag, idempotency-replayed, location, link, retry-after, accept-patch, accept-post, x-request-id, content-disposition';
const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const allowedHeaders =
  'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-auth-token, x-request-id';

/**
 * CORS (Fetch standard §3.2) without credentials: who calls from elsewhere sends its own token, never a cookie.
 * OPTIONS that is no preflight goes on to whoever owns the path (RFC 9725 §4.2 gives it a meaning).
 */
export function cors(origins: readonly string[]): MiddlewareHandler<ApiEnv> {
  const allowsAll = origins.includes('*');
  return async (c, next) => {
    const origin = c.req.header('origin');
    const allowed = allowsAll ? '*' : origin !== undefined && origins.includes(origin) ? origin : undefined;
    const isPreflight = c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined;
    if (isPreflight) {
      c.res = new Response(null, {
        status: 204,
        headers: allowed
          ? {
              'access-control-allow-methods': allowedMethods,
              'access-control-allow-headers': allowedHeaders,
              'access-control-max-age': '7200',
            }
          : {},
      });
    } else {
      await next();
    }
    if (allowed) {
      c.res.headers.set('access-control-allow-origin', allowed);
      c.res.headers.set('access-control-expose-headers', exposed);
    }
    if (!allowsAll) c.res.headers.append('vary', 'Origin');
  };
}
