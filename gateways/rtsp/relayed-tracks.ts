// Owns: what one player gets of a feed in its connection, and what is left out where it reads too slowly. May import: core.
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import type { MediaKind } from '#core/rtp.ts';
import { isReport, type RtpUnit } from '#core/rtp-feed.ts';
import type { RtspOutlet, RtspPlayer, RtspPosition } from './ports.ts';
import type { SharedFeed } from './shared-feed.ts';

/** What may wait in the connection; everything past it is left out up to a key picture. Half of the session's own bound. */
const maxQueuedBytes = 512 * 1_024;
/** A player that has taken nothing for so long while it was behind is cut off. */
const stallTimeoutMs = 10_000;
/** PLAY is answered by then, with or without a picture to begin with. */
const beginTimeoutMs = 2_000;

/**
 *     idle ──begin──> beginning ──key picture──> ready ──play──> playing <──> behind (reads too slowly)
 *      ^──pause──────────┴─────────────────────────┴────────────────┴────────────┘
 */
export class RelayedTracks {
  readonly #feed: SharedFeed;
  readonly #player: RtspPlayer;
  readonly #outlets = new Map<MediaKind, { readonly track: number; readonly outlet: RtspOutlet }>();
  readonly #release: () => void;
  #state: 'idle' | 'beginning' | 'ready' | 'playing' | 'behind' = 'idle';
  /** From the first key picture on, until the answer to PLAY has left. */
  #held: RtpUnit[] = [];
  #begun = Promise.withResolvers<void>();
  #leastQueuedBytes = 0;
  #progressedAtMs = 0;
  #isClosed = false;

  constructor(feed: SharedFeed, player: RtspPlayer) {
    this.#feed = feed;
    this.#player = player;
    this.#release = feed.use();
    feed.events.on('unit', this.#take);
    void feed.done.then(() => this.#end('media_lost', `There is nothing to play any more. ${feed.state}`));
  }

  add(kind: MediaKind, track: number, outlet: RtspOutlet): void {
    this.#outlets.set(kind, { track, outlet });
  }

  /** Waits a moment for what comes first. */
  async begin(): Promise<readonly RtspPosition[]> {
    this.#state = 'beginning';
    this.#held = [];
    this.#begun = Promise.withResolvers();
    this.#feed.requestKeyFrame();
    const timer = setTimeout(() => this.#begun.resolve(), beginTimeoutMs);
    await this.#begun.promise;
    clearTimeout(timer);
    return [...this.#outlets].flatMap(([kind, { track }]) => {
      const packet = this.#held.find((unit) => unit.kind === kind && !isReport(unit))?.packets[0];
      return packet ? [positionOf(track, packet)] : [];
    });
  }

  play(): void {
    if (this.#state !== 'beginning' && this.#state !== 'ready') return;
    for (const report of this.#feed.reports) this.#send(report);
    for (const unit of this.#held) this.#send(unit);
    // Without a picture yet it is as if it had fallen behind: it goes on with the next that can be decoded by itself.
    if (this.#held.length > 0) this.#state = 'playing';
    else this.#fallBehind(0);
    this.#held = [];
  }

  pause(): void {
    this.#state = 'idle';
    this.#held = [];
  }

  requestKeyFrame(): void {
    this.#feed.requestKeyFrame();
  }

  close(): void {
    this.#isClosed = true;
    this.#state = 'idle';
    this.#begun.resolve();
    this.#feed.events.off('unit', this.#take);
    this.#release();
  }

  readonly #take = (unit: RtpUnit): void => {
    switch (this.#state) {
      case 'idle':
        return;
      case 'beginning':
        if (!this.#mayBegin(unit)) return;
        this.#held.push(unit);
        this.#state = 'ready';
        this.#begun.resolve();
        return;
      case 'ready':
        this.#held.push(unit);
        return;
      case 'playing':
        if (this.#queuedBytes > maxQueuedBytes) this.#fallBehind(this.#queuedBytes);
        else this.#send(unit);
        return;
      case 'behind':
        this.#catchUp(unit);
        return;
    }
  };

  #mayBegin(unit: RtpUnit): boolean {
    return unit.isKey && !isReport(unit) && (unit.kind === 'video' || !this.#outlets.has('video'));
  }

  get #queuedBytes(): number {
    return Math.max(0, ...[...this.#outlets.values()].map(({ outlet }) => outlet.queuedBytes));
  }

  #fallBehind(queuedBytes: number): void {
    this.#state = 'behind';
    this.#leastQueuedBytes = queuedBytes;
    this.#progressedAtMs = performance.now();
  }

  #catchUp(unit: RtpUnit): void {
    const queuedBytes = this.#queuedBytes;
    const nowMs = performance.now();
    if (queuedBytes < this.#leastQueuedBytes || queuedBytes === 0) {
      this.#leastQueuedBytes = queuedBytes;
      this.#progressedAtMs = nowMs;
    }
    if (nowMs - this.#progressedAtMs > stallTimeoutMs) {
      this.#end('timeout', 'The player does not read what it is sent.');
      return;
    }
    if (queuedBytes > maxQueuedBytes / 2) return;
    if (!this.#mayBegin(unit)) {
      this.#feed.requestKeyFrame();
      return;
    }
    this.#state = 'playing';
    this.#send(unit);
  }

  #send(unit: RtpUnit): void {
    const outlet = this.#outlets.get(unit.kind)?.outlet;
    if (!outlet) return;
    const what = isReport(unit) ? 'rtcp' : 'rtp';
    for (const packet of unit.packets) outlet.send(what, packet);
  }

  #end(code: ErrorCode, message: string): void {
    if (this.#isClosed) return;
    this.pause();
    this.#player.end(new GatewayError(code, message));
  }
}

function positionOf(track: number, packet: Uint8Array): RtspPosition {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return { track, sequenceNumber: view.getUint16(2), rtpTimestamp: view.getUint32(4) };
}
