// Owns: which recordings are to go. Pure. May import: core only.
import type { DiskUsage } from './recording-files.ts';
import { isOver, type RecordingRecord } from './recording-record.ts';

export interface RetentionRules {
  /** Since its end. */
  readonly maxAgeMs?: number | undefined;
  /** 0..1 of the disk, of all recordings together. */
  readonly maxDiskShare: number;
}

/**
 * @returns those that are too old, then the oldest until the rest takes no more than its share. The newest stays: one that
 * has filled a disk would be gone in the moment in which it ends.
 */
export function chooseExpired(
  records: readonly RecordingRecord[],
  usage: DiskUsage,
  rules: RetentionRules,
  nowMs: number,
): RecordingRecord[] {
  const over = records.filter(({ state }) => isOver(state)).sort((one, other) => endOf(one) - endOf(other));
  const isOld = (record: RecordingRecord) => rules.maxAgeMs !== undefined && nowMs - endOf(record) > rules.maxAgeMs;
  const expired = over.filter(isOld);
  let bytes = usage.recordingsBytes - sum(expired);
  for (const record of over.slice(0, -1)) {
    if (bytes <= rules.maxDiskShare * usage.totalBytes) break;
    if (isOld(record) || localBytes(record) === 0) continue;
    expired.push(record);
    bytes -= localBytes(record);
  }
  return expired;
}

const endOf = ({ endedAtMs, changedAtMs }: RecordingRecord): number => endedAtMs ?? changedAtMs;

const localBytes = ({ parts }: RecordingRecord): number =>
  parts.reduce((bytes, part) => bytes + (part.isLocal ? part.bytes : 0), 0);

const sum = (records: readonly RecordingRecord[]): number =>
  records.reduce((bytes, record) => bytes + localBytes(record), 0);
