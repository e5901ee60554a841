// Owns: spans of what lasts: who is in a room, jobs, calls. May import: core, ./tracer.
import type { EventEmitter } from 'node:events';
import type { CallEvents } from '#core/call.ts';
import type { Job } from '#core/job.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Span, Tracer } from './tracer.ts';

/** Of whoever runs jobs. */
export interface TracedJobs {
  readonly events: { on(name: 'jobStarted', listener: (job: Job) => void): unknown };
}

/** No names of people: ids lead to them, for who may ask. */
export function traceParts(tracer: Tracer, rooms: Pick<Rooms, 'events'>, jobs: TracedJobs): void {
  rooms.events.on('opened', (room) => {
    const spans = new Map<string, Span>();
    const of = { 'room.id': room.id, 'room.name': room.name };
    room.events.on('participantJoined', ({ id, kind, role }) => {
      spans.set(id, tracer.start('participant', { ...of, 'participant.id': id, 'participant.kind': kind, role }));
    });
    room.events.on('participantLeft', ({ id }, reason) => {
      spans.get(id)?.end({ attributes: { reason }, error: reason === 'failed' ? reason : undefined });
      spans.delete(id);
    });
  });
  jobs.events.on('jobStarted', (job) => {
    const span = tracer.start(`job ${job.info.kind}`, { 'job.id': job.id, 'job.kind': job.info.kind });
    job.events.on('changed', ({ state, reason, message }) => span.note(state, { reason, message }));
    void job.done.then(() => {
      const { state, reason } = job.info;
      span.end({ attributes: { state, reason }, error: state === 'failed' ? (reason ?? 'failed') : undefined });
    });
  });
}

export function traceCalls(tracer: Tracer, calls: EventEmitter<CallEvents>): void {
  const spans = new Map<string, Span>();
  calls.on('started', ({ id, direction, roomId }) => {
    spans.set(id, tracer.start('call', { 'call.id': id, 'call.direction': direction, 'room.id': roomId }));
  });
  calls.on('updated', ({ id, state }) => spans.get(id)?.note(state));
  calls.on('ended', ({ id, end }) => {
    const attributes = { 'sip.status': end?.sipStatus, reason: end?.reason, by: end?.by };
    spans.get(id)?.end({ attributes, error: end?.code === 'internal' ? end.reason : undefined });
    spans.delete(id);
  });
}
