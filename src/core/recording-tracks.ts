// Owns: what of a room goes into one recording, and into which lines of files. May import: core only.
import { EventEmitter } from 'node:events';
import { Egress } from './egress.ts';
import type { EgressSinkHandle, EgressSinkInfo } from './egress-sink.ts';
import type { EgressSource, EgressWishes } from './egress-source.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort } from './ports.ts';
import { recordCodecs } from './record-sink.ts';
import type { RecordingFiles } from './recording-files.ts';
import type { RecordingRecord, RecordingTrack } from './recording-record.ts';
import type { Room } from './room.ts';
import type { ViewPort } from './view-port.ts';

export interface RecordingTracksOptions {
  readonly record: RecordingRecord;
  readonly room: Room;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly files: RecordingFiles;
  readonly log: Logger;
}

export type RecordingTracksEvents = {
  /** One more line of files. */
  added: [track: RecordingTrack];
  /** Its recorder has something to say. */
  changed: [info: EgressSinkInfo];
  /** There is nothing any more that could be recorded. */
  ended: [reason: CloseReason];
};

interface LiveTrack {
  readonly egress: Egress;
  readonly sink: EgressSinkHandle;
}

const roomView = 'common';
const frameRateHz = 30;

export class RecordingTracks extends Owned {
  readonly events = new EventEmitter<RecordingTracksEvents>();
  readonly #options: RecordingTracksOptions;
  readonly #live = new Set<LiveTrack>();
  readonly #ofParticipants = new Set<string>();
  #count: number;
  #isPaused = false;

  constructor(options: RecordingTracksOptions) {
    super();
    this.#options = options;
    this.#count = options.record.tracks.length;
  }

  /** On the disk, in all tracks. */
  get bytes(): number {
    let sum = 0;
    for (const { sink } of this.#live) sum += sink.bytesOut;
    return sum;
  }

  /** @throws GatewayError as `Egress.start()` */
  async start(): Promise<void> {
    const { source, name } = this.#options.record;
    if (source.kind === 'room') await this.#begin({ label: 'room' }, this.#roomSource(), this.#roomWishes());
    else if (source.kind === 'participants') await this.#followAll();
    else {
      const participant = [...this.#options.room.participants.values()].find(
        ({ id, user }) => id === source.participantId || user === source.participantId,
      );
      const label = participant?.displayName ?? name ?? source.participantId;
      const who = { kind: 'participant', participant: source.participantId } as const;
      await this.#begin({ label, participantId: source.participantId }, who, this.#wishesFor(participant));
    }
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    for (const { sink } of this.#live) {
      if (isPaused) sink.pause();
      else sink.resume();
    }
  }

  async #begin(track: Omit<RecordingTrack, 'number'>, source: EgressSource, wishes: EgressWishes): Promise<void> {
    const { record, room, media, views, files, log } = this.#options;
    const number = ++this.#count;
    const folder = await files.makeWorkFolder(record.id, number);
    this.events.emit('added', { ...track, number });
    const egress = await Egress.start({ room, media, views, source, wishes, name: 'recorder', log });
    if (this.isClosed) {
      await egress.close();
      return;
    }
    this.own(egress);
    const { format, audioCodec, segmentMs, segmentBytes } = record;
    const needsVideo = wishes.video === 'encoded';
    const spec = { type: 'record', folder, format, audioCodec, needsVideo, segmentMs, segmentBytes } as const;
    const sink = egress.addSink(spec, this.#isPaused);
    const live = { egress, sink };
    this.#live.add(live);
    sink.events.on('changed', (info) => this.events.emit('changed', info));
    void egress.done.then((reason) => {
      this.#live.delete(live);
      if (track.participantId !== undefined) this.#ofParticipants.delete(track.participantId);
      if (!this.isClosed && record.source.kind !== 'participants') this.events.emit('ended', reason);
    });
  }

  get #hasVideo(): boolean {
    return this.#options.record.video !== 'off';
  }

  #roomSource(): EgressSource {
    return this.#hasVideo ? { kind: 'view', view: roomView } : { kind: 'mix' };
  }

  #roomWishes(): EgressWishes {
    const { hasAudio } = this.#options.record;
    return { audio: hasAudio, video: this.#hasVideo ? 'encoded' : 'off', request: this.#request() };
  }

  /** Codec by what the format can hold and most devices can play. */
  #request(): EgressWishes['request'] {
    const { format, width, height } = this.#options.record;
    const codec = recordCodecs[format].includes('h264') ? 'h264' : 'vp8';
    return { codec, width, height, framerateHz: frameRateHz };
  }

  #wishesFor(participant: Participant | undefined): EgressWishes {
    const { hasAudio, video } = this.#options.record;
    const request = this.#request();
    if (video === 'off' || participant?.kind === 'sip') return { audio: hasAudio, video: 'off', request };
    const isCopied = video === 'copy' || (video === 'auto' && this.#canCopy(participant));
    return { audio: hasAudio, video: isCopied ? 'copied' : 'encoded', request };
  }

  /** What an encoder or a camera sends keeps its size; a browser's changes with its network. */
  #canCopy(participant: Participant | undefined): boolean {
    if (participant?.kind !== 'ingress') return false;
    const videos = [...participant.publications.values()].filter(({ kind }) => kind === 'video');
    const codecs = recordCodecs[this.#options.record.format];
    return videos.every(({ mimeType }) => codecs.includes(mimeType.slice(mimeType.indexOf('/') + 1).toLowerCase()));
  }

  async #followAll(): Promise<void> {
    const { room, log } = this.#options;
    const take = (participant: Participant) => {
      this.#take(participant).catch((err) =>
        log.warn({ err, participant: participant.id }, 'participant not recorded'),
      );
    };
    const unlisten = listen(room.events, {
      publicationAdded: ({ participant }) => take(participant),
      participantLeft: ({ id }) => this.#leave(id),
      closed: (reason) => this.events.emit('ended', reason),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
    for (const participant of room.visibleParticipants) take(participant);
  }

  async #take(participant: Participant): Promise<void> {
    const { id, displayName, isHidden, publications } = participant;
    if (isHidden || publications.size === 0 || this.#ofParticipants.has(id) || this.isClosed) return;
    this.#ofParticipants.add(id);
    const source = { kind: 'participant', participant: id } as const;
    await this.#begin({ label: displayName, participantId: id }, source, this.#wishesFor(participant));
  }

  #leave(participantId: string): void {
    for (const { egress } of this.#live) {
      if (egress.source.kind === 'participant' && egress.source.participant === participantId) void egress.close();
    }
  }

  protected override onClose(): void {
    this.events.removeAllListeners();
  }
}
