// Owns: the quantiser of each picture, so that an encoder that only does as it is told spends the bitrate that it was given.
// Pure arithmetic.

export interface RateControlOptions {
  readonly bitrateBps: number;
  readonly framerateHz: number;
}

export interface NextPicture {
  /** What it will cost to show, in whatever measure goes with the bits: differences of pixels. */
  readonly cost: number;
  readonly isKey: boolean;
  readonly ptsUs: number;
}

/** Of H264. What is better than the least cannot be told from the original. */
const leastQuantiser = 14;
const mostQuantiser = 51;
/** Beyond it pictures get no smaller on the whole: what is left out of one must be made up for in the next. */
const mostLastingQuantiser = 46;
/** Six steps double the width of a quantiser's step, which about halves the bits. */
const stepsPerHalf = 6;
/** Half a second is what a receiver gets late or early at most, like the buffer that FFmpeg's encoders are given. */
const mostDebtS = 0.25;
const mostCreditS = 0.25;
/** What is owed or saved beyond so much is paid back in so long; what is less comes and goes between two quantisers. */
const slackS = 0.08;
const repaymentS = 0.4;
/** How far back goes what pictures are thought to cost, in which none counts for more than so many. */
const memoryS = 0.6;
const mostTimesMean = 4;
/** A picture takes no more than so much of what is left, since what it costs is only guessed. */
const shareOfRoom = 0.6;
const shareOfRoomForKey = 0.8;
/** Even where there is no room left, a key picture that shows nothing helps nobody. */
const leastKeyS = 0.1;
const firstQuantiser = 34;
/** Key pictures are what the others are made from. */
const keyBonus = 2;
/** Bits at quantiser 0 for each unit of cost; measured, and learnt anew from each picture. */
const firstBitsPerCost = { key: 2.2, other: 1 };
const learningShare = 0.3;
/** Steps by which it may be wrong before it changes: each change to the better has x264 look at all that is still again. */
const tolerance = 0.75;
const picturesBetweenGains = 6;
/** With so much saved, what was asked for goes unspent. */
const muchSavedS = 0.15;
const picturesBetweenGainsThen = 2;
/** So far off there is no waiting. */
const farOff = 3;

export class RateControl {
  #bitrateBps: number;
  /** From one picture to the next, about. */
  #intervalS: number;
  #lastUs: number | undefined;
  /** What was spent beyond the bitrate; below 0 what was saved. */
  #debtBits: number;
  #quantiser = firstQuantiser;
  /** What pictures cost of late at quantiser 0. */
  #meanBits: number | undefined;
  #pictures = 0;
  readonly #bitsPerCost = { ...firstBitsPerCost };
  #sinceGain = 0;
  #current: { readonly cost: number; readonly isKey: boolean; readonly quantiser: number } | undefined;

  constructor({ bitrateBps, framerateHz }: RateControlOptions) {
    this.#bitrateBps = bitrateBps;
    this.#intervalS = 1 / framerateHz;
    // Nothing is under way yet, and what is shown well at the beginning is seen for long.
    this.#debtBits = -mostCreditS * bitrateBps;
  }

  setBitrate(bitrateBps: number): void {
    this.#bitrateBps = bitrateBps;
  }

  /** @returns the quantiser to encode it with; `spent` must be told what came of it */
  next({ cost, isKey, ptsUs }: NextPicture): number {
    this.#pass(ptsUs);
    const quantiser = isKey ? this.#forKey(cost) : this.#forOther(cost);
    this.#current = { cost, isKey, quantiser };
    return quantiser;
  }

  spent(bytes: number): void {
    const current = this.#current;
    if (!current) return;
    const bits = bytes * 8;
    this.#debtBits += bits;
    const { cost, isKey, quantiser } = current;
    const kind = isKey ? 'key' : 'other';
    const atZero = bits * 2 ** (quantiser / stepsPerHalf);
    if (cost > 0) {
      const past = this.#bitsPerCost[kind];
      // In proportion: twice too much and half too little are equally wrong.
      const factor = Math.min(4, Math.max(0.25, atZero / cost / past));
      this.#bitsPerCost[kind] = past * factor ** learningShare;
    }
    if (isKey) return;
    this.#pictures += 1;
    const share = Math.max(1 / this.#pictures, Math.min(1, this.#intervalS / memoryS));
    const mean = this.#meanBits ?? atZero;
    this.#meanBits = mean + (Math.min(atZero, mean * mostTimesMean) - mean) * share;
  }

  #pass(ptsUs: number): void {
    if (this.#lastUs !== undefined) {
      const passedS = Math.min(1, Math.max(0, (ptsUs - this.#lastUs) / 1e6));
      this.#intervalS += (Math.min(0.2, passedS) - this.#intervalS) * 0.1;
      this.#debtBits -= passedS * this.#bitrateBps;
    }
    this.#lastUs = ptsUs;
    this.#debtBits = Math.max(this.#debtBits, -mostCreditS * this.#bitrateBps);
  }

  #forKey(cost: number): number {
    const most = Math.min(this.#roomBits * shareOfRoomForKey, mostDebtS * this.#bitrateBps);
    const room = Math.max(leastKeyS * this.#bitrateBps, most);
    const least = quantiserFor(this.#bitsPerCost.key * cost, room);
    const quantiser = clamped(Math.max(this.#quantiser - keyBonus, Math.ceil(least)));
    // The next goes on from the last, or from this where there was no room for better.
    this.#quantiser = Math.max(this.#quantiser, quantiser);
    return quantiser;
  }

  #forOther(cost: number): number {
    this.#sinceGain += 1;
    const expected = this.#bitsPerCost.other * cost;
    const mean = this.#meanBits ?? expected;
    const wanted = Math.min(mostLastingQuantiser, quantiserFor(mean, this.#wantedBits));
    const off = wanted - this.#quantiser;
    // Not against what is owed or saved: else it would go to and fro between two.
    const mayRise = this.#debtBits > 0 || off > farOff;
    const isMuchSaved = this.#debtBits < -muchSavedS * this.#bitrateBps;
    const patience = isMuchSaved ? picturesBetweenGainsThen : picturesBetweenGains;
    const mayFall = (this.#debtBits < 0 && this.#sinceGain >= patience) || off < -farOff;
    if (off > tolerance && mayRise) this.#quantiser = Math.min(Math.round(wanted), this.#quantiser + 2);
    else if (off < -tolerance && mayFall) {
      this.#quantiser -= 1;
      this.#sinceGain = 0;
    }
    const room = Math.max(this.#wantedBits, this.#roomBits * shareOfRoom);
    this.#quantiser = clamped(Math.max(this.#quantiser, Math.ceil(quantiserFor(expected, room))));
    return this.#quantiser;
  }

  get #wantedBits(): number {
    const debtS = this.#debtBits / this.#bitrateBps;
    const repayment = (debtS - Math.min(slackS, Math.max(-slackS, debtS))) / repaymentS;
    return this.#bitrateBps * this.#intervalS * Math.min(1.5, Math.max(0.5, 1 - repayment));
  }

  get #roomBits(): number {
    return Math.max(0, mostDebtS * this.#bitrateBps - this.#debtBits);
  }
}

function quantiserFor(bitsAtZero: number, bits: number): number {
  return stepsPerHalf * Math.log2(Math.max(1e-9, bitsAtZero / Math.max(1, bits)));
}

function clamped(quantiser: number): number {
  return Math.min(mostQuantiser, Math.max(leastQuantiser, quantiser));
}
