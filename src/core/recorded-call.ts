// Owns: what a recording wants of the call that it records, and which calls are recorded without being asked. Pure. May import: core only.
import type { RoomId } from './ids.ts';
import type { Leg } from './leg.ts';
import type { TapSound } from './mix-messages.ts';
import type { RecordFormat } from './record-sink.ts';

export interface RecordedCall {
  readonly id: string;
  readonly displayName: string;
  readonly leg: Leg;
  /** Its phone is told. */
  noteRecorded(isRecorded: boolean, recordingId: string): void;
}

/** How a call is to be recorded; what is not said is as the configuration has it. */
export interface CallRecordingWish {
  readonly sound?: TapSound | undefined;
  readonly format?: RecordFormat | undefined;
  readonly audioCodec?: 'aac' | 'opus' | undefined;
  readonly fileName?: string | undefined;
  readonly name?: string | undefined;
  readonly segmentMs?: number | undefined;
  readonly segmentBytes?: number | undefined;
  readonly maxDurationMs?: number | undefined;
  readonly upload?: boolean | undefined;
  readonly deleteAfterUpload?: boolean | undefined;
}

/** `true`: as usual; `false`: not, whatever a trunk says. */
export type RecordOption = boolean | CallRecordingWish;

/** Begins to record it, listed with this room. @throws GatewayError as `Recordings.startOfCall()` */
export type RecordCall = (room: RoomId, call: RecordedCall, wish: CallRecordingWish) => Promise<void>;

interface Recorder {
  readonly record?: RecordOption | undefined;
}

export interface RecordingOrder {
  readonly by: 'rule' | 'trunk';
  readonly wish: CallRecordingWish;
}

/**
 * Who says that a call is recorded, and how: the rule that has it, else the side of the trunk that it comes or goes by.
 * @returns undefined where nobody does, or where the rule says that it is not
 */
export function recordingOrder(rule: Recorder | undefined, trunk: Recorder | undefined): RecordingOrder | undefined {
  const by = rule?.record === undefined ? 'trunk' : 'rule';
  const wish = wishOf(rule?.record ?? trunk?.record);
  return wish && { by, wish };
}

export function wishOf(option: RecordOption | undefined): CallRecordingWish | undefined {
  if (option === undefined || option === false) return undefined;
  return option === true ? {} : option;
}
