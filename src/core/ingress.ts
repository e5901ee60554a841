// Owns: media that enters a room from outside: a participant and the job that feeds it. May import: core only.
import { EventEmitter } from 'node:events';
import { type IngressId, newIngressId, type PublicationId } from './ids.ts';
import type { Job, JobChange, JobHost, JobSpec, JobTrack } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { MediaSource } from './media-source.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort, SfuPlainTransport, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import type { Publication } from './track.ts';

export interface IngressOptions {
  /** A new one when absent. */
  readonly id?: IngressId | undefined;
  readonly room: Room;
  readonly media: MediaPort;
  readonly spec: JobSpec;
  /** The application's name for it, and what others see. */
  readonly user: string;
  readonly displayName: string;
  readonly role?: string | undefined;
  readonly log: Logger;
  readonly openSource?: (() => MediaSource) | undefined;
}

export type IngressEvents = {
  changed: [change: JobChange];
  closed: [reason: CloseReason];
};

/**
 * Keeps one participant in the room for as long as the source is wanted, whatever happens to the source, to the media
 * worker or to the SFU worker: its id and those of its publications stay.
 */
export class Ingress extends Owned implements JobHost {
  readonly id: IngressId;
  readonly room: Room;
  readonly participant: Participant;
  readonly events = new EventEmitter<IngressEvents>();
  readonly #media: MediaPort;
  readonly #log: Logger;
  readonly #publications = new Map<number, Publication>();
  readonly #publicationIds = new Map<number, PublicationId>();
  #job: Job | undefined;

  /** @throws GatewayError `overloaded`, `draining`, and what `room.join()` throws */
  static async start(options: IngressOptions): Promise<Ingress> {
    const participant = options.room.join({
      kind: 'ingress',
      user: options.user,
      displayName: options.displayName,
      role: options.role ?? 'presenter',
    });
    const ingress = new Ingress(options, participant);
    try {
      await ingress.#start(options);
    } catch (error) {
      await ingress.close('failed');
      throw error;
    }
    return ingress;
  }

  private constructor(options: IngressOptions, participant: Participant) {
    super();
    this.id = options.id ?? newIngressId();
    this.room = options.room;
    this.participant = participant;
    this.#media = options.media;
    this.#log = options.log.child({ ingress: this.id, participant: participant.id });
    participant.events.on('mediaRestarted', () => void this.#relink());
    // Kicked, or the room closed.
    void participant.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
  }

  get job(): Job | undefined {
    return this.#job;
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  async publishTrack(transport: SfuPlainTransport, track: JobTrack): Promise<void> {
    await this.#publications.get(track.id)?.close('replaced');
    const publication = await this.participant.publish(transport, {
      kind: track.kind,
      source: track.kind === 'video' ? 'camera' : 'microphone',
      rtpParameters: track.rtpParameters,
      timeline: track.timeline,
      id: this.#publicationIds.get(track.id),
    });
    this.#publications.set(track.id, publication);
    this.#publicationIds.set(track.id, publication.id);
    publication.events.on('closed', () => {
      if (this.#publications.get(track.id) === publication) this.#publications.delete(track.id);
    });
  }

  unpublishTrack(trackId: number): void {
    void this.#publications.get(trackId)?.close('peer_left');
  }

  async #start(options: IngressOptions): Promise<void> {
    const job = await this.#media.startJob({
      spec: options.spec,
      host: this,
      log: this.#log,
      openSource: options.openSource,
    });
    this.#job = this.own(job);
    this.#showState(job);
    job.events.on('changed', (change) => {
      this.#showState(job);
      this.events.emit('changed', change);
    });
    void job.done.then((reason) => this.close(reason));
  }

  /** A source that is away shows as a participant whose connection is lost. */
  #showState(job: Job): void {
    const isConnected = job.state === 'live' || job.state === 'starting';
    if (!this.participant.isClosed && this.participant.isConnected !== isConnected) {
      this.participant.update({ isConnected });
    }
  }

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#media.relinkJob(this.#job);
    } catch (error) {
      this.#log.warn({ err: error }, 'ingress not plumbed to the new media of its room');
      await this.close('failed');
    }
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.participant.close(reason);
    this.events.emit('closed', reason);
  }
}
