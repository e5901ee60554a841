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
  /** What is left then is sent away; undefined: it goes on for as long as it likes. */
  readonly endsAtMs: number | undefined;
}

export interface DrainWish {
  /** For people. */
  readonly reason: string;
  readonly timeoutMs?: number | undefined;
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
  /** It takes nothing new from now on; what is going on goes on, at the most until the time is over. @throws GatewayError `not_found` */
  drain(id: string, wish: DrainWish): Promise<NodeInfo>;
  /** @throws GatewayError `not_found`, `draining` (it is being shut down) */
  undrain(id: string): Promise<NodeInfo>;
}

/** A part that is told of a drain. */
export interface DrainPart {
  /** Refuses new work from now on. */
  drain?(reason: string): void;
  undrain?(): void;
  /** Asks those that can to go elsewhere: they are sent away in so long; null: they may stay after all. */
  hurry?(closesInMs: number | null): void;
  /** Sends away whoever is still there; called again while there is somebody. */
  evict?(): void;
}

/** A part that can refuse new work for a while. */
export type Drainable = DrainPart & Required<Pick<DrainPart, 'drain' | 'undrain'>>;

export interface OwnNodeOptions {
  readonly id: NodeId;
  readonly parts: readonly DrainPart[];
  readonly work: () => NodeWork;
  readonly vitals: () => Promise<NodeVitals>;
  readonly eventLog: EventSink;
  readonly log: Logger;
  /** How often it looks whether something is left. */
  readonly tickMs?: number;
}

/**
 * ```
 *  active ──drain──► draining ──nothing left, or sent away──► drained
 *    ▲                  └────────────────undrain────────────────┘
 *    └────────────────────────────────────────────────────────────
 * ```
 */
export class OwnNode extends Owned implements NodesPort {
  readonly #options: OwnNodeOptions;
  #drain: NodeDrain | undefined;
  #isForGood = false;
  #isEmptied = false;
  #hasEvicted = false;
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

  async drain(id: string, wish: DrainWish): Promise<NodeInfo> {
    this.#assertSelf(id);
    // One that ends with the process has its own time, which is not taken back.
    if (!this.#isForGood) this.beginDrain(wish);
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
   * Once more is no news, but for another reason or another time.
   * @param options.isForGood it ends with the process, and nothing takes it back
   */
  beginDrain({ reason, timeoutMs }: DrainWish, { isForGood = false } = {}): void {
    const { parts, eventLog, log, work, tickMs = 500 } = this.#options;
    this.#isForGood ||= isForGood;
    const past = this.#drain;
    if (past && past.reason === reason && timeoutMs === undefined && past.endsAtMs === undefined) return;
    const nowMs = Date.now();
    const endsAtMs = timeoutMs === undefined ? undefined : nowMs + timeoutMs;
    this.#drain = { reason, sinceMs: past?.sinceMs ?? nowMs, endsAtMs };
    for (const part of parts) part.drain?.(reason);
    log.info({ reason, timeoutMs, ...work() }, 'draining');
    const time = timeoutMs === undefined ? {} : { timeoutMs };
    eventLog.emit('node.draining', { id: this.#options.id, reason, ...time, ...work() });
    if (timeoutMs !== undefined || past?.endsAtMs !== undefined) this.#hurry(timeoutMs ?? null);
    this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
    this.#tick();
  }

  #hurry(closesInMs: number | null): void {
    for (const part of this.#options.parts) part.hurry?.(closesInMs);
  }

  #tick(): void {
    const { endsAtMs } = this.#drain ?? {};
    // A process that ends closes everything by itself, in its own order.
    if (endsAtMs !== undefined && endsAtMs <= Date.now() && !this.#isForGood) this.#evict();
    this.#noteLeft();
  }

  /** Once for who is not counted, as lone viewers are not, and again at each tick for who was on the way in when it began. */
  #evict(): void {
    const { work, parts, eventLog, log, id } = this.#options;
    const left = work();
    if (this.#hasEvicted && isNothing(left)) return;
    if (!this.#hasEvicted && !isNothing(left)) {
      log.info({ ...left }, 'the time of the drain is over: what is left is sent away');
      eventLog.emit('node.evicting', { id, reason: this.#drain?.reason ?? '', ...left });
    }
    this.#hasEvicted = true;
    for (const part of parts) part.evict?.();
  }

  #endDrain(): void {
    const { parts, eventLog, log, id } = this.#options;
    if (this.#drain?.endsAtMs !== undefined) this.#hurry(null);
    this.#drain = undefined;
    this.#isEmptied = this.#hasEvicted = false;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const part of parts) part.undrain?.();
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
