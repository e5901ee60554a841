// Owns: one look at the media of a room for as long as it is wanted: what is seen, heard and told of it. May import: core
// only.
import { EventEmitter } from 'node:events';
import {
  type AnalysisLevels,
  type DetectorName,
  type Detectors,
  type Finding,
  pictureDetectors,
  soundDetectors,
} from './analysis-messages.ts';
import { Egress } from './egress.ts';
import type { EgressSinkHandle } from './egress-sink.ts';
import type { EgressSource, EgressWishes } from './egress-source.ts';
import { type ErrorCode, toGatewayError } from './errors.ts';
import type { AnalysisId, RoomId } from './ids.ts';
import type { JobReason } from './job.ts';
import { Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Logger, MediaPort } from './ports.ts';
import { defaultReconnect, ReconnectPolicy } from './reconnect.ts';
import type { Room } from './room.ts';
import type { Rooms } from './rooms.ts';
import type { ViewPort } from './view-port.ts';

export interface AnalysisRecord {
  readonly id: AnalysisId;
  readonly roomId: RoomId;
  readonly name: string;
  readonly source: EgressSource;
  readonly detectors: Detectors;
  readonly framerateHz: number;
  readonly createdAtMs: number;
}

/** `waiting`: nobody is in the room, or what it looks at is not there. */
export type AnalysisState = 'waiting' | 'starting' | 'live' | 'reconnecting' | 'failed';

export interface AnalysisStatus {
  readonly state: AnalysisState;
  readonly reason: JobReason | ErrorCode;
  readonly message: string;
  readonly atMs: number;
}

/** What is so now. */
export interface OpenFinding {
  readonly detector: DetectorName;
  readonly sinceMs: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface AnalysisOptions {
  readonly record: AnalysisRecord;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly log: Logger;
}

export type AnalysisEvents = {
  changed: [status: AnalysisStatus];
  detected: [finding: OpenFinding];
  /** `reason`: why it is over, where it was not the media that said so. */
  cleared: [finding: OpenFinding, endedAtMs: number, reason: 'interrupted' | undefined];
};

const nobody = 'Nobody is in the room.';
const pictureKinds: readonly string[] = pictureDetectors;
const soundKinds: readonly string[] = soundDetectors;

/**
 * Runs while there is somebody in the room; its id and what it is to look for outlive workers, rooms and gateways.
 *
 *     waiting ──somebody comes──> starting ──media──> live <──> reconnecting (its worker was lost)
 *        ^──the last one leaves──────┘└──could not be started──> failed ──after a while──> starting
 */
export class Analysis extends Owned {
  readonly record: AnalysisRecord;
  readonly events = new EventEmitter<AnalysisEvents>();
  readonly #options: AnalysisOptions;
  readonly #log: Logger;
  readonly #policy = new ReconnectPolicy({ ...defaultReconnect, delaysMs: [1_000, 2_000, 5_000, 10_000, 30_000] });
  readonly #open = new Map<DetectorName, OpenFinding>();
  #levels: AnalysisLevels = {};
  #egress: Egress | undefined;
  #isStarting = false;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #liveSinceMs: number | undefined;
  #status: AnalysisStatus = {
    state: 'waiting',
    reason: 'requested',
    message: nobody,
    atMs: Date.now(),
  };

  constructor(options: AnalysisOptions) {
    super();
    this.#options = options;
    this.record = options.record;
    this.#log = options.log.child({ analysis: options.record.id });
  }

  get status(): AnalysisStatus {
    return this.#status;
  }

  get egress(): Egress | undefined {
    return this.#egress;
  }

  /** What is so now, and what was measured last. */
  get findings(): readonly OpenFinding[] {
    return [...this.#open.values()];
  }

  get levels(): AnalysisLevels {
    return this.#levels;
  }

  /** Call when its room was opened, and once at the beginning. */
  async review(): Promise<void> {
    const room = this.#options.rooms.live(this.record.roomId);
    if (this.isClosed) return;
    // One that is closing is found for a moment yet, but tells nothing any more.
    if (!room || room.isClosed) {
      this.#show('waiting', 'requested', nobody);
      return;
    }
    this.#follow(room);
    const isInUse = room.visibleCount > 0;
    if (!isInUse) await this.#rest();
    else if (!this.#egress && !this.#isStarting && !this.#timer) await this.#start(room);
  }

  #follow(room: Room): void {
    if (this.#unfollow) return;
    const review = () => void this.review();
    const unlisten = listen(room.events, { participantJoined: review, participantLeft: review });
    this.#unfollow = unlisten;
    const onClosed = () => {
      unlisten();
      if (this.#unfollow === unlisten) this.#unfollow = undefined;
      void this.#rest();
    };
    room.signal.addEventListener('abort', onClosed, { once: true, signal: this.signal });
  }

  async #start(room: Room): Promise<void> {
    this.#isStarting = true;
    this.#show('starting', 'requested', 'Setting up.');
    const { media, views } = this.#options;
    const { source, detectors, framerateHz } = this.record;
    try {
      const { wishes, spec } = workOf(this.record);
      const egress = await Egress.start({ room, media, views, source, wishes, spec, name: 'analysis', log: this.#log });
      this.#isStarting = false;
      if (this.isClosed) return void (await egress.close('requested'));
      this.#watch(egress, egress.addSink({ type: 'analyse', detectors, framerateHz }));
      void this.review();
    } catch (thrown) {
      this.#isStarting = false;
      const { code, message } = toGatewayError(thrown);
      if (code === 'internal') this.#log.error({ err: thrown }, 'analysis not started');
      this.#fail(code, message);
    }
  }

  #watch(egress: Egress, sink: EgressSinkHandle): void {
    this.#egress = egress;
    sink.events.on('analysed', (findings, levels) => {
      this.#levels = levels;
      for (const finding of findings) this.#note(finding);
    });
    sink.events.on('changed', ({ state, reason, message }) => {
      if (state === 'reconnecting') this.#interrupt();
      if (state === 'live') this.#liveSinceMs ??= performance.now();
      if (state === 'live' || state === 'reconnecting') this.#show(state, reason, message);
      if (state !== 'failed' || this.#egress !== egress) return;
      this.#egress = undefined;
      void egress.close('failed');
      this.#fail(reason, message);
    });
    void egress.done.then(() => {
      if (this.#egress !== egress) return;
      this.#egress = undefined;
      const { reason = 'owner_closed', message = 'It has ended.' } = egress.job?.info ?? {};
      if (!egress.room.isClosed) this.#fail(reason, message);
      // It may have been opened again while this was being set up for the one before.
      else void this.review();
    });
  }

  #note({ detector, phase, atMs, values }: Finding): void {
    const finding = { detector, sinceMs: atMs, values };
    if (phase === 'moment') {
      this.events.emit('detected', finding);
      return;
    }
    const open = this.#open.get(detector);
    if (phase === 'begun') {
      this.#open.set(detector, finding);
      if (!open) this.events.emit('detected', finding);
    } else if (open) {
      this.#open.delete(detector);
      this.events.emit('cleared', { ...open, values: { ...open.values, ...values } }, atMs, undefined);
    }
  }

  /** Whoever looked is gone: whether it is still so nobody knows. */
  #interrupt(): void {
    this.#levels = {};
    for (const open of [...this.#open.values()]) this.events.emit('cleared', open, Date.now(), 'interrupted');
    this.#open.clear();
  }

  /** Nobody is in the room. It is not kept open for this. */
  async #rest(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const egress = this.#egress;
    this.#egress = undefined;
    this.#interrupt();
    if (!this.isClosed) this.#show('waiting', 'requested', nobody);
    await egress?.close('requested');
  }

  #fail(reason: AnalysisStatus['reason'], message: string): void {
    if (this.isClosed) return;
    this.#interrupt();
    this.#show('failed', reason, message);
    const liveMs = this.#liveSinceMs === undefined ? 0 : performance.now() - this.#liveSinceMs;
    this.#liveSinceMs = undefined;
    const delayMs = this.#policy.failed(liveMs) ?? 0;
    this.#log.warn({ reason, what: message, delayMs }, 'analysis failed');
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.review();
    }, delayMs);
  }

  #show(state: AnalysisState, reason: AnalysisStatus['reason'], message: string): void {
    if (state === this.#status.state && message === this.#status.message) return;
    this.#status = { state, reason, message, atMs: Date.now() };
    this.events.emit('changed', this.#status);
  }

  protected override async onClose(): Promise<void> {
    this.#unfollow?.();
    await this.#rest();
    this.events.removeAllListeners();
  }
}

/** What is to be taken out of the room for it, and what that is reckoned at. */
function workOf({ source, detectors }: AnalysisRecord) {
  const wanted = Object.entries(detectors).flatMap(([name, settings]) => (settings ? [name] : []));
  const hasPictures = source.kind !== 'mix' && wanted.some((name) => pictureKinds.includes(name));
  const hasSound = wanted.some((name) => soundKinds.includes(name));
  const wishes: EgressWishes = { audio: hasSound, video: hasPictures ? 'copied' : 'off', request: { codec: 'h264' } };
  return { wishes, spec: { kind: 'analytics', hasPictures, hasSound } as const };
}
