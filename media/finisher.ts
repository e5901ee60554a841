// Owns: the process that finishes recorded files, one after the other: whatever its demuxer meets, nothing but this
// process dies of it. Forked by src/recordings.
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { AvError } from './av/library.ts';
import { remux } from './av/remuxer.ts';
import { thumbnailOf } from './av/thumbnail.ts';
import { muxerFormats } from './egress/record-formats.ts';
import { type FinishOrder, type FinishResult, finishOrder } from './finish-protocol.ts';

/** AVERROR(ENOSPC) */
const diskFullCode = -28;
const lowPriority = 10;

if (!process.connected) process.kill(process.pid, 'SIGKILL');
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Those who speak and listen now go first.
setPriority(lowPriority);

process.on('message', (raw) => process.send?.(finish(finishOrder.parse(raw))));

function finish({ inputPath, outputPath, format, thumbnailPath }: FinishOrder): FinishResult {
  try {
    const facts = remux(inputPath, outputPath, muxerFormats[format]);
    if (!facts) return { outcome: 'empty' };
    const hasThumbnail = thumbnailPath !== undefined && writeThumbnail(outputPath, facts.durationMs, thumbnailPath);
    return { outcome: 'finished', ...facts, streams: [...facts.streams], hasThumbnail };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', isDiskFull: error instanceof AvError && error.avCode === diskFullCode, message };
  }
}

/** A recording without one is a recording all the same. */
function writeThumbnail(path: string, durationMs: number, thumbnailPath: string): boolean {
  try {
    const jpeg = thumbnailOf(path, durationMs);
    if (jpeg) writeFileSync(thumbnailPath, jpeg, { mode: 0o600 });
    return jpeg !== undefined;
  } catch {
    return false;
  }
}
