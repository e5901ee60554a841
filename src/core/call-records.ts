// Owns: records of calls that have ended: kept in the store, for so long and so many. May import: core only.
// A write to the disk costs as much as the rest of a short call, so that calls that end together are written together.
import { type CallInfo, callIdAt } from './call.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Logger } from './ports.ts';
import type { StorePort } from './store-port.ts';

export interface CallRecordsOptions {
  readonly store: StorePort;
  readonly max: number;
  readonly maxAgeDays: number;
  readonly log: Logger;
}

const collection = 'sip-calls';
const dayMs = 24 * 60 * 60 * 1_000;
const pruneEveryMs = 10 * 60 * 1_000;
const pageLength = 500;
/** So long at the most is a record in memory alone; a process that is killed in between has it in its log. */
const gatherMs = 100;
/** After a write of many: they come in a storm, and nothing else is done while the disk is waited for. */
const stormGatherMs = 400;
const stormCount = 64;
const maxGathered = 1_024;

export class CallRecords extends Owned {
  readonly #options: CallRecordsOptions;
  readonly #timer: NodeJS.Timeout;
  #gathered = new Map<string, CallInfo>();
  #flushTimer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isStorm = false;

  constructor(options: CallRecordsOptions) {
    super();
    this.#options = options;
    this.#timer = setInterval(() => void this.prune(), pruneEveryMs).unref();
  }

  /** A record that cannot be kept is in the log all the same, and keeps no call from ending. */
  add(info: CallInfo): void {
    if (this.#options.max === 0) return;
    this.#gathered.set(info.id, info);
    if (this.#gathered.size >= maxGathered || this.isClosed) void this.flush();
    else this.#flushTimer ??= setTimeout(() => void this.flush(), this.#isStorm ? stormGatherMs : gatherMs).unref();
  }

  /** Writes what was gathered. @returns when it and all before it are written; never rejects */
  flush(): Promise<void> {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#gathered.size === 0) return this.#writing;
    const { store, log } = this.#options;
    const documents = [...this.#gathered].map(([id, value]) => ({ id, value }));
    this.#gathered = new Map();
    this.#isStorm = documents.length > stormCount;
    const write = store.putAll(collection, documents).catch((err) => {
      log.error({ err, calls: documents.map(({ id }) => id) }, 'records of calls not kept');
    });
    // Not the values: each would hold the one before it, and with it every record that ever was.
    this.#writing = Promise.all([this.#writing, write]).then(() => undefined);
    return this.#writing;
  }

  async find(id: string): Promise<CallInfo | undefined> {
    await this.flush();
    return (await this.#options.store.get<CallInfo>(collection, id))?.value;
  }

  /** Newest first. @param after id of the last of the page before */
  async *list(after = ''): AsyncIterable<CallInfo> {
    await this.flush();
    for (let last = after; ; ) {
      const page = await this.#options.store.list<CallInfo>(collection, { after: last, limit: pageLength });
      for (const { value } of page) yield value;
      const end = page.at(-1);
      if (!end || page.length < pageLength) return;
      last = end.id;
    }
  }

  /** Deletes what is too old and what is too many. */
  async prune(nowMs = Date.now()): Promise<void> {
    const { max, maxAgeDays, log } = this.#options;
    try {
      await this.flush();
      await this.#deleteAfter(callIdAt(nowMs - maxAgeDays * dayMs));
      const count = await this.#options.store.count(collection);
      if (count > max) await this.#deleteAfter(await this.#idAt(max));
    } catch (err) {
      log.error({ err }, 'records of calls not pruned');
    }
  }

  async #deleteAfter(id: string): Promise<void> {
    const { store } = this.#options;
    for (;;) {
      const page = await store.list(collection, { after: id, limit: pageLength });
      for (const old of page) await store.delete(collection, old.id);
      if (page.length < pageLength || this.isClosed) return;
    }
  }

  /** Of the record at this place, counted from the newest, from 1. */
  async #idAt(place: number): Promise<string> {
    let last = '';
    for (let left = place; left > 0; ) {
      const page = await this.#options.store.list(collection, { after: last, limit: Math.min(left, pageLength) });
      last = page.at(-1)?.id ?? last;
      if (page.length === 0) break;
      left -= page.length;
    }
    return last;
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
