// Owns: what applications are told of: the names of events and what carries them. Pure. May import: core only.

/** Names are noun and past participle; a new one is added here, with whoever emits it. */
export const eventTypes = [
  ...(['room.created', 'room.updated', 'room.deleted', 'room.opened', 'room.closed'] as const),
  ...(['room.locked', 'room.unlocked'] as const),
  ...(['participant.joined', 'participant.updated', 'participant.left'] as const),
  ...(['participant.waiting', 'participant.admitted', 'participant.denied', 'participant.gone'] as const),
  ...(['stream.published', 'stream.updated', 'stream.unpublished'] as const),
  // A look that was changed; people whom somebody moved.
  ...(['view.created', 'view.updated', 'view.arranged', 'view.deleted'] as const),
  ...(['egress.started', 'egress.updated', 'egress.ended'] as const),
  ...(['message.sent'] as const),
  // A key on a phone that is in the room; what it types at the door is no event.
  ...(['digit.pressed'] as const),
  ...(['job.started', 'job.changed', 'job.ended'] as const),
  ...(['call.started', 'call.updated', 'call.ended'] as const),
  ...(['bridge.started', 'bridge.updated', 'bridge.ended'] as const),
  ...(['trunk.up', 'trunk.down', 'account.online', 'account.offline'] as const),
  ...(['freeswitch.up', 'freeswitch.down'] as const),
  ...(['recording.started', 'recording.paused', 'recording.resumed', 'recording.stopped'] as const),
  ...(['recording.failed', 'recording.uploaded', 'recording.deleted'] as const),
  ...(['node.started', 'node.draining', 'node.evicting', 'node.drained', 'node.undrained'] as const),
  ...(['node.overloaded', 'node.recovered'] as const),
  ...(['analytics.started', 'analytics.changed', 'analytics.stopped'] as const),
  // Something begins to be so, is so no longer, or happened in one moment (`detected` alone).
  ...(['analytics.detected', 'analytics.cleared'] as const),
  ...(['webhook.tested', 'webhook.failed', 'webhook.disabled'] as const),
] as const;

export type EventType = (typeof eventTypes)[number];

export interface EventRoom {
  readonly id: string;
  readonly name: string;
}

export interface GatewayEvent {
  /** Its place in the log: grows with every event, never used twice in one data folder. */
  readonly seq: number;
  /** The same for people and other systems: {@link eventId}. */
  readonly id: string;
  readonly type: EventType;
  readonly atMs: number;
  readonly room: EventRoom | undefined;
  /** As the API shows the thing that it is about; JSON. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** All that a part needs that has something to tell. */
export interface EventSink {
  emit(type: EventType, data: Readonly<Record<string, unknown>>, room?: EventRoom): void;
}

/** `room.*`, `participant.joined` or `*`. */
export const eventPatternShape = /^(\*|[a-z]+\.(\*|[a-z]+))$/;

export interface EventFilter {
  /** Patterns; absent or empty: all. */
  readonly types?: readonly string[] | undefined;
  readonly roomId?: string | undefined;
}

export interface EventQuery extends EventFilter {
  /** Of the event before the first: below all in the order of the log, above all the other way round. */
  readonly after: number;
  /** Of the last one that is looked at; to the end of the log unless said. */
  readonly until?: number | undefined;
  readonly limit: number;
  /** The order of the log unless said. */
  readonly order?: 'oldest' | 'newest' | undefined;
}

/** @returns the event types that the patterns stand for; undefined for all of them */
export function typesOf(patterns: readonly string[] | undefined): readonly EventType[] | undefined {
  if (!patterns || patterns.length === 0 || patterns.includes('*')) return undefined;
  return eventTypes.filter((type) => patterns.some((pattern) => pattern === type || pattern === `${kindOf(type)}.*`));
}

export function matchesFilter(event: Pick<GatewayEvent, 'type' | 'room'>, filter: EventFilter): boolean {
  if (filter.roomId !== undefined && event.room?.id !== filter.roomId) return false;
  return typesOf(filter.types)?.includes(event.type) ?? true;
}

const kindOf = (type: string): string => type.split('.', 1)[0] ?? '';

const seqDigits = 12;
const idPattern = /^EV_(\d{12})_([A-Za-z0-9]{6})$/;

/**
 * Sorts as text in the order of the log. The epoch is of the data folder, so that a receiver that remembers ids does not
 * take the events of a new folder for old ones.
 */
export function eventId(seq: number, epoch: string): string {
  return `EV_${String(seq).padStart(seqDigits, '0')}_${epoch}`;
}

/** @returns undefined for what is no id of an event */
export function parseEventId(id: string): { seq: number; epoch: string } | undefined {
  const [, digits, epoch] = idPattern.exec(id) ?? [];
  return digits === undefined || epoch === undefined ? undefined : { seq: Number(digits), epoch };
}
