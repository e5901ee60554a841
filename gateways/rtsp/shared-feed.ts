// Owns: RTP of one source for all who play it in their connections: begun with the first, ended a while after the last.
// May import: core.
import { EventEmitter } from 'node:events';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { MediaKind } from '#core/rtp.ts';
import { isReport, type RtpFeed, type RtpFeedEvents, type RtpUnit } from '#core/rtp-feed.ts';

/** A player that reconnects finds it running. */
const lingerMs = 5_000;
const keyFrameSpacingMs = 500;

export class SharedFeed extends Owned {
  readonly events = new EventEmitter<Pick<RtpFeedEvents, 'unit'>>();
  readonly #feed: RtpFeed;
  readonly #reports = new Map<MediaKind, RtpUnit>();
  #users = 0;
  #timer: NodeJS.Timeout;
  #keyFrameAskedMs = Number.NEGATIVE_INFINITY;

  constructor(feed: RtpFeed) {
    super();
    this.events.setMaxListeners(0);
    this.#feed = feed;
    const unlisten = listen(feed.events, {
      unit: (unit) => this.#take(unit),
      closed: (reason) => void this.close(reason),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
    // Who asked for it may have left while it began.
    this.#timer = this.#expire();
    if (feed.isClosed) void this.close('failed');
  }

  get state(): string {
    return this.#feed.state;
  }

  /** What time its time stamps stand for, for who joins. */
  get reports(): readonly RtpUnit[] {
    return [...this.#reports.values()];
  }

  /** @returns ends the use; call once */
  use(): () => void {
    this.#users += 1;
    clearTimeout(this.#timer);
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#timer = this.#expire();
    };
  }

  requestKeyFrame(): void {
    const nowMs = performance.now();
    if (nowMs - this.#keyFrameAskedMs < keyFrameSpacingMs) return;
    this.#keyFrameAskedMs = nowMs;
    this.#feed.requestKeyFrame();
  }

  #expire(): NodeJS.Timeout {
    return setTimeout(() => void this.close('idle'), lingerMs).unref();
  }

  #take(unit: RtpUnit): void {
    if (isReport(unit)) this.#reports.set(unit.kind, unit);
    this.events.emit('unit', unit);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#timer);
    await this.#feed.close(reason);
    this.events.removeAllListeners();
  }
}
