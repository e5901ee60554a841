// Owns: the adaptive jitter buffer of one audio stream: which packet is played when. Pure: the clock is handed in.
import { seqDistance, timestampDistance } from '../rtp/sequence.ts';

const minTargetMs = 40;
const maxTargetMs = 120;
const slots = 64;
/** A slot is one line of the cache: number, time stamp, duration, payload type, level, kind, where its bytes lie. */
const slotFields = 8;
const timestampField = 1;
const durationField = 2;
const typeField = 3;
const levelField = 4;
const kindField = 5;
const offsetField = 6;
const lengthField = 7;
const kinds = ['audio', 'comfort_noise', 'skip'] as const;
const empty = -1;
const frameMs = 20;
/** A packet further away than this begins a new stream. */
const maxSeqJump = 100;
const maxTimestampJumpMs = 2_000;
/** Lateness is counted in steps of 5 ms up to 200 ms. */
const binMs = 5;
const bins = 41;
const reviewPackets = 50;
/** The lowest delay of the network is taken over the last one or two of these, so that drifting clocks are followed. */
const baselineMs = 5_000;

export type Slot = (typeof kinds)[number];
/** `wait`: nothing is due (silence suppression, or not begun). `lost`: something was due and is not there. */
export type Popped = 'audio' | 'comfort_noise' | 'lost' | 'wait';

const nothing = new Uint8Array(0);

/** Concealing longer than this sounds worse than silence. */
const maxConcealedFrames = 5;

/**
 * Packets go in as they arrive and come out at a pace of 20 ms, `targetMs` after the moment at which the fastest packets
 * would have come. The target is what 97 of 100 packets keep, plus one frame for the clock of the mix.
 */
export class JitterBuffer {
  readonly #clockRateHz: number;
  readonly #memories: (Uint8Array | undefined)[] = new Array(slots);
  readonly #slots = new Float64Array(slots * slotFields);
  readonly #lateness = new Float32Array(bins);
  #packetsSinceReview = 0;
  #targetMs = minTargetMs;
  #isSynced = false;
  #isPlaying = false;
  #lastSeq = 0;
  #lastTimestamp = 0;
  /** Extended numbers of the next packet, and of the next sample, to be played. */
  #nextSeq = 0;
  #playTicks = 0;
  #highestSeq = 0;
  #firstArrivalMs = 0;
  #lastArrivalMs = 0;
  #baseMs = 0;
  #nextBaseMs = Number.POSITIVE_INFINITY;
  #baseSinceMs = 0;
  #excessFrames = 0;
  #concealed = 0;
  /** Silence that was meant: nothing to conceal. */
  #isQuietGap = true;
  /** Made to play later: the frame that is put in is made up, as for a loss. */
  #isStretching = false;
  /** What the last `pop()` gave: `length` bytes from `offset` on. */
  bytes: Uint8Array = nothing;
  offset = 0;
  length = 0;
  payloadType = 0;
  levelDbov = -127;
  durationTicks = 0;
  lateCount = 0;
  lostCount = 0;
  concealedCount = 0;
  skippedCount = 0;

  constructor(clockRateHz: number) {
    this.#clockRateHz = clockRateHz;
    this.#slots.fill(empty);
  }

  get payload(): Uint8Array {
    return this.bytes.subarray(this.offset, this.offset + this.length);
  }

  get targetMs(): number {
    return this.#targetMs;
  }

  /** RTP time stamp after what was played last. */
  get playedTimestamp(): number {
    return this.#playTicks % 2 ** 32;
  }

  get isEmpty(): boolean {
    return !this.#isSynced || this.#nextSeq > this.#highestSeq;
  }

  /**
   * @param durationTicks of the payload in its own clock; 0 for what is not audio
   * @param bytes kept until it is played: the caller writes to it no more; the payload is `length` of them from `offset` on
   */
  push(
    kind: Slot,
    seq: number,
    timestamp: number,
    durationTicks: number,
    bytes: Uint8Array,
    payloadType: number,
    levelDbov: number,
    nowMs: number,
    offset = 0,
    length = bytes.length,
  ): void {
    if (!this.#isSynced) this.#begin(seq, timestamp, nowMs);
    let jump = seqDistance(seq, this.#lastSeq & 0xffff);
    let ticks = this.#lastTimestamp + timestampDistance(timestamp, (this.#lastTimestamp % 2 ** 32) | 0);
    const isFar = Math.abs(ticks - this.#lastTimestamp) * 1_000 > maxTimestampJumpMs * this.#clockRateHz;
    if (Math.abs(jump) > maxSeqJump || (isFar && nowMs - this.#lastArrivalMs < maxTimestampJumpMs)) {
      this.#begin(seq, timestamp, nowMs);
      jump = 0;
      ticks = this.#lastTimestamp;
    }
    this.#lastArrivalMs = nowMs;
    const extended = this.#lastSeq + jump;
    if (jump > 0 || extended === this.#lastSeq) {
      this.#lastSeq = extended;
      this.#lastTimestamp = ticks;
    }
    if (kind === 'audio') this.#noteArrival((ticks * 1_000) / this.#clockRateHz, nowMs);
    if (extended < this.#nextSeq && this.#isPlaying) {
      this.lateCount += 1;
      return;
    }
    if (extended < this.#nextSeq) this.#nextSeq = extended;
    if (extended - this.#nextSeq >= slots) this.#nextSeq = extended - slots + 1;
    const slot = extended % slots;
    const at = slot * slotFields;
    const fields = this.#slots;
    if (fields[at + kindField] !== empty && fields[at] === extended) return;
    this.#memories[slot] = bytes;
    fields[at + offsetField] = offset;
    fields[at + lengthField] = length;
    fields[at] = extended;
    fields[at + timestampField] = ticks;
    fields[at + durationField] = durationTicks;
    fields[at + typeField] = payloadType;
    fields[at + levelField] = levelDbov;
    fields[at + kindField] = kinds.indexOf(kind);
    if (extended > this.#highestSeq) this.#highestSeq = extended;
  }

  /**
   * What is to be heard next. Call it once for each 20 ms that are due; a longer packet pays for as many.
   * @param isQuiet nobody hears this stream now: the moment to catch up
   */
  pop(nowMs: number, isQuiet: boolean): Popped {
    if (!this.#isSynced) return 'wait';
    if (!this.#isPlaying) {
      if (nowMs - this.#firstArrivalMs < this.#targetMs - frameMs / 2) return 'wait';
      this.#isPlaying = true;
      this.#playTicks = this.#timestampOf(this.#findNext() ?? this.#nextSeq);
    }
    this.#adapt(nowMs, isQuiet);
    return this.#take();
  }

  #take(): Popped {
    const frameTicks = (this.#clockRateHz * frameMs) / 1_000;
    for (let turn = 0; turn < slots; turn++) {
      const found = this.#findNext();
      if (found === undefined) return this.#missing(frameTicks, true);
      const aheadTicks = this.#timestampOf(found) - this.#playTicks;
      // Its time has not come: packets before it were lost, or nothing was sent.
      if (aheadTicks > frameTicks / 2) {
        const isStretched = this.#isStretching;
        this.#isStretching = false;
        return this.#missing(frameTicks, isStretched || found !== this.#nextSeq);
      }
      this.lostCount += found - this.#nextSeq;
      this.#nextSeq = found + 1;
      const kind = this.#use(found);
      if (kind === 'audio') {
        this.#playTicks = this.#timestampOf(found) + this.durationTicks;
        this.#concealed = 0;
        this.#isQuietGap = false;
        return 'audio';
      }
      this.#isQuietGap = true;
      if (kind === 'comfort_noise') return 'comfort_noise';
    }
    return 'wait';
  }

  #missing(frameTicks: number, isLoss: boolean): Popped {
    this.#playTicks += frameTicks;
    if (!isLoss || this.#isQuietGap || this.#concealed >= maxConcealedFrames) return 'wait';
    this.#concealed += 1;
    this.concealedCount += 1;
    return 'lost';
  }

  /** How long a packet that came as fast as any has lain here when it is played. */
  delayMs(nowMs: number): number {
    if (!this.#isPlaying) return 0;
    return nowMs - (this.#playTicks * 1_000) / this.#clockRateHz - Math.min(this.#baseMs, this.#nextBaseMs);
  }

  reset(): void {
    this.#isSynced = false;
    this.#isPlaying = false;
    this.#slots.fill(empty);
    this.#memories.fill(undefined);
  }

  #begin(seq: number, timestamp: number, nowMs: number): void {
    this.reset();
    this.#isSynced = true;
    // Room below for packets that were overtaken at the very start.
    this.#lastSeq = seq + 65_536;
    this.#lastTimestamp = timestamp + 2 ** 32;
    this.#nextSeq = this.#lastSeq;
    this.#highestSeq = this.#lastSeq - 1;
    this.#firstArrivalMs = nowMs;
    this.#baseMs = Number.POSITIVE_INFINITY;
    this.#nextBaseMs = Number.POSITIVE_INFINITY;
    this.#baseSinceMs = nowMs;
    this.#excessFrames = 0;
    this.#isQuietGap = true;
  }

  #noteArrival(sentMs: number, nowMs: number): void {
    const offsetMs = nowMs - sentMs;
    if (nowMs - this.#baseSinceMs > baselineMs) {
      this.#baseMs = this.#nextBaseMs;
      this.#nextBaseMs = Number.POSITIVE_INFINITY;
      this.#baseSinceMs = nowMs;
    }
    if (offsetMs < this.#nextBaseMs) this.#nextBaseMs = offsetMs;
    const lateMs = offsetMs - Math.min(this.#baseMs, this.#nextBaseMs);
    const bin = Math.min(bins - 1, Math.floor(lateMs / binMs));
    this.#lateness[bin] = (this.#lateness[bin] as number) + 1;
    this.#packetsSinceReview += 1;
    if (this.#packetsSinceReview >= reviewPackets) this.#review();
  }

  /** The target is reviewed once a second; what was, counts half as much each time. */
  #review(): void {
    this.#packetsSinceReview = 0;
    let total = 0;
    for (let bin = 0; bin < bins; bin++) total += this.#lateness[bin] as number;
    let beyond = total * 0.03;
    let bin = bins - 1;
    for (; bin > 0; bin--) {
      beyond -= this.#lateness[bin] as number;
      if (beyond < 0) break;
    }
    for (let at = 0; at < bins; at++) this.#lateness[at] = (this.#lateness[at] as number) * 0.7;
    const wantedMs = (bin + 1) * binMs + frameMs;
    this.#targetMs = Math.max(minTargetMs, Math.min(maxTargetMs, wantedMs));
  }

  /** Steps by whole frames: forward where nobody hears it, or after a second; back as soon as packets come too late. */
  #adapt(nowMs: number, isQuiet: boolean): void {
    const delayMs = this.delayMs(nowMs);
    if (!Number.isFinite(delayMs)) return;
    const frameTicks = (this.#clockRateHz * frameMs) / 1_000;
    if (delayMs > this.#targetMs + frameMs * 1.25) {
      this.#excessFrames += 1;
      // We have stalled: what would be heard so late, and go on being late for seconds, is better not heard.
      const backlogMs = this.#backlogMs;
      const isFar = backlogMs > maxTargetMs * 2;
      if (this.#excessFrames < (isQuiet || isFar ? 5 : 50)) return;
      this.#excessFrames = 0;
      this.#skip(isFar ? Math.round((backlogMs - this.#targetMs) / frameMs) : 1, frameTicks);
    } else {
      this.#excessFrames = 0;
      if (delayMs < this.#targetMs - frameMs) {
        this.#playTicks -= frameTicks;
        this.#isStretching = true;
      }
    }
  }

  /** From what is played to what came last: a path that has become slower does not make it longer. */
  get #backlogMs(): number {
    return this.isEmpty ? 0 : ((this.#timestampOf(this.#highestSeq) - this.#playTicks) * 1_000) / this.#clockRateHz;
  }

  #skip(frames: number, frameTicks: number): void {
    this.skippedCount += frames;
    this.#playTicks += frames * frameTicks;
    for (let found = this.#findNext(); found !== undefined; found = this.#findNext()) {
      const durationTicks = this.#slots[(found % slots) * slotFields + durationField] as number;
      if (this.#timestampOf(found) + durationTicks > this.#playTicks) return;
      this.#use(found);
      this.#nextSeq = found + 1;
    }
  }

  #findNext(): number | undefined {
    for (let seq = this.#nextSeq; seq <= this.#highestSeq; seq++) {
      const at = (seq % slots) * slotFields;
      if (this.#slots[at + kindField] !== empty && this.#slots[at] === seq) return seq;
    }
    return undefined;
  }

  #timestampOf(seq: number): number {
    return this.#slots[(seq % slots) * slotFields + timestampField] as number;
  }

  #use(seq: number): Slot {
    const slot = seq % slots;
    const at = slot * slotFields;
    const fields = this.#slots;
    const kind = kinds[fields[at + kindField] as number] ?? 'skip';
    this.bytes = this.#memories[slot] ?? nothing;
    this.offset = fields[at + offsetField] as number;
    this.length = fields[at + lengthField] as number;
    this.payloadType = fields[at + typeField] as number;
    this.levelDbov = fields[at + levelField] as number;
    this.durationTicks = fields[at + durationField] as number;
    fields[at + kindField] = empty;
    this.#memories[slot] = undefined;
    return kind;
  }
}
