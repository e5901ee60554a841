// Owns: avatars that a URL names, by the rules of a NetPolicy: bounded in size, time and number, and kept for a while, as
// everybody of an application comes with one. May import: core, its neighbours.
import { type AvatarSource, avatarOf, maxAvatarBytes } from '#core/avatar.ts';
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import { assertMayPull, type LookupAll, type NetPolicy } from '#core/net-policy.ts';
import { httpGet, parseHttpUrl, readBody } from './http-get.ts';

const answerTimeoutMs = 5_000;
const bodyTimeoutMs = 5_000;
const maxAtOnce = 32;
/** A lesson begins: everybody comes at once, each with one of his own. */
const maxWaiting = 1_000;
/** Eight megabytes at most. */
const maxKept = 64;
const maxAgeMs = 10 * 60_000;

export interface AvatarFetcherOptions {
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
}

interface Kept {
  readonly image: Uint8Array;
  readonly untilMs: number;
}

export class AvatarFetcher extends Owned implements AvatarSource {
  readonly #options: AvatarFetcherOptions;
  /** In the order in which they came. */
  readonly #kept = new Map<string, Kept>();
  /** Who asks for one that is on its way waits for that. */
  readonly #coming = new Map<string, Promise<Uint8Array>>();
  #running = 0;
  /** The others, in their order. */
  readonly #turns: (() => void)[] = [];

  constructor(options: AvatarFetcherOptions) {
    super();
    this.#options = options;
  }

  assertMayFetch(url: string): void {
    assertMayPull(this.#options.policy, parseHttpUrl(url).href);
  }

  async fetch(url: string): Promise<Uint8Array> {
    if (this.isClosed) throw new GatewayError('closed', 'This gateway is closing.');
    this.assertMayFetch(url);
    const kept = this.#kept.get(url);
    if (kept && kept.untilMs > performance.now()) return kept.image;
    return this.#coming.get(url) ?? this.#start(url);
  }

  #start(url: string): Promise<Uint8Array> {
    if (this.#coming.size >= maxAtOnce + maxWaiting) {
      throw new GatewayError('overloaded', 'Too many avatars are fetched at the moment.', { retryAfterMs: 2_000 });
    }
    const coming = this.#inTurn(url).finally(() => this.#coming.delete(url));
    this.#coming.set(url, coming);
    return coming;
  }

  async #inTurn(url: string): Promise<Uint8Array> {
    // Who is let go on has the place of the one that has just ended.
    if (this.#running < maxAtOnce) this.#running += 1;
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    try {
      return await this.#load(url);
    } finally {
      const next = this.#turns.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  async #load(url: string): Promise<Uint8Array> {
    const { policy, lookup } = this.#options;
    const options = { policy, lookup, signal: this.signal, timeoutMs: answerTimeoutMs };
    const answer = await httpGet(parseHttpUrl(url), options);
    const image = await readBody(answer, maxAvatarBytes, bodyTimeoutMs);
    // What is no avatar is not kept.
    avatarOf(image);
    this.#kept.delete(url);
    this.#kept.set(url, { image, untilMs: performance.now() + maxAgeMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
    return image;
  }

  protected override onClose(): void {
    this.#kept.clear();
  }
}
