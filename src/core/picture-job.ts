// Owns: what a view and a transcoded stream have in common: a job that takes pictures of a room and publishes what it
// encodes, for as long as somebody takes it. May import: core only.
import { EncodedStreams } from './encoded-streams.ts';
import { joinHidden } from './hidden-participant.ts';
import type { Job, JobHost, JobLink, JobTrack } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort, SfuPlainTransport, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import type { ViewCommand, ViewEvent, ViewStats } from './view-messages.ts';

export interface PictureJobOptions {
  readonly room: Room;
  readonly media: MediaPort;
  /** Of the hidden participant: for the log, and for people. */
  readonly user: string;
  readonly displayName: string;
  /** Of what it publishes. */
  readonly label: string;
  /** It is kept so long when nobody takes anything of it. */
  readonly lingerMs: number;
  /** What those are told who still wait when it ends. */
  readonly endWords: string;
  readonly log: Logger;
}

/** What a worker says of the job's own pictures; how encoders fare is dealt with here. */
export type PictureEvent = Exclude<
  ViewEvent,
  { readonly type: 'viewEncoderRefused' | 'viewEncoderChanged' | 'viewMeasured' }
>;

/** Outlives media workers and SFU workers: whatever a new one must know is said again in `attached()`. */
export abstract class PictureJob extends Owned implements JobHost {
  readonly room: Room;
  protected readonly log: Logger;
  protected readonly self: Participant;
  protected readonly streams: EncodedStreams;
  readonly #options: PictureJobOptions;
  #job: Job | undefined;
  #link: JobLink | undefined;
  #stats: ViewStats | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;

  protected constructor(options: PictureJobOptions) {
    super();
    const { room, user, displayName, label, log } = options;
    this.#options = options;
    this.room = room;
    this.log = log;
    this.self = joinHidden(room, user, displayName);
    this.self.events.on('mediaRestarted', () => void this.#relink());
    void this.self.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
    this.streams = new EncodedStreams({
      ...{ self: this.self, label, log },
      send: (command) => this.send(command),
      onUse: () => this.#reviewUse(),
    });
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** Of the last second; undefined before the first. */
  get stats(): ViewStats | undefined {
    return this.#stats;
  }

  async publishTrack(transport: SfuPlainTransport, track: JobTrack): Promise<void> {
    await this.streams.publish(transport, track);
  }

  unpublishTrack(trackId: number): void {
    this.streams.unpublish(trackId);
  }

  attached(link: JobLink, isNewWorker: boolean): void {
    this.#link = link;
    this.onAttached(link, isNewWorker);
    if (isNewWorker) this.streams.resend();
  }

  received(event: ViewEvent): void {
    switch (event.type) {
      case 'viewEncoderRefused':
        this.streams.fail(event.trackId, event.message);
        return;
      case 'viewEncoderChanged':
        this.streams.noteChanged(event.trackId, event.message);
        return;
      case 'viewMeasured':
        this.#stats = event.stats;
        return;
      default:
        this.onPictures(event);
    }
  }

  /** Says what the worker must know before it is told of its encoders; to a new one, all of it. */
  protected abstract onAttached(link: JobLink, isNewWorker: boolean): void;
  protected abstract onPictures(event: PictureEvent): void;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed` */
  protected async begin(spec: Parameters<MediaPort['startJob']>[0]['spec']): Promise<void> {
    const job = await this.#options.media.startJob({ spec, host: this, log: this.log });
    this.#job = this.own(job);
    void job.done.then((reason) => this.close(reason));
    // Not before: a machine that is busy may take longer to start a media worker than nobody is waited for.
    this.#reviewUse();
  }

  protected get link(): JobLink | undefined {
    return this.#link;
  }

  protected send(command: ViewCommand): void {
    this.#link?.send(command);
  }

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#options.media.relinkJob(this.#job);
    } catch (error) {
      this.log.warn({ err: error }, 'pictures not plumbed to the new media of their room');
      await this.close('failed');
    }
  }

  #reviewUse(): void {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.isClosed || !this.#job || this.streams.size > 0) return;
    this.#lingerTimer = setTimeout(() => void this.close('idle'), this.#options.lingerMs).unref();
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearTimeout(this.#lingerTimer);
    this.streams.close(this.#options.endWords);
    await this.self.close('requested');
  }
}
