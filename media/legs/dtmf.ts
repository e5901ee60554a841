// Owns: keys pressed, as RTP events (RFC 4733), both ways. Pure.

const digits = '0123456789*#ABCD';
/** What one packet may say at the most, RFC 4733 §2.5.1.3: 16 bits of ticks. */
const maxSegmentTicks = 0xffff;
/** A segment that has come so far may be followed by another of the same press, this much after what was last heard. */
const longSegmentTicks = 0x8000;
const segmentSlackTicks = 4_800;
const endRepeats = 3;
const volumeDbm0 = 10;

/**
 * Reads events. A press is told once, with its first packet, whichever of its packets arrive: they all carry the time
 * stamp of its beginning. The marker is not asked for, since some senders never set it.
 */
export class DtmfReceiver {
  #timestamp: number | undefined;
  #event = -1;
  #duration = 0;
  #isEnded = true;

  /** @returns the key, when this is the first that is heard of this press */
  receive(payload: Uint8Array, timestamp: number): string | undefined {
    if (payload.length < 4) return undefined;
    const event = payload[0] as number;
    const isEnd = ((payload[1] as number) & 0x80) !== 0;
    const duration = ((payload[2] as number) << 8) | (payload[3] as number);
    if (this.#timestamp === timestamp && this.#event === event) {
      this.#duration = Math.max(this.#duration, duration);
      this.#isEnded ||= isEnd;
      return undefined;
    }
    const distance = this.#timestamp === undefined ? 1 : (timestamp - this.#timestamp) | 0;
    // An old one that was overtaken.
    if (distance < 0 && distance > -0x40000000) return undefined;
    // A press longer than a packet can say goes on under a new time stamp (§2.5.1.3).
    const sinceLast = distance - this.#duration;
    const isContinued =
      !this.#isEnded &&
      event === this.#event &&
      this.#duration > longSegmentTicks &&
      sinceLast >= 0 &&
      sinceLast <= segmentSlackTicks;
    this.#timestamp = timestamp;
    this.#event = event;
    this.#duration = duration;
    this.#isEnded = isEnd;
    return isContinued ? undefined : digits[event];
  }
}

export interface DtmfPacket {
  readonly payload: Buffer;
  /** Ticks since the beginning of the press, of the time stamp to use: not 0 only in presses that last very long. */
  readonly segmentTicks: number;
  readonly marker: boolean;
}

interface Press {
  /** -1: a pause. */
  readonly event: number;
  readonly frames: number;
}

const pauseFrames = 25;
/** Silence between presses, so that two of the same key are two. */
const gapFrames = 4;

/** Says what to send in each 20 ms while keys are being pressed. */
export class DtmfSender {
  readonly #queue: Press[] = [];
  #press: Press | undefined;
  #frame = 0;
  #gap = 0;

  get isBusy(): boolean {
    return this.#press !== undefined || this.#queue.length > 0 || this.#gap > 0;
  }

  /** @param keys as in `Leg.sendDtmf()`; a comma is half a second */
  push(keys: string, durationMs: number): void {
    const frames = Math.max(2, Math.round(durationMs / 20));
    for (const key of keys)
      this.#queue.push({ event: digits.indexOf(key), frames: key === ',' ? pauseFrames : frames });
  }

  /**
   * One step of 20 ms.
   * @returns what to send instead of audio: `begin` with the first packet of a press fixes its time stamp
   */
  next(clockRateHz: number): { packets: readonly DtmfPacket[]; isBegin: boolean } {
    if (this.#gap > 0) {
      this.#gap -= 1;
      return { packets: [], isBegin: false };
    }
    this.#press ??= this.#queue.shift();
    const press = this.#press;
    if (!press) return { packets: [], isBegin: false };
    this.#frame += 1;
    const isLast = this.#frame >= press.frames;
    const isBegin = this.#frame === 1;
    const packets =
      press.event < 0
        ? []
        : Array.from({ length: isLast ? endRepeats : 1 }, () =>
            this.#packet(press.event, this.#frame, clockRateHz / 50, isLast, isBegin),
          );
    if (isLast) {
      this.#press = undefined;
      this.#frame = 0;
      this.#gap = gapFrames;
    }
    return { packets, isBegin };
  }

  #packet(event: number, frame: number, frameTicks: number, isEnd: boolean, marker: boolean): DtmfPacket {
    // Whole frames, so that one segment begins where the last packet of the other ended.
    const framesInSegment = Math.floor(maxSegmentTicks / frameTicks);
    const segments = Math.floor((frame - 1) / framesInSegment);
    const payload = Buffer.alloc(4);
    payload[0] = event;
    payload[1] = (isEnd ? 0x80 : 0) | volumeDbm0;
    payload.writeUInt16BE((frame - segments * framesInSegment) * frameTicks, 2);
    return { payload, segmentTicks: segments * framesInSegment * frameTicks, marker };
  }
}
