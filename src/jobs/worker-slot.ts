// Owns: the place of one media worker in the pool, which stays while workers in it come and go: its RTP port, the links
// to rooms and the jobs.
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger, SfuRoom } from '#core/ports.ts';
import type { LiveMessage } from '#media/live-pipe.ts';
import type { FromWorkerMessage } from '#media/protocol.ts';
import type { JobRun } from './job-run.ts';
import type { MediaWorker } from './media-worker.ts';
import type { PlacementWorker } from './placement.ts';
import { RoomLink } from './room-link.ts';

/** Deaths within this time count together. */
const deathMemoryMs = 60_000;
/** So many are answered at once; then each waits twice as long as the last. */
const promptRestarts = 3;
const firstDelayMs = 250;
const longestDelayMs = 5_000;
/** Something in here kills every worker it gets: its jobs fail. */
const maxDeaths = 8;

export interface WorkerSlotOptions {
  readonly id: number;
  readonly log: Logger;
  /** A worker that says hello soon; the warm spare where there is one. */
  readonly takeWorker: () => MediaWorker;
  readonly onLive: (message: LiveMessage) => void;
  readonly onMessage: (slot: WorkerSlot, message: FromWorkerMessage) => void;
}

export class WorkerSlot extends Owned {
  readonly id: number;
  readonly runs = new Set<JobRun>();
  /** Placed here while the worker starts: they count before they run. */
  readonly #coming = new Set<JobRun>();
  readonly #options: WorkerSlotOptions;
  readonly #log: Logger;
  readonly #links = new Map<SfuRoom, Promise<RoomLink>>();
  #worker: MediaWorker;
  #whenReady: Promise<void>;
  #rtpPort = 0;
  #deathsMs: number[] = [];
  restarts = 0;

  constructor(options: WorkerSlotOptions) {
    super();
    this.id = options.id;
    this.#options = options;
    this.#log = options.log.child({ slot: options.id });
    this.#worker = this.#adopt(options.takeWorker());
    this.#whenReady = this.#configure(this.#worker);
    // Told to whoever starts a job, and by its death.
    this.#whenReady.catch(() => undefined);
  }

  get worker(): MediaWorker {
    return this.#worker;
  }

  get costMsPerS(): number {
    let sum = 0;
    for (const run of [...this.runs, ...this.#coming]) sum += run.job.costMsPerS;
    return sum;
  }

  /** @param room that a job is to come from, if one is to come */
  describe(room?: SfuRoom): PlacementWorker {
    return {
      id: this.id,
      costMsPerS: this.costMsPerS,
      measuredMsPerS: this.#worker.measuredMsPerS,
      rssBytes: this.#worker.heartbeat?.rssBytes ?? 0,
      hasRoom: room !== undefined && this.#links.has(room),
    };
  }

  /** @throws GatewayError `media_lost` when neither the worker nor the room's SFU side is there */
  async start(run: JobRun): Promise<void> {
    this.#coming.add(run);
    try {
      await this.#whenReady;
    } finally {
      this.#coming.delete(run);
    }
    this.runs.add(run);
    try {
      const link = await this.#linkTo(run.host.media);
      if (run.job.isClosed || !this.runs.has(run)) throw new GatewayError('closed', 'The job was stopped.');
      // The worker died while the link was made, and the next one has started it already.
      if (run.link) return;
      link.users += 1;
      run.startOn(this.#worker, link);
    } catch (error) {
      this.runs.delete(run);
      throw error;
    }
  }

  async relink(run: JobRun): Promise<void> {
    this.#release(run);
    await this.#whenReady;
    const link = await this.#linkTo(run.host.media);
    if (run.job.isClosed) return;
    link.users += 1;
    run.relink(link);
  }

  stop(run: JobRun): void {
    if (!this.runs.delete(run)) return;
    run.stop();
    this.#release(run);
  }

  #release(run: JobRun): void {
    const { link } = run;
    if (!link) return;
    link.users -= 1;
    if (link.users > 0 && !link.isClosed) return;
    this.#links.delete(link.room);
    link.close(this.#worker);
  }

  async #linkTo(room: SfuRoom): Promise<RoomLink> {
    const known = await this.#links.get(room)?.catch(() => undefined);
    if (known && !known.isClosed) return known;
    const pending = RoomLink.open(room, this.#worker);
    this.#links.set(room, pending);
    try {
      const link = await pending;
      link.transport.events.on('closed', () => this.#linkLost(link));
      return link;
    } catch (error) {
      if (this.#links.get(room) === pending) this.#links.delete(room);
      throw error;
    }
  }

  #linkLost(link: RoomLink): void {
    this.#links.delete(link.room);
    for (const run of this.runs) {
      if (run.link !== link) continue;
      run.job.move('reconnecting', 'sfu_lost', 'The media side of its room was lost; waiting for the new one.');
    }
  }

  #adopt(worker: MediaWorker): MediaWorker {
    worker.events.on('message', (message) => this.#options.onMessage(this, message));
    worker.events.on('live', (message) => this.#options.onLive(message));
    worker.events.on('died', (cause) => {
      if (worker === this.#worker && !this.isClosed) this.#revive(cause);
    });
    return this.own(worker);
  }

  async #configure(worker: MediaWorker): Promise<void> {
    await worker.configure(this.#rtpPort);
    const isSamePort = this.#rtpPort === worker.rtpPort || this.#rtpPort === 0;
    this.#rtpPort = worker.rtpPort;
    if (!isSamePort) await this.#closeLinks();
  }

  /** Its port was taken meanwhile: transports are tied to it, so rooms must be plumbed anew. */
  async #closeLinks(): Promise<void> {
    for (const pending of [...this.#links.values()]) (await pending.catch(() => undefined))?.close(undefined);
    this.#links.clear();
  }

  #revive(cause: string): void {
    const nowMs = Date.now();
    this.#deathsMs = [...this.#deathsMs.filter((atMs) => nowMs - atMs < deathMemoryMs), nowMs];
    this.restarts += 1;
    for (const run of this.runs) {
      run.detach();
      run.job.move('reconnecting', 'worker_lost', `Its media worker ${cause}; it is being started in another.`);
    }
    const deaths = this.#deathsMs.length;
    if (deaths > maxDeaths) {
      for (const run of [...this.runs]) {
        run.job.move('failed', 'worker_lost', `Media workers died ${deaths} times within a minute of running it.`);
      }
      this.#deathsMs = [];
    }
    this.#whenReady = this.#restart(deaths);
    // Whoever starts a job meanwhile gets the error; with nobody waiting, the next death brings the next try.
    this.#whenReady.catch((error) => this.#log.debug({ err: error }, 'media worker not restarted'));
  }

  async #restart(deaths: number): Promise<void> {
    if (deaths > promptRestarts) {
      const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (deaths - promptRestarts - 1));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
    if (this.isClosed) throw new GatewayError('closed', 'The gateway is stopping.');
    const worker = this.#adopt(this.#options.takeWorker());
    this.#worker = worker;
    await this.#configure(worker);
    for (const pending of this.#links.values()) (await pending.catch(() => undefined))?.tell(worker);
    await Promise.all([...this.runs].map((run) => this.#startAgain(run, worker)));
  }

  async #startAgain(run: JobRun, worker: MediaWorker): Promise<void> {
    try {
      const link = await this.#linkTo(run.host.media);
      if (run.job.isClosed || worker !== this.#worker) return;
      if (run.link !== link) link.users += 1;
      run.job.restarts += 1;
      run.startOn(worker, link);
    } catch (error) {
      run.log.warn({ err: error }, 'job not started again');
      run.job.move('failed', 'sfu_lost', 'The room has no media side to go on with.');
    }
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    for (const run of [...this.runs]) this.stop(run);
    await this.#closeLinks();
  }
}
