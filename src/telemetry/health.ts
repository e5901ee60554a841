// Owns: whether this node is alive and may be given work. May import: core.
import { statfs } from 'node:fs/promises';
import type { LoadState } from '#core/load-breaker.ts';
import type { SfuPort } from '#core/ports.ts';
import type { StorePort } from '#core/store-port.ts';

/** Reasons why something is not ready, for the operator to read; empty when it is. */
export type ReadinessCheck = () => readonly string[] | Promise<readonly string[]>;

export interface HealthOptions {
  readonly sfu: Pick<SfuPort, 'problems'>;
  readonly store: Pick<StorePort, 'count'>;
  /** Folder whose disk must not fill up. */
  readonly dataFolder: string;
  readonly minFreeBytes?: number;
  /** What is refused for too much load. */
  readonly load?: { readonly state: LoadState } | undefined;
  /** A check that has not answered by then is a problem itself. */
  readonly checkTimeoutMs?: number;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly problems: readonly { readonly part: string; readonly message: string }[];
  /** It may be ready and refuse some things all the same. */
  readonly load: LoadState;
}

const noLoad: LoadState = { shedding: [], reason: '' };

const answersAreGoodForMs = 1_000;

export class Health {
  readonly startedAtMs = Date.now();
  readonly #checks = new Map<string, ReadinessCheck>();
  readonly #checkTimeoutMs: number;
  readonly #load: HealthOptions['load'];
  /** Undefined while it takes work. */
  #drainReason: string | undefined;
  #last: { readonly atMs: number; readonly problems: Promise<Readiness['problems']> } | undefined;

  constructor(options: HealthOptions) {
    const { sfu, store, dataFolder, minFreeBytes = 200_000_000 } = options;
    this.#checkTimeoutMs = options.checkTimeoutMs ?? 2_000;
    this.#load = options.load;
    this.addCheck('sfu', () => sfu.problems());
    this.addCheck('store', async () => {
      await store.count('rooms');
      return [];
    });
    this.addCheck('disk', () => checkDisk(dataFolder, minFreeBytes));
  }

  get isDraining(): boolean {
    return this.#drainReason !== undefined;
  }

  /** For parts that come later: NATS, a SIP registrar, media workers. */
  addCheck(part: string, check: ReadinessCheck): void {
    this.#checks.set(part, check);
  }

  /** @param reason for the operator; may be empty */
  drain(reason = ''): void {
    this.#drainReason = reason;
  }

  undrain(): void {
    this.#drainReason = undefined;
  }

  /** Alive is who can answer: it depends on nothing outside, so that no outage elsewhere gets this process killed. */
  live(): { status: 'ok'; uptimeMs: number } {
    return { status: 'ok', uptimeMs: Date.now() - this.startedAtMs };
  }

  /** What has to be looked at is kept for a second, so that nobody loads the node by asking; what is known here is as it is now. */
  async ready(): Promise<Readiness> {
    const now = performance.now();
    if (!this.#last || now - this.#last.atMs > answersAreGoodForMs) {
      this.#last = { atMs: now, problems: this.#check() };
    }
    const found = await this.#last.problems;
    const load = this.#load?.state ?? noLoad;
    const problems = [
      ...drainProblems(this.#drainReason).map((message) => ({ part: 'server', message })),
      ...found,
      ...loadProblems(load).map((message) => ({ part: 'load', message })),
    ];
    return { isReady: problems.length === 0, problems, load };
  }

  async #check(): Promise<Readiness['problems']> {
    const parts = await Promise.all(
      [...this.#checks].map(async ([part, check]) => (await this.#run(check)).map((message) => ({ part, message }))),
    );
    return parts.flat();
  }

  async #run(check: ReadinessCheck): Promise<readonly string[]> {
    const { promise: late, resolve } = Promise.withResolvers<readonly string[]>();
    const timer = setTimeout(() => resolve(['Did not answer in time.']), this.#checkTimeoutMs);
    try {
      return await Promise.race([check(), late]);
    } catch (thrown) {
      return [thrown instanceof Error ? thrown.message : 'Failed.'];
    } finally {
      clearTimeout(timer);
    }
  }
}

function drainProblems(reason: string | undefined): readonly string[] {
  if (reason === undefined) return [];
  return [`Draining: takes no new participants and no new work.${reason === '' ? '' : ` Reason: ${reason}.`}`];
}

/** Without new jobs it still takes people: a load balancer is sent away together with them. */
function loadProblems({ shedding, reason }: LoadState): readonly string[] {
  if (!shedding.includes('joins')) return [];
  const layers = shedding.includes('layers') ? ' Video is sent in its lowest layer.' : '';
  return [`Overloaded: takes no new jobs and participants.${layers} ${reason}.`];
}

async function checkDisk(folder: string, minFreeBytes: number): Promise<readonly string[]> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= minFreeBytes) return [];
  const megabytes = (bytes: number) => `${Math.floor(bytes / 1e6)} MB`;
  return [
    `Disk nearly full: ${megabytes(freeBytes)} free, less than ${megabytes(minFreeBytes)}. Make room in the data folder.`,
  ];
}
