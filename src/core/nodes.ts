// Owns: the gateways that work together, each a node: what an operator sees of one, and taking it out of service. May
// import: core only.
import { GatewayError } from './errors.ts';
import type { EventSink } from './gateway-events.ts';
import type { NodeId } from './ids.ts';
import { Owned } from './lifecycle.ts';
import type { LoadReading, LoadState } from './load-breaker.ts';
import type { Logger, MediaWorkerInfo, SfuWorkerInfo } from './ports.ts';

/** One that listens; a range where `lastPort` is another. */
export interface NodePort {
  readonly name: string;
  readonly port: number;
  readonly lastPort: number;
}

/** What is going on here: what a drain waits for. */
export interface NodeWork {
  /** In use. */
  readonly rooms: number;
  readonly participants: number;
  readonly calls: number;
  readonly jobs: number;
}

export interface NodeDrain {
  /** As the operator gave it; may be empty. */
  readonly reason: string;
  readonly sinceMs: number;
}

/** What the node itself measures. */
export interface NodeVitals {
  readonly version: string;
  readonly runtime: string;
  readonly startedAtMs: number;
  readonly cores: number;
  readonly isReady: boolean;
  readonly problems: readonly { readonly part: string; readonly message: string }[];
  /** Undefined where nothing is measured. */
  readonly reading: LoadReading | undefined;
  readonly load: LoadState;
  readonly control: { readonly pid: number; readonly cpuMs: number; readonly rssBytes: number };
  readonly sfuWorkers: readonly SfuWorkerInfo[];
  readonly mediaWorkers: readonly MediaWorkerInfo[];
  readonly work: NodeWork;
  readonly ports: readonly NodePort[];
}

export interface NodeInfo extends NodeVitals {
  readonly id: NodeId;
  readonly isSelf: boolean;
  /** `drained`: and nothing is left. */
  readonly state: 'active' | 'draining' | 'drained';
  readonly drain: NodeDrain | undefined;
}

/** All nodes, asked by any of them. */
export interface NodesPort {
  list(): Promise<readonly NodeInfo[]>;
  /** @param id `self` is the one that is asked @throws GatewayError `not_found` */
  read(id: string): Promise<NodeInfo>;
  /** It takes nothing new from now on; what is going on goes on. @throws GatewayError `not_found` */
  drain(id: string, reason: string): Promise<NodeInfo>;
  /** @throws GatewayError `not_found`, `draining` (it is being shut down) */
  undrain(id: string): Promise<NodeInfo>;
}

/** A part that can refuse new work for a while. */
export interface Drainable {
  drain(reason: string): void;
  undrain(): void;
}

export interface OwnNodeOptions {
  readonly id: NodeId;
  readonly parts: readonly Drainable[];
  readonly work: () => NodeWork;
  readonly vitals: () => Promise<NodeVitals>;
  readonly eventLog: EventSink;
  readonly log: Logger;
  /** How often it looks whether something is left. */
  readonly tickMs?: number;
}

/**
 * ```
 *  active ──drain──► draining ──nothing left──► drained
 *    ▲                  └────────undrain──────────┘
 *    └──────────────────────────────────────────────
 * ```
 */
export class OwnNode extends Owned implements NodesPort {
  readonly #options: OwnNodeOptions;
  #drain: NodeDrain | undefined;
  #isForGood = false;
  #isEmptied = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OwnNodeOptions) {
    super();
    this.#options = options;
  }

  async list(): Promise<readonly NodeInfo[]> {
    return [await this.#describe()];
  }

  async read(id: string): Promise<NodeInfo> {
    this.#assertSelf(id);
    return this.#describe();
  }

  async drain(id: string, reason: string): Promise<NodeInfo> {
    this.#assertSelf(id);
    this.beginDrain(reason, {});
    return this.#describe();
  }

  async undrain(id: string): Promise<NodeInfo> {
    this.#assertSelf(id);
    // Whoever came in now would be cut off when its time is over.
    if (this.#isForGood) throw new GatewayError('draining', 'It is being shut down and takes no work again.');
    if (this.#drain) this.#endDrain();
    return this.#describe();
  }

  /**
   * Once more is no news, but for another reason.
   * @param facts for whoever follows the event; with `timeoutMs` it ends with the process, and nothing takes it back
   */
  beginDrain(reason: string, facts: { readonly timeoutMs?: number }): void {
    const { parts, eventLog, log, work, tickMs = 500 } = this.#options;
    this.#isForGood ||= facts.timeoutMs !== undefined;
    if (this.#drain?.reason === reason) return;
    const sinceMs = this.#drain?.sinceMs ?? Date.now();
    this.#drain = { reason, sinceMs };
    for (const part of parts) part.drain(reason);
    log.info({ reason, ...work() }, 'draining');
    eventLog.emit('node.draining', { id: this.#options.id, reason, ...facts, ...work() });
    this.#timer ??= setInterval(() => this.#noteLeft(), tickMs).unref();
    this.#noteLeft();
  }

  #endDrain(): void {
    const { parts, eventLog, log, id } = this.#options;
    this.#drain = undefined;
    this.#isEmptied = false;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const part of parts) part.undrain();
    log.info({}, 'takes work again');
    eventLog.emit('node.undrained', { id });
  }

  #noteLeft(): void {
    const { work, eventLog, log, id } = this.#options;
    if (this.#isEmptied || !isNothing(work())) return;
    this.#isEmptied = true;
    log.info({}, 'drained: nothing is left');
    eventLog.emit('node.drained', { id, reason: this.#drain?.reason ?? '' });
  }

  #assertSelf(id: string): void {
    if (id === 'self' || id === this.#options.id) return;
    throw new GatewayError('not_found', `There is no node "${id.slice(0, 64)}".`);
  }

  async #describe(): Promise<NodeInfo> {
    const { id, vitals } = this.#options;
    const measured = await vitals();
    const drain = this.#drain;
    // What is shown has been told.
    if (drain) this.#noteLeft();
    const state = !drain ? 'active' : this.#isEmptied && isNothing(measured.work) ? 'drained' : 'draining';
    return { ...measured, id, isSelf: true, state, drain };
  }

  protected override onClose(): void {
    clearInterval(this.#timer);
  }
}

const isNothing = ({ participants, calls, jobs }: NodeWork) => participants + calls + jobs === 0;
