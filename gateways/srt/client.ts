// Owns: sending to an SRT listener as caller. May import: core, its neighbours.
import type { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { SrtCaller } from './caller.ts';
import type { RefreshPolicy } from './cipher.ts';
import type { SrtConnection, SrtStats } from './connection.ts';
import { parseSrtUrl } from './url.ts';

export interface SrtPushOptions {
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly startTimeoutMs?: number | undefined;
  /** So long without anything from the server, or without it confirming what it is sent. */
  readonly stallTimeoutMs?: number | undefined;
  /** When keys are changed, for connections with a passphrase. */
  readonly refresh?: RefreshPolicy | undefined;
}

const defaultStartTimeoutMs = 10_000;
const defaultStallTimeoutMs = 5_000;
const drainPollMs = 10;
const maxDrainMs = 1_000;

export class SrtPush extends Owned {
  readonly #caller: SrtCaller;
  readonly #connection: SrtConnection;

  constructor(caller: SrtCaller, connection: SrtConnection) {
    super();
    this.#caller = caller;
    this.#connection = connection;
    void caller.done.then((reason) => this.close(reason === 'requested' ? 'peer_left' : reason));
  }

  /** Once closed: why, unless its owner or the server closed it. */
  get failure(): GatewayError | undefined {
    return this.#caller.failure;
  }

  /** Written and not confirmed by the server. */
  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  get stats(): SrtStats {
    return this.#connection.stats;
  }

  /** @param packets whole packets of a transport stream (188 bytes each), when they are due */
  write(packets: Uint8Array): void {
    this.#connection.write(packets);
  }

  /** What is on its way gets a moment to arrive. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    const endsAtMs = performance.now() + maxDrainMs;
    while (reason === 'requested' && this.queuedBytes > 0 && !this.#caller.isClosed && performance.now() < endsAtMs) {
      await new Promise((wake) => setTimeout(wake, drainPollMs));
    }
    await this.#caller.close(reason);
  }
}

/**
 * Connects and resolves when the server has accepted us.
 * @throws GatewayError `invalid_request` for the URL, `forbidden` by policy, `upstream_refused` with the server's
 *   reason, `upstream_failed`, `timeout`, `closed` when the signal fires
 */
export async function pushSrt(options: SrtPushOptions, signal?: AbortSignal): Promise<SrtPush> {
  const caller = new SrtCaller({
    url: parseSrtUrl(options.url),
    policy: options.policy,
    lookup: options.lookup,
    startTimeoutMs: options.startTimeoutMs ?? defaultStartTimeoutMs,
    idleTimeoutMs: options.stallTimeoutMs ?? defaultStallTimeoutMs,
    onPayload: () => undefined,
    refresh: options.refresh,
  });
  const onAbort = () => void caller.close('requested');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return new SrtPush(caller, await caller.open());
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
