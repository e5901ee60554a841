// Owns: media that leaves a room: the job that takes it out, what it takes, and who gets it. May import: core only.
import { EventEmitter } from 'node:events';
import type { AnalyticsJobSpec, EgressCommand, EgressEvent, EgressMedia, EgressSinkSpec } from './egress-messages.ts';
import { EgressSinkHandle } from './egress-sink.ts';
import { type EgressOrigin, type EgressWishes, findersOf } from './egress-source.ts';
import { EgressTrack } from './egress-track.ts';
import { GatewayError } from './errors.ts';
import { joinHidden } from './hidden-participant.ts';
import type { Job, JobChange, JobHost, JobLink } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import type { ViewPort } from './view-port.ts';
import { soloDelayMs } from './voice-delay.ts';

/** A source that is not there by then leaves silence, and its last picture. */
const switchTimeoutMs = 5_000;

export interface EgressOptions {
  readonly room: Room;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly source: EgressOrigin;
  readonly wishes: EgressWishes;
  /** Who it is to others that look closely: `recorder`, `streaming-out`. */
  readonly name: string;
  /** Where its time begins, on the machine's monotonic clock; with the job when absent. */
  readonly originUs?: number | undefined;
  /** An egress unless it is another kind of work. */
  readonly spec?: AnalyticsJobSpec | undefined;
  readonly log: Logger;
}

export type EgressEvents = {
  /** The job's state. */
  changed: [change: JobChange];
  closed: [reason: CloseReason];
};

type Tracks = { audio?: EgressTrack | undefined; video?: EgressTrack | undefined };
type Measured = Extract<EgressEvent, { type: 'egressMeasured' }>;

/**
 * Takes part in the room as a hidden participant and hands what it receives to its sinks, which share one encode.
 * Outlives media workers and SFU workers: whatever a new one must know is said again from here.
 */
export class Egress extends Owned implements JobHost {
  readonly room: Room;
  readonly events = new EventEmitter<EgressEvents>();
  readonly sinks = new Map<number, EgressSinkHandle>();
  readonly #options: EgressOptions;
  readonly #log: Logger;
  readonly #self: Participant;
  #source: EgressOrigin;
  #wishes: EgressWishes;
  #tracks: Tracks;
  /** Of the source before, until the one after it has something to show. */
  #past: Tracks = {};
  #pastTimer: NodeJS.Timeout | undefined;
  #job: Job | undefined;
  #link: JobLink | undefined;
  #lastSinkId = 0;
  #streams: Measured['streams'] = [];

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed` */
  static async start(options: EgressOptions): Promise<Egress> {
    const egress = new Egress(options);
    try {
      await egress.#start();
    } catch (error) {
      await egress.close('failed');
      throw error;
    }
    return egress;
  }

  private constructor(options: EgressOptions) {
    super();
    const { room, source, wishes, log, name } = options;
    this.#options = options;
    this.room = room;
    this.#source = source;
    this.#wishes = wishes;
    this.#log = log.child({ egressOf: room.name });
    this.#self = joinHidden(room, name, name, false);
    this.#self.events.on('mediaRestarted', () => void this.#relink());
    void this.#self.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
    this.#tracks = this.#makeTracks();
    const review = () => this.#review();
    const unlisten = listen(room.events, {
      publicationAdded: review,
      publicationRemoved: review,
      participantLeft: review,
      // Away, or muted: what is copied from them is not there then.
      participantUpdated: review,
      publicationUpdated: review,
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  get source(): EgressOrigin {
    return this.#source;
  }

  /** What goes out, as far as it has been seen. */
  get streams(): Measured['streams'] {
    return this.#streams;
  }

  /** @param isPaused from the beginning. @throws GatewayError `closed` */
  addSink(spec: EgressSinkSpec, isPaused = false): EgressSinkHandle {
    if (this.isClosed) throw new GatewayError('closed', 'This egress has ended.');
    const sink = new EgressSinkHandle(++this.#lastSinkId, spec, isPaused, (command) => this.#send(command));
    this.sinks.set(sink.id, sink);
    void sink.done.then(() => this.sinks.delete(sink.id));
    sink.tell();
    return sink;
  }

  /** Somebody joins who can begin with nothing else. */
  requestKeyFrame(): void {
    this.#tracks.video?.requestKeyFrame();
  }

  /** Live: the sinks go on with the other source. */
  switchTo(source: EgressOrigin, wishes: EgressWishes = this.#wishes): void {
    if (this.isClosed) throw new GatewayError('closed', 'This egress has ended.');
    this.#closePast();
    this.#past = this.#tracks;
    this.#source = source;
    this.#wishes = wishes;
    this.#tracks = this.#makeTracks();
    this.#pastTimer = setTimeout(() => {
      this.#closePast();
      this.#tellMedia();
    }, switchTimeoutMs);
    this.#attachTracks();
    this.#tellMedia();
  }

  async publishTrack(): Promise<void> {
    // It brings nothing into the room.
  }

  unpublishTrack(): void {
    // It has brought nothing.
  }

  attached(link: JobLink, isNewWorker: boolean): void {
    this.#link = link;
    this.#attachTracks();
    if (!isNewWorker) return;
    this.#tellMedia();
    for (const sink of this.sinks.values()) sink.tell();
  }

  received(event: EgressEvent): void {
    switch (event.type) {
      case 'egressKeyFrameWanted':
        this.requestKeyFrame();
        this.#past.video?.requestKeyFrame();
        return;
      case 'egressSinkChanged': {
        const { state, reason, message } = event;
        this.sinks.get(event.sinkId)?.note({ state, reason, message });
        return;
      }
      case 'egressAnalysed':
        this.sinks.get(event.sinkId)?.events.emit('analysed', event.findings, event.levels);
        return;
      case 'egressMeasured':
        this.#streams = event.streams;
        for (const { sinkId, bytesOut } of event.sinks) this.sinks.get(sinkId)?.measure(bytesOut);
        return;
    }
  }

  async #start(): Promise<void> {
    const { media, originUs, spec = { kind: 'egress', originUs } } = this.#options;
    const job = await media.startJob({ spec, host: this, log: this.#log });
    this.#job = job;
    job.events.on('changed', (change) => this.#noteJob(change));
    void job.done.then((reason) => this.close(reason));
    if (this.isClosed) void job.close('parent_closed');
  }

  /** Who runs the sinks is gone, and another does in a moment; where it is the room that is gone they go on, and wait for it. */
  #noteJob(change: JobChange): void {
    if (change.state === 'reconnecting' && change.reason !== 'sfu_lost') {
      const { reason, message } = change;
      for (const sink of this.sinks.values()) sink.note({ state: 'reconnecting', reason, message });
    }
    this.events.emit('changed', change);
  }

  #makeTracks(): Tracks {
    const { room } = this;
    const finders = findersOf(this.#source, this.#wishes, { room, views: this.#options.views });
    const isWithSolo = !['view', 'mix', 'tap'].includes(this.#source.kind) && this.#wishes.video === 'encoded';
    const delayMs = isWithSolo ? soloDelayMs : undefined;
    const track = (kind: 'audio' | 'video') => {
      const finder = finders[kind];
      const onChanged = () => this.#tellMedia();
      return finder && new EgressTrack({ kind, room, self: this.#self, finder, delayMs, onChanged, log: this.#log });
    };
    return { audio: track('audio'), video: track('video') };
  }

  #attachTracks(): void {
    const transport = this.#link?.transport;
    if (!transport) return;
    for (const track of this.#allTracks) track.attach(transport);
  }

  #review(): void {
    if (this.isClosed) return;
    for (const track of this.#allTracks) track.review();
  }

  #tellMedia(): void {
    this.#send({ type: 'setEgressMedia', audio: this.#mediaOf('audio'), video: this.#mediaOf('video') });
  }

  /** What was there before stands until the next is there: a switch is no gap. */
  #mediaOf(kind: 'audio' | 'video'): EgressMedia | undefined {
    const track = this.#tracks[kind];
    const past = this.#past[kind];
    if (track && past && !track.media.input) return past.media;
    past?.close();
    delete this.#past[kind];
    return track?.media;
  }

  get #allTracks(): EgressTrack[] {
    const { audio, video } = this.#tracks;
    return [audio, video, this.#past.audio, this.#past.video].filter((track) => track !== undefined);
  }

  #closePast(): void {
    clearTimeout(this.#pastTimer);
    this.#past.audio?.close();
    this.#past.video?.close();
    this.#past = {};
  }

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#options.media.relinkJob(this.#job);
    } catch (error) {
      this.#log.warn({ err: error }, 'egress not plumbed to the new media of its room');
      await this.close('failed');
    }
  }

  #send(command: EgressCommand): void {
    this.#link?.send(command);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    const isAlive = this.#link && this.#job && !this.#job.isClosed && this.#job.state !== 'reconnecting';
    if (!isAlive) for (const sink of this.sinks.values()) sink.forsake();
    await Promise.all([...this.sinks.values()].map((sink) => sink.close('parent_closed')));
    this.#closePast();
    this.#tracks.audio?.close();
    this.#tracks.video?.close();
    await this.#job?.close(reason);
    await this.#self.close('requested');
    this.events.emit('closed', reason);
  }
}
