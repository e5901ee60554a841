// Owns: which pictures of a source are worked at: all of them, or fewer where that is more than its process can do.
import { performance } from 'node:perf_hooks';
import { initialTempo, nextTempo, type TempoState, tempoSteps } from './tempo.ts';
import { restShare } from './view-clock.ts';

/** Until the source has shown its own. */
const likelyHz = 30;

export class PictureRate {
  readonly #loop: typeof performance.eventLoopUtilization;
  #tempo: TempoState = initialTempo;
  #utilization: ReturnType<typeof performance.eventLoopUtilization>;
  #sourceHz = likelyHz;
  #came = 0;
  #late = 0;
  #nextUs = Number.NEGATIVE_INFINITY;
  #restsUntilUs = Number.NEGATIVE_INFINITY;
  /** Since the start: those for which there was no time. */
  skipped = 0;

  constructor(loop = performance.eventLoopUtilization) {
    this.#loop = loop;
    this.#utilization = loop();
  }

  /** For each that comes. @returns whether it is to be worked at */
  takes(nowUs: number): boolean {
    this.#came += 1;
    const sourceUs = 1e6 / this.#sourceHz;
    if (this.#tempo.step > 0 && nowUs + sourceUs / 2 < this.#nextUs) return false;
    if (nowUs < this.#restsUntilUs) {
      this.#late += 1;
      this.skipped += 1;
      return false;
    }
    const stepUs = sourceUs / this.#share;
    this.#nextUs = Math.max(this.#nextUs + stepUs, nowUs + stepUs / 2);
    return true;
  }

  /** Of that time a part is left free: others of this process, and what comes meanwhile, are to be served, too. */
  noteWork(nowUs: number, tookUs: number): void {
    this.#restsUntilUs = nowUs + tookUs * restShare;
  }

  /** Once a second. @returns pictures a second that it is held to from now on */
  review(): number {
    const { utilization } = this.#loop(this.#utilization);
    this.#utilization = this.#loop();
    // A process that falls behind sees fewer than are sent.
    if (this.#came > 0 && this.#tempo.step === 0) this.#sourceHz = this.#came;
    else this.#sourceHz = Math.max(this.#sourceHz, this.#came);
    this.#tempo = nextTempo(this.#tempo, { utilization, skippedShare: this.#late / Math.max(1, this.#came) });
    this.#came = 0;
    this.#late = 0;
    return this.#sourceHz * this.#share;
  }

  get #share(): number {
    return tempoSteps[this.#tempo.step] ?? 1;
  }
}
