// Owns: requests that begin calls, where more of them come than can be begun: what belongs to calls that are on goes before
// them. May import: core.
import { PassingMap } from '#core/passing-map.ts';

export interface CallBacklogOptions<Source> {
  /** `isLate`: it has waited for so long, or there are so many, that it is to be refused. */
  readonly onDue: (source: Source, bytes: Buffer, isLate: boolean) => void;
  /** An INVITE has waited for so long that its caller is to hear of it, or is one that has heard of it and came again. */
  readonly onWaiting: (source: Source, bytes: Buffer) => void;
  readonly nowMs?: () => number;
}

type Method = 'INVITE' | 'CANCEL';

interface Waiting<Source> {
  readonly source: Source;
  readonly bytes: Buffer;
  readonly key: string;
  readonly sinceMs: number;
  readonly method: Method;
  isTold: boolean;
}

/** Of a turn of the loop, which reads 32 datagrams: with an ACK and a BYE for each there is room for six times as many to come. */
const begunPerTurn = 4;
/** As many as come in a turn: what came in a moment is not told of in one. */
const toldPerTurn = 32;
/** Then a caller is to hear that its INVITE has come, or it would go on sending it (RFC 3261 §17.2.1). */
const tryingAfterMs = 200;
/** A caller that is answered later than this has mostly given up. */
const maxWaitMs = 8_000;
const maxWaitingBytes = 16 * 1024 * 1024;
/** Of what waits, beside its bytes. */
const bytesForEach = 512;

/**
 * An ACK that waits behind new calls has its answer sent again, a BYE that is lost leaves a call behind, and the datagrams of a
 * full socket are anybody's: where the calls of a second do not fit into a second, those are what makes of a delay a failure.
 */
export class CallBacklog<Source extends { readonly port: number; readonly address: string }> {
  readonly #options: CallBacklogOptions<Source>;
  readonly #nowMs: () => number;
  #waiting: Waiting<Source>[] = [];
  /** Those before it are begun. */
  #next = 0;
  /** Those before it have been told that they wait, or are begun. */
  #nextToTell = 0;
  #waitingBytes = 0;
  /** Callers repeat what is not answered, byte for byte: one of each waits. */
  readonly #byKey = new PassingMap<string, Waiting<Source>>();
  #begun = 0;
  #turn: NodeJS.Immediate | undefined;

  constructor(options: CallBacklogOptions<Source>) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** An INVITE is begun in this turn of the loop, or waits; a CANCEL comes after its INVITE. */
  take(source: Source, bytes: Buffer, method: Method): void {
    if (this.size === 0 && (method === 'CANCEL' || this.#begun < begunPerTurn)) {
      if (method === 'INVITE') this.#begun++;
      this.#turn ??= setImmediate(this.#onTurn);
      this.#options.onDue(source, bytes, false);
      return;
    }
    if (this.#waitingBytes >= maxWaitingBytes) {
      this.#options.onDue(source, bytes, true);
      return;
    }
    const key = `${source.port} ${source.address} ${bytes.toString('latin1')}`;
    const same = this.#byKey.get(key);
    if (same) {
      if (same.isTold) this.#options.onWaiting(source, bytes);
      return;
    }
    const waiting = { source, bytes, key, sinceMs: this.#nowMs(), method, isTold: false };
    this.#byKey.set(key, waiting);
    this.#waiting.push(waiting);
    this.#waitingBytes += bytesForEach + 2 * bytes.length;
    this.#turn ??= setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#turn = undefined;
    this.#begun = 0;
    if (this.size === 0) return;
    // Before whatever may be thrown: the rest still has its turn.
    this.#turn = setImmediate(this.#onTurn);
    const nowMs = this.#nowMs();
    const dueSinceMs = nowMs - maxWaitMs;
    while (this.#begun < begunPerTurn) {
      const first = this.#waiting[this.#next];
      if (!first) break;
      const { source, bytes, key, sinceMs } = first;
      this.#next++;
      this.#begun++;
      this.#byKey.delete(key);
      this.#waitingBytes -= bytesForEach + 2 * bytes.length;
      this.#options.onDue(source, bytes, sinceMs < dueSinceMs);
    }
    this.#tell(nowMs - tryingAfterMs);
    if (this.#next * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#nextToTell -= this.#next;
    this.#next = 0;
  };

  /** @param sinceMs of those that have come before */
  #tell(sinceMs: number): void {
    this.#nextToTell = Math.max(this.#nextToTell, this.#next);
    for (let told = 0; told < toldPerTurn; ) {
      const waiting = this.#waiting[this.#nextToTell];
      if (!waiting || waiting.sinceMs > sinceMs) return;
      this.#nextToTell++;
      if (waiting.method === 'CANCEL') continue;
      told++;
      waiting.isTold = true;
      this.#options.onWaiting(waiting.source, waiting.bytes);
    }
  }

  clear(): void {
    if (this.#turn) clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#byKey.clear();
    this.#waiting = [];
    this.#next = this.#nextToTell = this.#waitingBytes = this.#begun = 0;
  }
}
