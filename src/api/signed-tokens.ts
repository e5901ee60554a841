// Owns: join tokens and session tokens, signed and verified. May import: core.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import { type JoinGrant, mediaKinds } from '#core/grants.ts';
import { randomText } from '#core/ids.ts';

const algorithm = 'HS256';
const issuer = 'switchyard';
/** One kind of token is never taken for the other: RFC 8725 §3.9. */
type Audience = 'join' | 'session';

const joinClaims = z.object({
  room: z.string().min(1),
  sub: z.string().min(1),
  name: z.string(),
  role: z.string().min(1),
  attributes: z.record(z.string(), z.string()),
  picture: z.string().optional(),
  exp: z.number(),
  jti: z.string(),
  once: z.boolean().optional(),
  publish: z.array(z.enum(mediaKinds)).optional(),
  subscribe: z.array(z.enum(mediaKinds)).optional(),
});

const sessionClaims = z.object({ sub: z.string().min(1) });

export type TokenVerdict =
  | { readonly kind: 'join'; readonly grant: JoinGrant }
  | { readonly kind: 'session'; readonly sessionId: string };

const base64Url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = base64Url({ alg: algorithm, typ: 'JWT' });

/** A JWT by its looks: three parts in base64url, the first of which begins with `{"`. */
export function looksLikeToken(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(credential);
}

/** HS256 only; what the header says about algorithm or key is never followed (RFC 8725 §3.1). */
export class SignedTokens {
  readonly #key: Uint8Array;
  /** The same as an object: made anew for each signature it costs five times the signature. */
  readonly #signingKey: KeyObject;

  constructor(key: Uint8Array) {
    this.#key = key;
    this.#signingKey = createSecretKey(key);
  }

  signJoin(grant: Omit<JoinGrant, 'mayCreateRoom'>): Promise<string> {
    const { room, user, displayName, role, attributes, avatarUrl, expiresAtMs, tokenId, isOneTime, limits } = grant;
    const named = { room, name: displayName, role, attributes, picture: avatarUrl };
    const claims = { ...named, ...limits, ...(isOneTime && { once: true }) };
    return this.#sign('join', claims, user, expiresAtMs, tokenId);
  }

  signSession(sessionId: string, expiresAtMs: number): Promise<string> {
    return this.#sign('session', {}, sessionId, expiresAtMs);
  }

  /** @throws GatewayError `unauthorized`, which says whether the token was ours and has expired */
  async verify(token: string): Promise<TokenVerdict> {
    const payload = await this.#verify(token);
    if (payload.aud === 'session') {
      return { kind: 'session', sessionId: parseClaims(sessionClaims, payload).sub };
    }
    if (payload.aud !== 'join') throw new GatewayError('unauthorized', 'This token is not one of this server.');
    const claims = parseClaims(joinClaims, payload);
    const { room, sub, name, role, attributes, picture, exp, jti, once, publish, subscribe } = claims;
    return {
      kind: 'join',
      grant: {
        ...{ room, user: sub, displayName: name, role, attributes, expiresAtMs: exp * 1_000, mayCreateRoom: false },
        ...(picture !== undefined && { avatarUrl: picture }),
        ...{ tokenId: jti, isOneTime: once, limits: { publish, subscribe } },
      },
    };
  }

  async #verify(token: string): Promise<JWTPayload> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.#key, {
        algorithms: [algorithm],
        issuer,
        requiredClaims: ['exp', 'sub', 'aud'],
      });
      // We never name a key: a token that does was not made here, whoever signed it.
      if (protectedHeader.kid !== undefined) throw new GatewayError('unauthorized', 'This token names a foreign key.');
      return payload;
    } catch (thrown) {
      if (thrown instanceof GatewayError) throw thrown;
      if (thrown instanceof errors.JWTExpired) {
        throw new GatewayError('unauthorized', 'This token has expired; ask for a new one.', { cause: thrown });
      }
      throw new GatewayError('unauthorized', 'This token is not one of this server, or was changed.', {
        cause: thrown,
      });
    }
  }

  /** A compact JWS (RFC 7515 §7.1): the library's detour through another thread costs more than all else of a request. */
  async #sign(
    audience: Audience,
    claims: JWTPayload,
    subject: string,
    expiresAtMs: number,
    id = randomText(16),
  ): Promise<string> {
    const times = { iat: Math.floor(Date.now() / 1_000), exp: Math.floor(expiresAtMs / 1_000) };
    const payload = { ...claims, iss: issuer, aud: audience, sub: subject, jti: id, ...times };
    const signed = `${header}.${base64Url(payload)}`;
    return `${signed}.${createHmac('sha256', this.#signingKey).update(signed).digest('base64url')}`;
  }
}

function parseClaims<T>(schema: z.ZodType<T>, payload: JWTPayload): T {
  const parsed = schema.safeParse(payload);
  if (!parsed.success) throw new GatewayError('unauthorized', 'This token lacks what a token of this server has.');
  return parsed.data;
}
