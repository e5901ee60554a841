import type { BlockList } from 'node:net';
import { blockListOf, isInside } from './addresses.ts';

export interface TransportLimits {
  readonly maxMessageBytes: number;
  /** Of TCP, TLS and WebSocket together. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Messages per second and address, averaged over two seconds; what is over is dropped unanswered. 0 is no limit. */
  readonly messagesPerSecond: number;
  /** A connection that is silent for so long is closed. */
  readonly idleTimeoutMs: number;
  /** How long a message may take from its first byte to its last. */
  readonly messageTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** CIDR of those whom the rate and the connections per address do not bind. */
  readonly exemptNetworks: readonly string[];
  /** Whoever is gets no answer and no connection. */
  readonly isBanned?: ((address: string) => boolean) | undefined;
}

export const defaultTransportLimits: TransportLimits = {
  maxMessageBytes: 65_535,
  maxConnections: 5000,
  maxConnectionsPerAddress: 200,
  messagesPerSecond: 2000,
  idleTimeoutMs: 900_000,
  messageTimeoutMs: 10_000,
  connectTimeoutMs: 5000,
  exemptNetworks: [],
};

const maxAddresses = 65_536;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Token buckets and connection counts by address. Memory is bounded: the address unseen for longest is forgotten. */
export class AddressLimiter {
  readonly #limits: TransportLimits;
  readonly #exempt: BlockList | undefined;
  readonly #buckets = new Map<string, Bucket>();
  readonly #connections = new Map<string, number>();
  #connectionCount = 0;
  /** Messages dropped so far. */
  droppedCount = 0;
  refusedConnectionCount = 0;

  constructor(limits: TransportLimits) {
    this.#limits = limits;
    this.#exempt = limits.exemptNetworks.length > 0 ? blockListOf(limits.exemptNetworks) : undefined;
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  mayReceive(address: string): boolean {
    if (this.#limits.isBanned?.(address)) {
      this.droppedCount++;
      return false;
    }
    const rate = this.#limits.messagesPerSecond;
    if (rate === 0) return true;
    const nowMs = performance.now();
    let bucket = this.#buckets.get(address);
    if (!bucket) {
      if (this.#buckets.size >= maxAddresses) {
        const oldest = this.#buckets.keys().next().value;
        if (oldest !== undefined) this.#buckets.delete(oldest);
      }
      bucket = { tokens: rate * 2, filledAtMs: nowMs };
      this.#buckets.set(address, bucket);
    }
    bucket.tokens = Math.min(rate * 2, bucket.tokens + ((nowMs - bucket.filledAtMs) * rate) / 1000);
    bucket.filledAtMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return true;
    }
    if (this.#isExempt(address)) return true;
    this.droppedCount++;
    return false;
  }

  /** @returns whether it may stay; call `disconnected` later only then */
  connected(address: string): boolean {
    const count = this.#connections.get(address) ?? 0;
    const isTooMany = count >= this.#limits.maxConnectionsPerAddress && !this.#isExempt(address);
    if (isTooMany || this.#limits.isBanned?.(address) || this.#connectionCount >= this.#limits.maxConnections) {
      this.refusedConnectionCount++;
      return false;
    }
    this.#connections.set(address, count + 1);
    this.#connectionCount++;
    return true;
  }

  disconnected(address: string): void {
    const count = this.#connections.get(address) ?? 0;
    if (count <= 1) this.#connections.delete(address);
    else this.#connections.set(address, count - 1);
    this.#connectionCount--;
  }

  #isExempt(address: string): boolean {
    return this.#exempt !== undefined && isInside(this.#exempt, address);
  }
}
