// Owns: how a route is declared. Each file in routes/ uses it and nothing else to do so. May import: core, ./contract.
import { createRoute, OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { ZodObject, type ZodType } from 'zod';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { type Access, accessGate, describeAccess } from './access.ts';
import type { ApiEnv } from './api-env.ts';
import type { Made } from './api-limits.ts';
import { audited } from './audited.ts';
import { shallowBody } from './body-depth.ts';
import { conditionalRead, conditionalWrite } from './conditional.ts';
import { problemSchema } from './contract.ts';
import { idempotencyHeaders, idempotent } from './idempotency.ts';
import { ifMatchHeaders, ifNoneMatchHeaders } from './preconditions.ts';
import { invalidFields, problemMediaType, statusesOf, titleOf } from './problem.ts';

type ApiRoute = Omit<RouteConfig, 'middleware' | 'security' | 'description'> & {
  readonly access: Access;
  /** Name of the call in generated clients. */
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** It makes one more of these, of which one may make so many in a minute. */
  readonly makes?: Made;
  /** Refusals of its own, besides those that every route can answer. */
  readonly errors?: readonly ErrorCode[];
};

const everywhere: readonly ErrorCode[] = ['rate_limited', 'internal'];
const withCredential: readonly ErrorCode[] = ['unauthorized', 'forbidden'];
const withInput: readonly ErrorCode[] = ['invalid_request'];
const withBody: readonly ErrorCode[] = ['invalid_request', 'unsupported_media_type'];

/**
 * A route with its access gate and all its refusals in the OpenAPI document. The type stays that of the declaration, so
 * that a handler returns what it declared and throws everything else.
 */
export function apiRoute<P extends string, R extends ApiRoute & { path: P }>(declared: R) {
  const { access, errors = [], description, makes, ...config } = declared;
  const isOpen = 'to' in access && access.to === 'everybody';
  const habits = isOpen ? noHabits : habitsOf(config.method, config.operationId, looksAtRevision(config.request));
  const codes: ErrorCode[] = [...everywhere, ...errors, ...habits.errors];
  if (!isOpen) codes.push(...withCredential);
  // A body is refused by its size before anybody asks whether the route wants one.
  if (config.method !== 'get') codes.push('too_large');
  if (config.request || habits.headers) codes.push(...withInput);
  if (config.request?.body) codes.push(...withBody);
  const route = {
    ...config,
    description: [description, describeAccess(access)].filter(Boolean).join('\n\n'),
    request: withHeaders(withStrictQuery(config.request), habits.headers),
    'x-access': access,
    middleware: [
      accessGate(access),
      ...(isOpen && config.request?.body ? [shortBody] : []),
      ...(config.request?.body ? [shallowBody] : []),
      ...(isOpen || config.request?.query ? [] : [noQuery]),
      ...(config.request?.body?.required === false ? [emptyIsNone] : []),
      ...habits.middleware,
      ...(makes ? [countMade(makes)] : []),
    ],
    ...(isOpen ? { security: [] } : {}),
    responses: { ...habits.responses, ...(isOpen ? config.responses : withAnswerHeaders(config)), ...refusals(codes) },
  };
  return createRoute(route) as unknown as Omit<R, 'middleware'> & { path: P; responses: R['responses'] };
}

/** What every answer of a kind brings: reads their ETag, what was made its address. */
function withAnswerHeaders({ method, responses }: Pick<RouteConfig, 'method' | 'responses'>): RouteConfig['responses'] {
  const all = Object.entries(responses).map(([status, answer]) => {
    const isRead = method === 'get' && status === '200' && 'content' in answer && answer.content?.['application/json'];
    const headers = isRead ? etagHeader : method === 'post' && status === '201' ? locationHeader : undefined;
    return [status, headers && !('$ref' in answer) ? { ...answer, headers } : answer] as const;
  });
  return Object.fromEntries(all);
}

const textHeader = (name: string, description: string) => ({
  [name]: { description, schema: { type: 'string' as const } },
});
const etagHeader = textHeader('ETag', 'For If-None-Match, and for If-Match of a change.');
const locationHeader = textHeader('Location', 'Where what was made is found.');
const retryAfterHeader = textHeader('Retry-After', 'Seconds after which it may go better.');

/** Whoever has not said who it is gets no more read than a name and a code need: to look through a megabyte takes time. */
const maxOpenBodyBytes = 8_192;
const shortBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const length = Number(c.req.header('content-length') ?? 0);
  if (length > maxOpenBodyBytes || (length === 0 && (await c.req.text()).length > maxOpenBodyBytes)) {
    throw new GatewayError('too_large', `The request body has more than ${maxOpenBodyBytes} bytes.`);
  }
  await next();
};

/** Many clients say of all that they post that it is JSON: nothing is no body where none is needed, and not a broken one. */
const emptyIsNone: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (c.req.header('content-type') !== undefined && (await c.req.text()) === '') {
    c.req.raw.headers.delete('content-type');
  }
  await next();
};

/** After what was asked before under the same Idempotency-Key has been answered: that makes nothing. */
function countMade(made: Made): MiddlewareHandler<ApiEnv> {
  return (c, next) => {
    c.get('limits').countMade(made, c.get('principal'), c.get('address'));
    return next();
  };
}

interface Habits {
  readonly headers: ZodObject | undefined;
  readonly middleware: readonly MiddlewareHandler<ApiEnv>[];
  readonly errors: readonly ErrorCode[];
  readonly responses: RouteConfig['responses'];
}

const noHabits: Habits = { headers: undefined, middleware: [], errors: [], responses: {} };

/** What every route of a method does alike: a new one has it by being declared. */
function habitsOf(method: string, operationId: string, isComparedThere: boolean): Habits {
  if (method === 'get') {
    const responses = { 304: { description: 'It is as If-None-Match says.' } };
    return { headers: ifNoneMatchHeaders, middleware: [conditionalRead], errors: [], responses };
  }
  if (method === 'post') {
    const middleware = [audited(operationId), idempotent];
    return { headers: idempotencyHeaders, middleware, errors: ['conflict', 'unprocessable'], responses: {} };
  }
  const middleware = [audited(operationId), conditionalWrite(isComparedThere)];
  return { headers: ifMatchHeaders, middleware, errors: ['precondition_failed'], responses: {} };
}

/** A route that asks for If-Match itself compares it with a revision, whoever may read. */
function looksAtRevision(request: RouteConfig['request']): boolean {
  return request?.headers instanceof ZodObject && 'if-match' in request.headers.shape;
}

/** A filter that is misspelt is refused by its name: without it the list would be of everything. */
function withStrictQuery(request: RouteConfig['request']): RouteConfig['request'] {
  return request?.query instanceof ZodObject ? { ...request, query: request.query.strict() } : request;
}

/** The same for a route that takes none at all. */
const noQuery: MiddlewareHandler<ApiEnv> = (c, next) => {
  const keys = c.req.url.includes('?') ? Object.keys(c.req.query()) : [];
  if (keys.length > 0) throw invalidFields('query', [{ code: 'unrecognized_keys', path: [], message: '', keys }]);
  return next();
};

/** Those of the route's own go before; it may have said more of one. */
function withHeaders(request: RouteConfig['request'], headers: ZodObject | undefined): RouteConfig['request'] {
  if (!headers) return request;
  const own = request?.headers;
  return { ...request, headers: own instanceof ZodObject ? headers.extend(own.shape) : (own ?? headers) };
}

/** @param codes those of one HTTP status share one entry */
function refusals(codes: readonly ErrorCode[]): RouteConfig['responses'] {
  return Object.fromEntries(
    statusesOf(codes).map((status) => {
      const names = [...new Set(codes)].filter((code) => statusesOf([code])[0] === status);
      return [
        status,
        {
          description: names.map((code) => `${titleOf(code)} (\`${code}\`)`).join(', '),
          content: { [problemMediaType]: { schema: problemSchema } },
          ...((status === 429 || status === 503) && { headers: retryAfterHeader }),
        },
      ];
    }),
  );
}

/** Where the routes of one resource are put; what does not fit its schema becomes a problem that names the fields. */
export function newRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidFields(partNames[result.target] ?? 'request', result.error.issues);
    },
  });
}

const partNames: Readonly<Record<string, string>> = { json: 'body', query: 'query', param: 'path', header: 'header' };

/** A response with a JSON body, for `responses`. */
export function jsonBody<T extends ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } } as const;
}

/** A required JSON merge patch (RFC 7396), for `request`. */
export function mergePatchInput<T extends ZodType>(schema: T) {
  return {
    required: true,
    content: { 'application/merge-patch+json': { schema }, 'application/json': { schema } },
  } as const;
}

/** A required JSON body, for `request`. */
export function jsonInput<T extends ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } } as const;
}
