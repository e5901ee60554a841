// Owns: telling the event log what happens in rooms and media work, as the API shows it. May import: core, ./views.
import type { EventEmitter } from 'node:events';
import type { CallEvents, CallInfo } from '#core/call.ts';
import type { EventRoom, EventSink, EventType } from '#core/gateway-events.ts';
import type { Job, JobHost } from '#core/job.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Participant } from '#core/participant.ts';
import { PassingMap } from '#core/passing-map.ts';
import type { RecordingRecord } from '#core/recording-record.ts';
import type { Recordings } from '#core/recordings.ts';
import type { Room, RoomRecord } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { AccountEvents, AccountRecord } from '#core/sip-account.ts';
import type { Publication } from '#core/track.ts';
import type { TrunkEvents, TrunkRecord, TrunkStatus } from '#core/trunk.ts';
import type { WaitingInfo } from '#core/waiting.ts';
import { callView } from './call-view.ts';
import { recordingView } from './recording-view.ts';
import { waitingView } from './room-meeting.ts';
import { jobView, participantView, roomView, streamView } from './views.ts';

/** Of whoever runs jobs. */
export type JobRunnerEvents = { jobStarted: [job: Job, host: JobHost] };

/**
 * Quality, scores and speaking change all the time and are read from the API; what is told are changes that somebody made.
 */
export function tapRooms(rooms: Rooms, sink: EventSink): void {
  const about = (type: EventType) => (record: Parameters<typeof roomView>[0]['record']) =>
    sink.emit(type, { ...roomView({ record, revision: 0 }, rooms.live(record.id)) }, eventRoom(record));
  rooms.events.on('created', about('room.created'));
  rooms.events.on('updated', about('room.updated'));
  rooms.events.on('deleted', about('room.deleted'));
  rooms.events.on('opened', (room) => {
    about('room.opened')(room.record);
    tapRoom(room, sink);
  });
  rooms.events.on('closed', (room, reason) =>
    sink.emit(
      'room.closed',
      { id: room.id, reason, openedAt: new Date(room.openedAtMs).toISOString() },
      eventRoom(room),
    ),
  );
}

/** Doors of rooms: who waits before them, and whether they are locked. */
export function tapMeetings(meetings: Meetings, rooms: Rooms, sink: EventSink): void {
  const about = (type: EventType) => (record: RoomRecord, who: WaitingInfo, why?: string) =>
    sink.emit(type, { ...waitingView(who), ...(why !== undefined && { code: why }) }, eventRoom(record));
  meetings.events.on('waiting', about('participant.waiting'));
  meetings.events.on('admitted', about('participant.admitted'));
  meetings.events.on('denied', about('participant.denied'));
  meetings.events.on('gone', about('participant.gone'));
  rooms.events.on('updated', (record, before) => {
    const isLocked = record.meeting?.isLocked ?? false;
    if (isLocked === (before.meeting?.isLocked ?? false)) return;
    sink.emit(isLocked ? 'room.locked' : 'room.unlocked', { id: record.id }, eventRoom(record));
  });
}

function tapRoom(room: Room, sink: EventSink): void {
  const shown = new PassingMap<string, string>();
  const emit = (type: EventType, data: Readonly<Record<string, unknown>>) => sink.emit(type, data, eventRoom(room));
  /** Whether what is told of it has changed. */
  const isNews = (id: string, facts: unknown) => {
    const text = JSON.stringify(facts);
    if (shown.get(id) === text) return false;
    shown.set(id, text);
    return true;
  };
  room.events.on('participantJoined', (participant) => {
    if (participant.isHidden) return;
    isNews(participant.id, participantFacts(participant));
    emit('participant.joined', { ...participantView(participant) });
  });
  room.events.on('participantUpdated', (participant) => {
    if (participant.isHidden || !isNews(participant.id, participantFacts(participant))) return;
    emit('participant.updated', { ...participantView(participant) });
  });
  room.events.on('participantLeft', (participant, reason) => {
    shown.delete(participant.id);
    if (participant.isHidden) return;
    const { id, kind, user, displayName, role, joinedAtMs } = participant;
    emit('participant.left', { id, kind, user, displayName, role, reason, durationMs: Date.now() - joinedAtMs });
  });
  room.events.on('publicationAdded', (publication) => {
    isNews(publication.id, streamFacts(publication));
    emit('stream.published', { ...streamView(publication) });
  });
  room.events.on('publicationUpdated', (publication) => {
    if (isNews(publication.id, streamFacts(publication))) emit('stream.updated', { ...streamView(publication) });
  });
  room.events.on('publicationRemoved', ({ id, kind, source, participant }, reason) => {
    shown.delete(id);
    emit('stream.unpublished', { id, kind, source, participantId: participant.id, user: participant.user, reason });
  });
  room.events.on('dtmfReceived', ({ id, user }, digit) => emit('digit.pressed', { participantId: id, user, digit }));
  room.events.on('chatSent', ({ id, from, to, sentAtMs }) =>
    // What people say to each other is theirs: the text stays in the room.
    emit('message.sent', { id, from: from?.id ?? null, to, sentAt: new Date(sentAtMs).toISOString() }),
  );
}

function participantFacts(participant: Participant): unknown {
  const { role, permissions, displayName, attributes, isHandRaised, isConnected } = participant;
  return [role, permissions, displayName, attributes, isHandRaised, isConnected];
}

const streamFacts = ({ isMuted, isMutedByModerator }: Publication): unknown => [isMuted, isMutedByModerator];

/** Phones: from the first ring to the record. One that was refused at the door has an end and no beginning. */
export function tapCalls(calls: EventEmitter<CallEvents>, sink: EventSink): void {
  const emit = (type: EventType) => (info: CallInfo) => {
    const { roomId, roomName } = info;
    const room = roomId !== undefined && roomName !== undefined ? { id: roomId, name: roomName } : undefined;
    sink.emit(type, { ...callView(info) }, room);
  };
  calls.on('started', emit('call.started'));
  calls.on('updated', emit('call.updated'));
  calls.on('ended', emit('call.ended'));
}

/** Accounts whose first phone has come or whose last has gone. */
export function tapAccounts(book: EventEmitter<AccountEvents>, sink: EventSink): void {
  const emit =
    (type: 'account.online' | 'account.offline') =>
    ({ id, username }: AccountRecord) =>
      sink.emit(type, { id, username });
  book.on('online', emit('account.online'));
  book.on('offline', emit('account.offline'));
}

/** Carriers and PBXs that come and go. */
export function tapTrunks(lines: EventEmitter<TrunkEvents>, sink: EventSink): void {
  const emit =
    (type: 'trunk.up' | 'trunk.down') =>
    ({ id, name }: TrunkRecord, { lastError }: TrunkStatus) =>
      sink.emit(type, { id, name, reason: type === 'trunk.down' ? (lastError ?? null) : null });
  lines.on('up', emit('trunk.up'));
  lines.on('down', emit('trunk.down'));
}

export function tapJobs(runner: EventEmitter<JobRunnerEvents>, rooms: Rooms, sink: EventSink): void {
  runner.on('jobStarted', (job, host) => {
    const room = roomOf(host, rooms);
    const emit = (type: EventType) => sink.emit(type, { ...jobView(job.info) }, room && eventRoom(room));
    emit('job.started');
    job.events.on('changed', () => emit(job.isOver ? 'job.ended' : 'job.changed'));
  });
}

function roomOf(host: JobHost, rooms: Rooms): Room | undefined {
  const media = mediaOf(host);
  return media && [...rooms.liveRooms()].find((room) => mediaOf(room) === media);
}

/** None while a room is being rebuilt: then the job says whose it is by its id alone. */
function mediaOf(owner: Pick<JobHost, 'media'>): JobHost['media'] | undefined {
  try {
    return owner.media;
  } catch {
    return undefined;
  }
}

const eventRoom = ({ id, name }: EventRoom): EventRoom => ({ id, name });

export function tapRecordings({ events }: Pick<Recordings, 'events'>, sink: EventSink): void {
  const tell = (type: EventType, record: RecordingRecord) =>
    sink.emit(type, recordingView(record), { id: record.roomId, name: record.roomName });
  events.on('changed', (record, from) => {
    if (record.state === 'recording') tell(from === 'paused' ? 'recording.resumed' : 'recording.started', record);
    else if (record.state === 'paused') tell('recording.paused', record);
    else if (record.state === 'finished') tell('recording.stopped', record);
    else if (record.state === 'failed') tell('recording.failed', record);
  });
  events.on('uploaded', (record) => tell('recording.uploaded', record));
  events.on('deleted', (record) => tell('recording.deleted', record));
}
