// Owns: doing once what is asked twice under one Idempotency-Key. May import: core, ./…
import type { MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StorePort } from '#core/store-port.ts';
import type { ApiEnv } from './api-env.ts';
import { sha256 } from './api-keys.ts';
import { actorOf } from './audited.ts';

interface Claim {
  readonly fingerprint: string;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
  /** Once it is done. Sealed: answers may hold keys that are shown once. */
  readonly answer?: { readonly status: number; readonly headers: Record<string, string>; readonly sealed: string };
}

const collection = 'idempotency';
const keptMs = 86_400_000;
/** One that has not ended by then was cut off by the end of its process. */
const longestRequestMs = 120_000;
const maxAnswerBytes = 262_144;
const sweepIntervalMs = 600_000;
const sweepPageSize = 500;
const keptHeaders = ['content-type', 'location', 'etag'];

/** For `request.headers` of routes that create. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[!-~]{1,255}$/, 'has 1 to 255 visible ASCII characters')
    .optional()
    .meta({ description: 'Made up by you for this one creation: asked again within a day, it answers as at first.' }),
});

export class Idempotency {
  readonly #store: StorePort;
  readonly #secrets: SecretBox;
  readonly #log: Logger;

  constructor(options: { readonly store: StorePort; readonly secrets: SecretBox; readonly log: Logger }) {
    this.#store = options.store;
    this.#secrets = options.secrets;
    this.#log = options.log;
    setInterval(() => void this.#sweep(), sweepIntervalMs).unref();
  }

  /**
   * @returns the answer of the first time, or what takes the answer of this one (undefined: it was not done)
   * @throws GatewayError `conflict` while the first is under way, `unprocessable` for another request under the same key
   */
  async claim(id: string, body: string): Promise<Response | ((answer: Response | undefined) => Promise<void>)> {
    const fingerprint = sha256(body).toString('hex');
    const now = Date.now();
    const claim: Claim = { fingerprint, startedAtMs: now, expiresAtMs: now + keptMs };
    const found = await this.#store.get<Claim>(collection, id);
    if (found && found.value.expiresAtMs > now) {
      const { value } = found;
      if (value.fingerprint !== fingerprint) {
        throw new GatewayError(
          'unprocessable',
          'This Idempotency-Key was used for another request; make up a new one.',
        );
      }
      if (value.answer) return this.#replay(value.answer);
      if (now - value.startedAtMs < longestRequestMs) throw underWay();
    }
    try {
      const { revision } = await this.#store.put(collection, id, claim, found?.revision ?? 0);
      return (answer) => this.#settle(id, claim, revision, answer);
    } catch (thrown) {
      if (thrown instanceof GatewayError && thrown.code === 'conflict') throw underWay();
      throw thrown;
    }
  }

  #replay({ status, headers, sealed }: NonNullable<Claim['answer']>): Response {
    const body = this.#secrets.open(sealed);
    return new Response(body === '' ? null : body, { status, headers: { ...headers, 'idempotency-replayed': 'true' } });
  }

  async #settle(id: string, claim: Claim, revision: number, answer: Response | undefined): Promise<void> {
    const text = answer && (await answer.clone().text());
    if (!answer || text === undefined || text.length > maxAnswerBytes) {
      await this.#store.delete(collection, id);
      return;
    }
    const headers = Object.fromEntries(
      keptHeaders.flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [[name, value]];
      }),
    );
    const done = { status: answer.status, headers, sealed: this.#secrets.seal(text) };
    await this.#store.put(collection, id, { ...claim, answer: done }, revision);
  }

  async #sweep(): Promise<void> {
    try {
      let after: string | undefined;
      do {
        const page = await this.#store.list<Claim>(collection, { ...(after && { after }), limit: sweepPageSize });
        for (const { id, value } of page) if (value.expiresAtMs <= Date.now()) await this.#store.delete(collection, id);
        after = page.at(-1)?.id;
      } while (after !== undefined);
    } catch (err) {
      this.#log.debug({ err }, 'idempotency keys not swept');
    }
  }
}

function underWay(): GatewayError {
  return new GatewayError('conflict', 'The first request with this Idempotency-Key is still under way.', {
    retryAfterMs: 1_000,
  });
}

/** Only what succeeded is kept: what was refused may be asked again, mended. */
export const idempotent: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const key = c.req.header('idempotency-key');
  if (key === undefined || !/^[!-~]{1,255}$/.test(key)) return next();
  const { actor } = actorOf(c.get('principal'));
  const id = sha256(JSON.stringify([actor, c.req.method, c.req.path, key])).toString('hex');
  const claimed = await c.get('idempotency').claim(id, await c.req.text());
  if (claimed instanceof Response) return claimed;
  try {
    await next();
  } finally {
    await claimed(c.res.ok && c.error === undefined ? c.res : undefined);
  }
};
