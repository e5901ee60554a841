// Owns: one thing that takes the media of an egress, as the control process sees it. May import: core only.
import { EventEmitter } from 'node:events';
import type { AnalysisLevels, Finding } from './analysis-messages.ts';
import type { EgressCommand, EgressSinkSpec, EgressSinkStatus } from './egress-messages.ts';
import { Owned } from './lifecycle.ts';

/** A sink finishes what it has when it is dropped; one that does not say so is not waited for any longer. */
const finishTimeoutMs = 10_000;

export interface EgressSinkInfo extends EgressSinkStatus {
  readonly atMs: number;
}

/** Closed when its owner wants it no more, or when it has ended or failed by itself. */
export class EgressSinkHandle extends Owned {
  readonly id: number;
  readonly spec: EgressSinkSpec;
  readonly events = new EventEmitter<{
    changed: [info: EgressSinkInfo];
    /** Of one that analyses. */
    analysed: [findings: readonly Finding[], levels: AnalysisLevels];
  }>();
  readonly #send: (command: EgressCommand) => void;
  readonly #finished = Promise.withResolvers<void>();
  #isPaused: boolean;
  #info: EgressSinkInfo = { state: 'starting', reason: 'requested', message: 'Setting up.', atMs: Date.now() };
  #bytesBefore = 0;
  #bytes = 0;

  /** @param send to the job that runs now, if one does */
  constructor(id: number, spec: EgressSinkSpec, isPaused: boolean, send: (command: EgressCommand) => void) {
    super();
    this.id = id;
    this.spec = spec;
    this.#isPaused = isPaused;
    this.#send = send;
  }

  get info(): EgressSinkInfo {
    return this.#info;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** In all the workers that it has been in. */
  get bytesOut(): number {
    return this.#bytesBefore + this.#bytes;
  }

  pause(): void {
    this.#setPaused(true);
  }

  resume(): void {
    this.#setPaused(false);
  }

  /** @internal by the egress: a worker that knows nothing runs the job now */
  tell(): void {
    if (!this.isClosed) {
      this.#send({ type: 'putEgressSink', sinkId: this.id, sink: this.spec, isPaused: this.#isPaused });
    }
  }

  /** @internal by the egress */
  note(status: EgressSinkStatus): void {
    this.#info = { ...status, atMs: Date.now() };
    this.events.emit('changed', this.#info);
    if (status.state !== 'ended' && status.state !== 'failed') return;
    this.#finished.resolve();
    void this.close(status.state === 'failed' ? 'failed' : 'requested');
  }

  /** @internal by the egress */
  measure(bytes: number): void {
    if (bytes < this.#bytes) this.#bytesBefore += this.#bytes;
    this.#bytes = bytes;
  }

  /** @internal by the egress: nobody is there who could finish it */
  forsake(): void {
    this.#finished.resolve();
  }

  #setPaused(isPaused: boolean): void {
    if (this.isClosed || isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#send({ type: 'pauseEgressSink', sinkId: this.id, isPaused });
  }

  protected override async onClose(): Promise<void> {
    if (this.#info.state !== 'ended' && this.#info.state !== 'failed') {
      this.#send({ type: 'dropEgressSink', sinkId: this.id });
      const timer = setTimeout(() => this.#finished.resolve(), finishTimeoutMs);
      await this.#finished.promise;
      clearTimeout(timer);
    }
    this.events.removeAllListeners();
  }
}
