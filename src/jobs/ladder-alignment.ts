// Owns: several encodings of the same pictures as one broadcast, whose segments begin at the same pictures. Pure. May import:
// core types.
import type { LiveFragment, LiveInit, LiveTrack } from '#core/live-media.ts';

export interface LadderAlignmentOptions {
  /** Encodings, the first of which leads and brings the sound. */
  readonly bitratesBps: readonly number[];
  /** Key pictures come so often. */
  readonly segmentUs: number;
  readonly onInit: (init: LiveInit) => void;
  readonly onFragment: (fragment: LiveFragment) => void;
  /** It goes on without this one; it comes back with its next initialisation. */
  readonly onLost: (rung: number) => void;
}

interface Lane {
  readonly rung: number;
  init: LiveInit | undefined;
  queue: LiveFragment[];
  isLost: boolean;
}

/** The same picture in two encodings: their times were rounded to ticks of RTP on the way. */
const sameUs = 5_000;
/** One that is so far behind the first is gone on without; its encoder may only begin. */
const startPatienceUs = 15_000_000;
const patienceUs = 2_000_000;
/** Key pictures that came because somebody asked for them begin no segment. */
const leastShare = 0.6;
const mostSegments = 3;
const maxHeld = 2_000;

/**
 * The first encoding leads. A key picture of it that all others have too begins a segment in all of them at once; until they
 * are seen to have it, it waits. What cannot be brought together begins anew, with an initialisation, at the next key
 * picture that they all have.
 */
export class LadderAlignment {
  readonly #options: LadderAlignmentOptions;
  readonly #leader: Lane;
  readonly #followers: readonly Lane[];
  /** Of the picture with which all began; undefined before. */
  #beganUs: number | undefined;
  #cutUs: number | undefined;
  #waitingSinceUs: number | undefined;

  constructor(options: LadderAlignmentOptions) {
    this.#options = options;
    const lane = (rung: number): Lane => ({ rung, init: undefined, queue: [], isLost: false });
    this.#leader = lane(0);
    this.#followers = options.bitratesBps.slice(1).map((_, index) => lane(index + 1));
  }

  /** Of one encoding: everything begins anew with it. */
  init(rung: number, init: LiveInit): void {
    const lane = this.#lanes.find((one) => one.rung === rung);
    if (!lane) return;
    lane.init = init;
    lane.queue = [];
    lane.isLost = false;
    this.#restart();
  }

  add(rung: number, fragment: LiveFragment): void {
    const lane = this.#lanes.find((one) => one.rung === rung);
    if (!lane || lane.isLost) return;
    if (fragment.kind === 'audio') {
      if (rung === 0 && this.#beganUs !== undefined && fragment.startUs >= this.#beganUs)
        this.#options.onFragment(fragment);
      return;
    }
    lane.queue.push({ ...fragment, rung });
    // The leader is silent: what the others go on with has nobody to follow.
    if (lane.queue.length > maxHeld) lane.queue.splice(0, maxHeld / 2);
    this.#advance();
  }

  /** One encoding has ended for good. */
  lose(rung: number): void {
    const lane = this.#followers.find((one) => one.rung === rung);
    if (lane && !lane.isLost) this.#lose(lane);
    this.#advance();
  }

  get #lanes(): readonly Lane[] {
    return [this.#leader, ...this.#followers];
  }

  get #following(): readonly Lane[] {
    return this.#followers.filter(({ isLost }) => !isLost);
  }

  #advance(): void {
    while (this.#step());
  }

  /** @returns whether something was done, and more can be */
  #step(): boolean {
    const [head] = this.#leader.queue;
    if (!head) return false;
    return this.#beganUs === undefined ? this.#tryToBegin(head) : this.#goOn(head);
  }

  #tryToBegin(head: LiveFragment): boolean {
    this.#waitingSinceUs ??= head.startUs;
    const last = this.#leader.queue.at(-1) ?? head;
    const isLate = last.startUs - this.#waitingSinceUs > startPatienceUs;
    const missing = this.#following.find(({ init, queue }) => !init || (isLate && queue.length === 0));
    if (missing && isLate) {
      this.#lose(missing);
      return true;
    }
    if (missing || !head.isKey) {
      this.#leader.queue.shift();
      return true;
    }
    const aligned = this.#isAligned(head.startUs, () => undefined);
    if (aligned === undefined) return false;
    if (!aligned) {
      this.#leader.queue.shift();
      return true;
    }
    this.#beganUs = head.startUs;
    this.#waitingSinceUs = undefined;
    this.#options.onInit(this.#joined());
    this.#cut(head.startUs);
    return true;
  }

  #goOn(head: LiveFragment): boolean {
    const sinceUs = head.startUs - (this.#cutUs ?? head.startUs);
    if (head.isKey && sinceUs >= this.#options.segmentUs * leastShare) {
      const aligned = this.#isAligned(head.startUs, (fragment) => this.#options.onFragment(fragment));
      if (aligned === undefined) return this.#giveUpOnTheLate(head);
      if (aligned) {
        this.#cut(head.startUs);
        return true;
      }
      if (sinceUs >= this.#options.segmentUs * mostSegments) {
        this.#restart();
        return true;
      }
    }
    this.#leader.queue.shift();
    this.#options.onFragment(head);
    for (const lane of this.#following) {
      this.#takeUntil(lane, head.startUs + sameUs, (fragment) => this.#options.onFragment(fragment));
    }
    return true;
  }

  /** @returns undefined while one of the others has not come so far */
  #isAligned(startUs: number, onEarlier: (fragment: LiveFragment) => void): boolean | undefined {
    for (const lane of this.#following) this.#takeUntil(lane, startUs - sameUs, onEarlier);
    const heads = this.#following.map(({ queue }) => queue[0]);
    if (heads.some((head) => head && (!head.isKey || head.startUs > startUs + sameUs))) return false;
    return heads.every((head) => head) ? true : undefined;
  }

  #takeUntil({ queue }: Lane, beforeUs: number, take: (fragment: LiveFragment) => void): void {
    for (let [head] = queue; head && head.startUs < beforeUs; [head] = queue) {
      queue.shift();
      take(head);
    }
  }

  #cut(startUs: number): void {
    this.#cutUs = startUs;
    for (const { queue, isLost } of this.#lanes) {
      const head = queue.shift();
      if (head && !isLost) this.#options.onFragment({ ...head, isCut: true });
    }
  }

  #giveUpOnTheLate(head: LiveFragment): boolean {
    const last = this.#leader.queue.at(-1) ?? head;
    const late = this.#following.find(({ queue }) => queue.length === 0);
    if (!late || last.startUs - head.startUs < patienceUs) return false;
    this.#lose(late);
    return true;
  }

  #lose(lane: Lane): void {
    lane.isLost = true;
    lane.queue = [];
    this.#restart();
    this.#options.onLost(lane.rung);
  }

  #restart(): void {
    this.#beganUs = undefined;
    this.#cutUs = undefined;
    this.#waitingSinceUs = undefined;
  }

  #joined(): LiveInit {
    const { bitratesBps } = this.#options;
    const led = this.#leader.init;
    if (!led) throw new Error('A ladder begins with the initialisation of its first encoding.');
    const pictureOf = (lane: Lane): LiveTrack[] => {
      const track = lane.init?.tracks.find(({ kind }) => kind === 'video');
      return track ? [{ ...track, rung: lane.rung, bitrateBps: bitratesBps[lane.rung] }] : [];
    };
    const tracks = led.tracks.map((track) =>
      track.kind === 'video' ? { ...track, bitrateBps: bitratesBps[0] } : track,
    );
    return { ...led, tracks, rungs: this.#following.flatMap(pictureOf) };
  }
}
