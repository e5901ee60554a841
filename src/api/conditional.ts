// Owns: entity tags of what has no revision: by its content. May import: core, ./preconditions.
import type { MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv } from './api-env.ts';
import { sha256 } from './api-keys.ts';
import { hasTag, isTagKnown } from './preconditions.ts';

const tagLength = 16;

interface Written {
  readonly text: string;
  readonly etag: string;
}

/** Of answers that stand for a while: what they come to is made once. Undefined before the first time. */
const lasting = new WeakMap<object, Written | undefined>();

/** Says that an answer is given again as this very object, unchanged, for as long as it is true. */
export function lastingAnswer<T extends object>(answer: T): T {
  lasting.set(answer, undefined);
  return answer;
}

function write(value: object): Written {
  const known = lasting.get(value);
  if (known) return known;
  const text = JSON.stringify(value);
  const written = { text, etag: `"${sha256(text).toString('base64url').slice(0, tagLength)}"` };
  if (lasting.has(value)) lasting.set(value, written);
  return written;
}

/** Gives every JSON answer of a read an ETag, and answers 304 to who has it (RFC 9110 §13.1.2). */
export const conditionalRead: MiddlewareHandler<ApiEnv> = async (c, next) => {
  // Where the text is made it is at hand; to read it back out of a response costs more than the rest of a request.
  const answer = c.json;
  let made: Written | undefined;
  // By a name: V8 puts a function that is written where it is assigned to a property among the old objects at once, and the
  // request would live on with it until those are next collected.
  const json = (value: object, status: ContentfulStatusCode) => {
    if (status !== 200) return answer.call(c, value, { status });
    made = write(value);
    return c.body(made.text, 200, { 'content-type': 'application/json' });
  };
  c.json = json as typeof c.json;
  await next();
  if (made === undefined || c.res.status !== 200) return;
  const etag = c.res.headers.get('etag') ?? made.etag;
  if (!isTagKnown(c.req.header('if-none-match'), etag)) {
    c.res.headers.set('etag', etag);
    return;
  }
  // Assigning a response to a context that has one merges the headers; the body and its headers must go.
  c.res = undefined;
  c.res = new Response(null, { status: 304, headers: { etag } });
};

/**
 * Reads what is to be changed as its reader would, and refuses when that is not what `If-Match` names. What has revisions
 * is compared once more where it is written, so that nobody slips in between.
 *
 * @param isComparedThere by the handler: then it holds for those as well who may change but not read
 */
export function conditionalWrite(isComparedThere: boolean): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const wanted = c.req.header('if-match');
    if (wanted === undefined || wanted.trim() === '*') return next();
    const { pathname, origin } = new URL(c.req.url);
    const headers = { authorization: `Bearer ${c.get('credential')}` };
    const now = await c.get('inside')(new Request(`${origin}${pathname}`, { headers }));
    const etag = now.headers.get('etag');
    if (now.status === 403 && !isComparedThere) {
      throw new GatewayError('forbidden', 'If-Match is compared with what is read, which this credential may not do.');
    }
    // What cannot be read here by itself is the handler's to refuse.
    if (now.status === 200 && etag !== null && !hasTag(wanted, etag)) {
      throw new GatewayError('precondition_failed', 'It has changed since you read it; read it again.');
    }
    return next();
  };
}
