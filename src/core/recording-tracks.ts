// Owns: what of a room goes into one recording, and into which lines of files. May import: core only.
import { EventEmitter } from 'node:events';
import { Egress } from './egress.ts';
import type { EgressSinkHandle, EgressSinkInfo } from './egress-sink.ts';
import type { EgressOrigin, EgressSource, EgressWishes } from './egress-source.ts';
import { GatewayError } from './errors.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { TapSound } from './mix-messages.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort } from './ports.ts';
import { recordCodecs } from './record-sink.ts';
import type { RecordedCall } from './recorded-call.ts';
import type { RecordingFiles } from './recording-files.ts';
import type { RecordingRecord, RecordingTrack } from './recording-record.ts';
import { roomView, streamIn } from './recording-source.ts';
import type { Room } from './room.ts';
import { whenViewGone } from './room-views.ts';
import type { Publication } from './track.ts';
import type { ViewPort } from './view-port.ts';
import type { ViewSettings } from './view-settings.ts';

export interface RecordingTracksOptions {
  readonly record: RecordingRecord;
  readonly room: Room;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly files: RecordingFiles;
  /** Of a recording of one call. */
  readonly call?: RecordedCall | undefined;
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
  /** Of whom or what it is, where others have files of their own. */
  readonly ids: readonly (string | undefined)[];
  readonly egress: Egress;
  readonly sink: EgressSinkHandle;
}

const frameRateHz = 30;

export class RecordingTracks extends Owned {
  readonly events = new EventEmitter<RecordingTracksEvents>();
  readonly #options: RecordingTracksOptions;
  readonly #live = new Set<LiveTrack>();
  /** Ids of participants or streams that have a line of their own now. */
  readonly #apart = new Set<string>();
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
    else if (source.kind === 'view') await this.#takeView(source.view);
    else if (source.kind === 'participants') {
      await this.#followAll(({ participant }) => this.#takeParticipant(participant));
    } else if (source.kind === 'streams') await this.#followAll((publication) => this.#takeStream(publication));
    else if (source.kind === 'stream') await this.#takeNamed(source.streamId);
    else if (source.kind === 'call') await this.#followCall(source.sound);
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

  async #begin(
    track: Omit<RecordingTrack, 'number'>,
    source: EgressOrigin,
    wishes: EgressWishes,
    room: Room = this.#options.room,
  ): Promise<void> {
    const { record, media, views, files, log } = this.#options;
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
    const live = { ids: [track.participantId, track.streamId], egress, sink };
    this.#live.add(live);
    sink.events.on('changed', (info) => this.events.emit('changed', info));
    void egress.done.then((reason) => {
      this.#live.delete(live);
      this.#apart.delete(track.streamId ?? track.participantId ?? '');
      const isOneOfMany = ['participants', 'streams', 'call'].includes(record.source.kind);
      if (!this.isClosed && !isOneOfMany) this.events.emit('ended', reason);
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

  /** @param publication the only one of it that is meant */
  #wishesFor(participant: Participant | undefined, publication?: Publication): EgressWishes {
    const { hasAudio, video } = this.#options.record;
    const request = this.#request();
    const isPhone = participant?.kind === 'sip' && videosOf(participant, publication).length === 0;
    if (video === 'off' || isPhone) return { audio: hasAudio, video: 'off', request };
    const isCopied = video === 'copy' || (video === 'auto' && this.#canCopy(participant, publication));
    return { audio: hasAudio, video: isCopied ? 'copied' : 'encoded', request };
  }

  /** What an encoder or a camera sends keeps its size; a browser's changes with its network. */
  #canCopy(participant: Participant | undefined, publication?: Publication): boolean {
    if (participant?.kind !== 'ingress') return false;
    const codecs = recordCodecs[this.#options.record.format];
    return videosOf(participant, publication).every(({ mimeType }) =>
      codecs.includes(mimeType.slice(mimeType.indexOf('/') + 1).toLowerCase()),
    );
  }

  /** The phone may go to other rooms: it is recorded there, in a next part. */
  async #followCall(sound: TapSound): Promise<void> {
    const { call, log } = this.#options;
    if (!call) throw new GatewayError('closed', 'The call has ended.');
    const { leg, displayName } = call;
    leg.setTap(sound);
    this.signal.addEventListener('abort', () => !leg.isClosed && leg.setTap(undefined), { once: true });
    const wishes = { audio: true, video: 'off', request: {} } as const;
    const take = () => this.#begin({ label: displayName }, { kind: 'tap', leg }, wishes, leg.room);
    leg.events.on('moved', () => {
      if (this.isClosed) return;
      for (const { egress } of this.#live) void egress.close();
      take().catch((err) => log.warn({ err }, 'call that has moved is not recorded any more'));
    });
    await take();
  }

  /** @param begin a line of files, unless what is published has one already */
  async #followAll(begin: (publication: Publication) => Promise<void>): Promise<void> {
    const { room, log } = this.#options;
    const take = (publication: Publication) => {
      begin(publication).catch((err) => log.warn({ err, publication: publication.id }, 'stream not recorded'));
    };
    const unlisten = listen(room.events, {
      publicationAdded: take,
      // One that was lost with the media of the room comes back under its id, and goes on in its files.
      publicationRemoved: ({ id }, reason) => reason !== 'failed' && this.#gone(id),
      participantLeft: ({ id }) => this.#gone(id),
      closed: (reason) => this.events.emit('ended', reason),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
    for (const publication of room.publications()) take(publication);
  }

  async #takeParticipant(participant: Participant): Promise<void> {
    const { id, displayName, isHidden } = participant;
    if (isHidden || this.#apart.has(id) || this.isClosed) return;
    this.#apart.add(id);
    const source = { kind: 'participant', participant: id } as const;
    await this.#begin({ label: displayName, participantId: id }, source, this.#wishesFor(participant));
    if (participant.isClosed) this.#gone(id);
  }

  async #takeView(view: string): Promise<void> {
    const isStill = ({ hasVideo }: ViewSettings) => hasVideo !== false || !this.#hasVideo;
    const gone = () => void this.events.emit('ended', 'peer_left');
    const unlisten = whenViewGone(this.#options.room, view, isStill, gone);
    this.signal.addEventListener('abort', unlisten, { once: true });
    await this.#begin({ label: view }, { kind: 'view', view }, this.#roomWishes());
  }

  async #takeNamed(id: string): Promise<void> {
    const found = streamIn(this.#options.room, id);
    if (!found) throw new GatewayError('closed', 'The stream has just ended.');
    const unlisten = listen(this.#options.room.events, {
      publicationRemoved: (one, reason) =>
        one.id === id && reason !== 'failed' && this.events.emit('ended', 'peer_left'),
      participantLeft: (one) => one === found.participant && this.events.emit('ended', 'peer_left'),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
    await this.#takeStream(found);
  }

  /** Of its one kind; a file of sound alone takes no pictures, and is not begun for them. */
  async #takeStream(publication: Publication): Promise<void> {
    const { id, kind, source: what, participant } = publication;
    const isWanted = kind === 'audio' ? this.#options.record.hasAudio : this.#hasVideo;
    if (participant.isHidden || !isWanted || this.#apart.has(id) || this.isClosed) return;
    this.#apart.add(id);
    const track = { label: `${participant.displayName}-${what}`, participantId: participant.id, streamId: id };
    const wishes = this.#wishesFor(participant, publication);
    const ofKind: EgressWishes = { ...wishes, ...(kind === 'audio' ? { video: 'off' } : { audio: false }) };
    await this.#begin(track, { kind: 'stream', stream: id }, ofKind);
    if (!streamIn(this.#options.room, id)) this.#gone(id);
  }

  /** Whose line of files ends with it. */
  #gone(id: string): void {
    for (const { ids, egress } of this.#live) if (ids.includes(id)) void egress.close();
  }

  protected override onClose(): void {
    this.events.removeAllListeners();
  }
}

/** @param only the one that is meant */
function videosOf({ publications }: Participant, only?: Publication): Publication[] {
  return [...(only ? [only] : publications.values())].filter(({ kind }) => kind === 'video');
}
