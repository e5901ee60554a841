// Owns: which UDP ports calls use. Pure: whoever binds them tells when they are free again.
import { GatewayError } from '#core/errors.ts';

export interface RtpPortsOptions {
  readonly firstPort: number;
  readonly lastPort: number;
  /** A port that was in use is not given out again before so long: late packets of its last call. */
  readonly restMs: number;
}

/** Pairs of an even port for RTP and the odd one above it for RTCP (RFC 3550 §11), each used in turn. */
export class RtpPorts {
  readonly #restMs: number;
  /** In the order in which they became free: a Map keeps it. */
  readonly #freeFromMs = new Map<number, number>();
  readonly #used = new Set<number>();

  constructor({ firstPort, lastPort, restMs }: RtpPortsOptions) {
    this.#restMs = restMs;
    for (let port = firstPort + (firstPort % 2); port + 1 <= lastPort; port += 2) this.#freeFromMs.set(port, 0);
  }

  get usedCount(): number {
    return this.#used.size;
  }

  /** @throws GatewayError `overloaded` when all are in use or at rest */
  take(nowMs: number): number {
    const [next] = this.#freeFromMs;
    if (!next || next[1] > nowMs) {
      throw new GatewayError('overloaded', 'Every port for calls is in use; widen rtp.firstPort to rtp.lastPort.', {
        retryAfterMs: this.#restMs,
      });
    }
    const [port] = next;
    this.#freeFromMs.delete(port);
    this.#used.add(port);
    return port;
  }

  give(port: number, nowMs: number): void {
    if (this.#used.delete(port)) this.#freeFromMs.set(port, nowMs + this.#restMs);
  }
}
