// Owns: entity tags and what is conditional on them (RFC 9110 §8.8.3, §13). Pure. May import: core.
import type { Context } from 'hono';
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';

export const etagOf = (revision: number): string => `"${revision}"`;

/** For `request.headers` of routes that change something. */
export const ifMatchHeaders = z.object({
  'if-match': z.string().max(256).optional().meta({ description: 'ETag of what you have read, or *.' }),
});

/** For `request.headers` of routes that read. */
export const ifNoneMatchHeaders = z.object({
  'if-none-match': z
    .string()
    .max(256)
    .optional()
    .meta({ description: 'ETag of what you have: 304 if it still holds.' }),
});

/**
 * @returns the revision that the change must be made to; undefined when the client does not care
 * @throws GatewayError `precondition_failed`
 */
export function matchedRevision(c: Context, revision: number): number | undefined {
  const header = c.req.header('if-match');
  if (header === undefined || header.trim() === '*') return undefined;
  // RFC 9110 §13.1.1 wants the strong comparison, so `W/"3"` never matches.
  if (hasTag(header, etagOf(revision))) return revision;
  throw new GatewayError('precondition_failed', 'It has changed since you read it; read it again.');
}

export function isNotModified(c: Context, revision: number): boolean {
  return isTagKnown(c.req.header('if-none-match'), etagOf(revision));
}

/** @param header If-None-Match, which compares weakly */
export function isTagKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || hasTag(header.replaceAll('W/', ''), etag);
}

/** Strongly: `W/"3"` is never the same. */
export const hasTag = (header: string, etag: string): boolean => entityTags(header).includes(etag);

function entityTags(header: string): string[] {
  return header.split(',').map((tag) => tag.trim());
}
