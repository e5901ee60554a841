// Owns: tokens that applications sign by themselves: with an API key (HS256), or with keys that a JWKS shows (RS, PS, ES, EdDSA).
// May import: core, config, jose.
import { readFileSync } from 'node:fs';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { z } from 'zod';
import type { AuthConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { hasScope, mediaKinds, type Principal, type Scope, scopes } from '#core/grants.ts';
import type { Logger } from '#core/ports.ts';
import type { ApiKeys } from './api-keys.ts';
import { sha256 } from './api-keys.ts';
import { KeysAway, publishedKeys } from './published-keys.ts';
import { maxTokenTtlMs } from './revocations.ts';

type IssuerConfig = AuthConfig['issuers'][number];

const kinds = z.array(z.enum(mediaKinds)).max(3).optional();
const room = z.string().min(1).max(128);

/** What a token of an application says. `exp` is asked for by the verification. */
const claims = z.object({
  sub: z.string().min(1).max(128),
  exp: z.number(),
  jti: z.string().min(1).max(128).optional(),
  name: z.string().min(1).max(128).optional(),
  room: room.optional(),
  rooms: z.array(room).min(1).max(100).optional(),
  role: z.string().min(1).max(64).optional(),
  publish: kinds,
  subscribe: kinds,
  attributes: z.record(z.string().min(1).max(64), z.string().max(1_024)).optional(),
  /** OpenID Connect Core §5.1: of the user. Issuers have null or the image itself in it, too: nobody is kept out by that. */
  picture: z.string().max(2_048).optional().catch(undefined),
  once: z.boolean().optional(),
  createRoom: z.boolean().optional(),
  scopes: z.array(z.enum(scopes)).max(scopes.length).optional(),
});

const symmetric = ['HS256'];
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const keyIdPattern = /^(sk_)?([A-Za-z0-9]{12})$/;
/** A clock may be so wrong. */
const clockToleranceS = 5;

/** Who signed it, as far as that bounds what it may say. */
interface Signer {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

export class AppTokens {
  readonly #keys: ApiKeys;
  readonly #issuers: ReadonlyMap<string, { config: IssuerConfig; scopes: readonly Scope[]; keys: JWTVerifyGetKey }>;

  /** @throws GatewayError `invalid_request` for a JWKS file that is none */
  constructor(keys: ApiKeys, issuers: readonly IssuerConfig[], log: Logger) {
    this.#keys = keys;
    this.#issuers = new Map(
      issuers.map((config) => [config.issuer, { config, scopes: scopesOf(config), keys: jwksOf(config, log) }]),
    );
  }

  /** Whether it says to be one: those of the gateway itself are HS256 and name no key. */
  static looksLikeOne(token: string): boolean {
    try {
      const { alg = '', kid } = decodeProtectedHeader(token);
      return asymmetric.includes(alg) || (symmetric.includes(alg) && kid !== undefined);
    } catch {
      return false;
    }
  }

  /** @throws GatewayError `unauthorized` */
  async verify(token: string): Promise<Principal> {
    const { alg = '', kid = '' } = decodeProtectedHeader(token);
    // The algorithm chooses the kind of key before any key is looked for: none is ever used for another kind.
    const { payload, signer } = symmetric.includes(alg) ? await this.#byKey(token, kid) : await this.#byIssuer(token);
    const parsed = claims.safeParse(payload);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new GatewayError(
        'unauthorized',
        `The claim "${issue?.path.join('.')}" of this token does not fit: ${issue?.message}.`,
      );
    }
    if (parsed.data.exp * 1_000 > Date.now() + maxTokenTtlMs + clockToleranceS * 1_000) {
      throw new GatewayError('unauthorized', `A token is good for ${maxTokenTtlMs / 86_400_000} days at the most.`);
    }
    return principalOf(token, parsed.data, signer);
  }

  async #byKey(token: string, kid: string): Promise<{ payload: JWTPayload; signer: Signer }> {
    const [, , id = ''] = keyIdPattern.exec(kid) ?? [];
    const known = id === '' ? undefined : await this.#keys.signingKeys(id);
    if (!known) throw foreign(undefined);
    let last: unknown;
    for (const secret of known.secrets) {
      try {
        const { payload } = await checked(() =>
          jwtVerify(token, new TextEncoder().encode(secret), { algorithms: symmetric, ...common }),
        );
        return { payload, signer: { keyId: id, ...known.info } };
      } catch (thrown) {
        last = thrown;
      }
    }
    throw last ?? foreign(undefined);
  }

  async #byIssuer(token: string): Promise<{ payload: JWTPayload; signer: Signer }> {
    let claimed: string;
    try {
      claimed = decodeJwt(token).iss ?? '';
    } catch (cause) {
      throw foreign(cause);
    }
    const known = this.#issuers.get(claimed);
    if (!known) throw foreign(undefined);
    const { config, keys, scopes: mayGive } = known;
    const audience = config.audience === undefined ? {} : { audience: config.audience };
    const { payload } = await checked(() =>
      jwtVerify(token, keys, { algorithms: asymmetric, issuer: config.issuer, ...audience, ...common }),
    );
    const signer = { keyId: `issuer:${config.issuer}`.slice(0, 128), name: config.issuer, scopes: mayGive };
    return { payload, signer };
  }
}

const common = { requiredClaims: ['exp', 'sub'], clockTolerance: clockToleranceS };

/** @throws GatewayError `invalid_request` naming the one that is none */
function scopesOf({ issuer, scopes: given }: IssuerConfig): readonly Scope[] {
  const parsed = z.array(z.enum(scopes)).safeParse(given);
  if (parsed.success) return parsed.data;
  throw new GatewayError('invalid_request', `auth.issuers: the scopes of ${issuer} are some of ${scopes.join(', ')}.`);
}

function jwksOf({ issuer, jwksUrl, jwksFile }: IssuerConfig, log: Logger): JWTVerifyGetKey {
  if (jwksUrl !== undefined) {
    return publishedKeys(jwksUrl, (err) => log.warn({ err, issuer, jwksUrl }, 'keys of an issuer could not be had'));
  }
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwksFile ?? '', 'utf8')) as JSONWebKeySet);
  } catch (cause) {
    throw new GatewayError('invalid_request', `auth.issuers: the JWKS file of ${issuer} cannot be read.`, { cause });
  }
}

async function checked<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) {
      throw new GatewayError('unauthorized', 'This token has expired; ask for a new one.', { cause });
    }
    // Claims are looked at after the signature: who signed it may be told what is wrong with it.
    if (cause instanceof errors.JWTClaimValidationFailed) {
      throw new GatewayError('unauthorized', wordsOfClaim(cause), { cause });
    }
    if (cause instanceof KeysAway) {
      const words =
        'The keys of the issuer of this token cannot be had just now, so nobody can tell whether it is good.';
      throw new GatewayError('unauthorized', words, { cause });
    }
    throw foreign(cause);
  }
}

function wordsOfClaim({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === 'missing') return `This token lacks the claim "${claim}".`;
  if (claim === 'nbf' && reason === 'check_failed') return 'This token is not good yet, says its claim "nbf".';
  return `The claim "${claim}" of this token is not what it has to be here.`;
}

function foreign(cause: unknown): GatewayError {
  return new GatewayError('unauthorized', 'This token was signed by nobody who is known here, or was changed.', {
    cause,
  });
}

/** Nobody signs more than it may itself. */
function principalOf(token: string, data: z.output<typeof claims>, signer: Signer): Principal {
  const holder = { kind: 'key', ...signer } as const;
  const rooms = data.rooms ?? (data.room === undefined ? undefined : [data.room]);
  if (rooms === undefined) {
    const wanted = data.scopes ?? [];
    const excess = wanted.filter((scope) => !hasScope(holder, scope));
    if (excess.length > 0) {
      throw new GatewayError('unauthorized', `"${signer.name}" may not give ${excess.join(', ')}.`);
    }
    return { ...holder, name: `${data.sub} by ${signer.name}`.slice(0, 128), scopes: wanted };
  }
  if (!hasScope(holder, 'tokens:write')) {
    throw new GatewayError('unauthorized', `"${signer.name}" may not let people into rooms: it lacks tokens:write.`);
  }
  return {
    kind: 'participant',
    grant: {
      room: rooms[0] ?? '',
      rooms,
      user: data.sub,
      displayName: data.name ?? data.sub,
      role: data.role ?? 'presenter',
      attributes: data.attributes ?? {},
      avatarUrl: data.picture,
      expiresAtMs: data.exp * 1_000,
      mayCreateRoom: data.createRoom === true && hasScope(holder, 'rooms:write'),
      // One without an id can be revoked as well: by what it is.
      tokenId: `${signer.keyId}:${data.jti ?? sha256(token).toString('hex').slice(0, 32)}`,
      isOneTime: data.once,
      limits: { publish: data.publish, subscribe: data.subscribe },
    },
  };
}
