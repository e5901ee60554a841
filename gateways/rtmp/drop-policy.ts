// Owns: which frames to leave out when the other side reads slower than they come. Pure.

export interface QueuedFrame {
  readonly kind: 'audio' | 'video';
  readonly isKey: boolean;
}

/**
 * Video goes first, up to the next key frame, because a hole in it breaks every picture after it; sound goes only when
 * twice as much has piled up. Video also waits for its first key frame.
 */
export class DropPolicy {
  readonly #maxQueuedBytes: number;
  #awaitsKey = true;
  #hasStarted = false;
  #droppedFrames = 0;

  constructor(maxQueuedBytes: number) {
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Frames left out after the first key frame. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /**
   * @param queuedBytes what waits to be sent now
   * @returns whether to send the frame
   */
  admit(frame: QueuedFrame, queuedBytes: number): boolean {
    const isAdmitted =
      frame.kind === 'audio' ? queuedBytes <= 2 * this.#maxQueuedBytes : this.#video(frame, queuedBytes);
    if (!isAdmitted && this.#hasStarted) this.#droppedFrames += 1;
    return isAdmitted;
  }

  #video(frame: QueuedFrame, queuedBytes: number): boolean {
    // Half of the limit before going on, so that it does not stop again at once.
    if (this.#awaitsKey && frame.isKey && queuedBytes <= this.#maxQueuedBytes / 2) this.#awaitsKey = false;
    else if (queuedBytes > this.#maxQueuedBytes) this.#awaitsKey = true;
    if (!this.#awaitsKey) this.#hasStarted = true;
    return !this.#awaitsKey;
  }
}
