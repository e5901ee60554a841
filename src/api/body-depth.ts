// Owns: how deeply a JSON body may be nested. May import: core.
import type { MiddlewareHandler } from 'hono';
import { GatewayError } from '#core/errors.ts';
import type { ApiEnv } from './api-env.ts';

/** No body of ours has more than a dozen. What is deeper is for whoever parses it, looks through it, and writes it again. */
export const maxBodyDepth = 64;

/** @throws GatewayError `invalid_request` (400) */
export const shallowBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (/json/i.test(c.req.header('content-type') ?? '') && isNestedDeeperThan(maxBodyDepth, await c.req.text())) {
    throw new GatewayError('invalid_request', `The request body is nested more than ${maxBodyDepth} levels deep.`);
  }
  await next();
};

/** Of JSON (RFC 8259); of what is none, something. In one pass, as the text is a stranger's. */
export function isNestedDeeperThan(depth: number, text: string): boolean {
  let level = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) isInString = !isInString;
    else if (isInString) at += code === backslash ? 1 : 0;
    else if (openers.has(code)) level += 1;
    else if (closers.has(code)) level -= 1;
    if (level > depth) return true;
  }
  return false;
}

const codeOf = (letter: string) => letter.charCodeAt(0);
const quote = codeOf('"');
const backslash = codeOf('\\');
const openers = new Set([codeOf('['), codeOf('{')]);
const closers = new Set([codeOf(']'), codeOf('}')]);
