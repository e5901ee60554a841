// Owns: which other codecs the pictures of an egress are wanted in now: a recoder for each, gone with the last who wants it.
// May import: its neighbours.
import type { RecodeSpec } from '#core/egress-messages.ts';
import { encodingCostMsPerS } from '../mixer/encoder-registry.ts';
import { Recoder } from './recoder.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export interface RecodersOptions {
  readonly described: (key: string, stream: EgressStream) => void;
  readonly unit: (key: string, unit: EgressUnit) => void;
  readonly failed: (key: string, message: string, isOverloaded: boolean) => void;
  /** @returns undefined when the job may cost so much from now on, else why it may not */
  readonly askCost: (costMsPerS: number) => Promise<string | undefined>;
}

export const recodeKey = ({ codec, bitrateBps, framerateHz }: RecodeSpec) => `${codec}@${bitrateBps}/${framerateHz}`;

interface Entry {
  readonly wish: RecodeSpec;
  readonly recoder: Recoder;
  /** Leave was given for what it costs. */
  isGranted: boolean;
}

export class Recoders implements Disposable {
  readonly #options: RecodersOptions;
  readonly #entries = new Map<string, Entry>();
  #source: EgressStream | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(options: RecodersOptions) {
    this.#options = options;
  }

  setWanted(wishes: readonly RecodeSpec[]): void {
    const wanted = new Map(wishes.map((wish) => [recodeKey(wish), wish]));
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) this.#drop(key, entry);
    for (const [key, wish] of wanted) if (!this.#entries.has(key)) this.#add(key, wish);
  }

  stream(key: string): EgressStream | undefined {
    return this.#entries.get(key)?.recoder.stream;
  }

  requestKeyFrame(key: string): void {
    this.#entries.get(key)?.recoder.requestKeyFrame();
  }

  /** The pictures that there are, and what they are from the next unit on. */
  describe(source: EgressStream): void {
    this.#source = source;
  }

  write(unit: EgressUnit): void {
    const source = this.#source;
    if (!source || this.#entries.size === 0) return;
    for (const { recoder, isGranted } of this.#entries.values()) if (isGranted) recoder.write(unit, source);
    if ([...this.#entries.values()].some(({ isGranted }) => !isGranted)) void this.#ask(source);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }

  #add(key: string, wish: RecodeSpec): void {
    const recoder = new Recoder(wish, {
      described: (stream) => this.#options.described(key, stream),
      unit: (unit) => this.#options.unit(key, unit),
      failed: (message) => this.#fail(key, message, false),
    });
    this.#entries.set(key, { wish, recoder, isGranted: false });
  }

  #drop(key: string, { recoder, isGranted }: Entry): void {
    this.#entries.delete(key);
    // Not now: it may be its own unit that made its last taker leave.
    setImmediate(() => recoder[Symbol.dispose]());
    if (isGranted && !this.#isClosed) void this.#giveBack();
  }

  /** Nothing is left of it: whoever wants the same later is not given one that is over, and nobody asks for it again. */
  #fail(key: string, message: string, isOverloaded: boolean): void {
    this.#options.failed(key, message, isOverloaded);
    const entry = this.#entries.get(key);
    if (entry) this.#drop(key, entry);
  }

  /** Once the size is known: the cost goes by it. */
  async #ask(source: EgressStream): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const asked = [...this.#entries];
    const refusal = await this.#options.askCost(costOf(asked, source));
    this.#isAsking = false;
    if (this.#isClosed) return;
    // Leave was given for those, too.
    if (asked.some(([key, entry]) => this.#entries.get(key) !== entry)) void this.#giveBack();
    for (const [key, entry] of asked) {
      if (entry.isGranted || this.#entries.get(key) !== entry) continue;
      if (refusal === undefined) entry.isGranted = true;
      else this.#fail(key, refusal, true);
    }
  }

  /** What is not made any more costs nothing; one question after the other, as answers do not say which they are of. */
  async #giveBack(): Promise<void> {
    if (this.#isAsking || !this.#source) return;
    this.#isAsking = true;
    const kept = [...this.#entries].filter(([, { isGranted }]) => isGranted);
    await this.#options.askCost(costOf(kept, this.#source));
    this.#isAsking = false;
    if (!this.#isClosed && kept.some(([key, entry]) => this.#entries.get(key) !== entry)) void this.#giveBack();
  }
}

function costOf(entries: readonly (readonly [string, Entry])[], { width = 0, height = 0 }: EgressStream): number {
  return entries.reduce((sum, [, { wish }]) => {
    return sum + encodingCostMsPerS({ ...wish, profile: 'baseline', width, height, keyFrameIntervalS: 2 });
  }, 0);
}
