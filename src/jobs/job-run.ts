// Owns: what the pool keeps for one job: where it runs, its tracks, its source.
import type { EgressCommand } from '#core/egress-messages.ts';
import { toGatewayError } from '#core/errors.ts';
import type { Job, JobHost } from '#core/job.ts';
import type { MediaSource } from '#core/media-source.ts';
import type { MixCommand } from '#core/mix-messages.ts';
import type { Logger } from '#core/ports.ts';
import type { ViewCommand } from '#core/view-messages.ts';
import type { FromWorkerMessage, MessageOf, TrackResume } from '#media/protocol.ts';
import type { MediaWorker } from './media-worker.ts';
import type { RoomLink } from './room-link.ts';
import { SourceFeed } from './source-feed.ts';

interface RunTrack {
  resume: TrackResume;
  /** Where it was published; another link means publishing again. */
  publishedOn: RoomLink | undefined;
}

export class JobRun {
  readonly job: Job;
  readonly host: JobHost;
  readonly log: Logger;
  readonly feed: SourceFeed | undefined;
  readonly #tracks = new Map<number, RunTrack>();
  readonly #publishing = new Map<number, Promise<void>>();
  #worker: MediaWorker | undefined;
  #link: RoomLink | undefined;

  constructor(job: Job, host: JobHost, log: Logger, openSource: (() => MediaSource) | undefined) {
    this.job = job;
    this.host = host;
    this.log = log;
    this.feed = openSource ? new SourceFeed(job.id, openSource, log) : undefined;
  }

  get link(): RoomLink | undefined {
    return this.#link;
  }

  /** Hands the job to a worker, which may be the one after the one that died. */
  startOn(worker: MediaWorker, link: RoomLink): void {
    this.#worker = worker;
    this.#link = link;
    this.job.workerPid = worker.pid;
    this.feed?.setWorker(worker);
    // Only streams that the SFU still knows on this link can be gone on with.
    const resume = [...this.#tracks.values()]
      .filter((track) => track.publishedOn === link)
      .map((track) => track.resume);
    worker.send({ type: 'startJob', jobId: this.job.id, linkId: link.id, spec: this.job.spec, resume });
    this.#attach(link, true);
  }

  /** Lets the owner of a job that is told what to do while it runs talk to its worker. */
  #attach(link: RoomLink, isNewWorker: boolean): void {
    const { id: jobId, spec } = this.job;
    const send = (command: MixCommand | ViewCommand | EgressCommand) => {
      const worker = this.#worker;
      if (spec.kind === 'view' || spec.kind === 'transcode')
        worker?.send({ type: 'viewCommand', jobId, command: command as ViewCommand });
      else if (spec.kind === 'egress' || spec.kind === 'analytics')
        worker?.send({ type: 'egressCommand', jobId, command: command as EgressCommand });
      else worker?.send({ type: 'mixCommand', jobId, command: command as MixCommand });
    };
    this.host.attached?.({ transport: link.transport, send }, isNewWorker);
  }

  /** Its worker died. */
  detach(): void {
    this.#worker = undefined;
    this.job.workerPid = undefined;
    this.feed?.setWorker(undefined);
  }

  relink(link: RoomLink): void {
    this.#link = link;
    this.#worker?.send({ type: 'relinkJob', jobId: this.job.id, linkId: link.id });
    this.#attach(link, false);
  }

  stop(): void {
    this.#worker?.send({ type: 'stopJob', jobId: this.job.id });
    this.feed?.close();
    this.detach();
  }

  noteTracks(tracks: readonly TrackResume[]): void {
    for (const resume of tracks) {
      const track = this.#tracks.get(resume.id);
      if (track) track.resume = resume;
    }
  }

  /**
   * A stream is ready in the worker: lets the host publish it, unless it goes on where the last worker left it. Announced
   * again while it is being published, as when the room is rebuilt, it waits: the SFU takes nothing twice.
   */
  async publish(message: MessageOf<FromWorkerMessage, 'trackReady'>): Promise<void> {
    const { trackId } = message;
    const before = this.#publishing.get(trackId);
    const publishing = (before ?? Promise.resolve()).then(() => this.#publish(message));
    this.#publishing.set(trackId, publishing);
    await publishing;
    if (this.#publishing.get(trackId) === publishing) this.#publishing.delete(trackId);
  }

  async #publish(message: MessageOf<FromWorkerMessage, 'trackReady'>): Promise<void> {
    const { worker, link } = { worker: this.#worker, link: this.#link };
    if (!worker || !link) return;
    const { jobId, trackId } = message;
    const known = this.#tracks.get(trackId);
    if (known?.publishedOn === link && known.resume.ssrc === message.resume.ssrc && !link.isClosed) {
      known.resume = message.resume;
      worker.send({ type: 'trackPublished', jobId, trackId });
      return;
    }
    const track: RunTrack = { resume: message.resume, publishedOn: undefined };
    this.#tracks.set(trackId, track);
    try {
      await this.host.publishTrack(link.transport, {
        id: trackId,
        kind: message.kind,
        rtpParameters: message.rtpParameters,
        timeline: message.resume,
      });
      track.publishedOn = link;
      worker.send({ type: 'trackPublished', jobId, trackId });
    } catch (error) {
      const { code, message: why } = toGatewayError(error);
      // The room's media went meanwhile: it is announced again where it comes back, and would be missed then.
      if (code === 'media_lost' || link.isClosed || this.#link !== link) return;
      this.log.warn({ err: error, trackId }, 'track of a job not published');
      worker.send({ type: 'trackRefused', jobId, trackId, message: why });
    }
  }

  unpublish(trackId: number): void {
    if (this.#tracks.delete(trackId)) this.host.unpublishTrack(trackId);
  }
}
