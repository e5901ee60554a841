// Owns: a recording as the API and events show it. Pure. May import: core, ./contract.
import type { RecordingPart, RecordingRecord, RecordingSource } from '#core/recording-record.ts';
import type { RecordingResource } from './contract.ts';
import { timeText } from './views.ts';

/** @param now what is not kept with every change; by its parts when absent */
export function recordingView(
  record: RecordingRecord,
  now?: { readonly recordedMs: number; readonly bytes: number },
): RecordingResource {
  const { id, roomId, roomName, state, reason, message, format, audioCodec, source, parts } = record;
  const sum = (of: (part: RecordingPart) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    ...{ id, roomId, roomName, state, reason, message, format, audioCodec },
    source: sourceView(source),
    audio: record.hasAudio,
    video: record.video,
    fileName: record.template,
    name: record.name ?? null,
    width: record.width ?? null,
    height: record.height ?? null,
    segmentMs: record.segmentMs ?? null,
    segmentBytes: record.segmentBytes ?? null,
    maxDurationMs: record.maxDurationMs ?? null,
    upload: record.isUploaded,
    deleteAfterUpload: record.deletesAfterUpload,
    since: timeText(record.changedAtMs),
    startedAt: timeText(record.startedAtMs),
    endedAt: record.endedAtMs === undefined ? null : timeText(record.endedAtMs),
    durationMs:
      parts.length > 0 && record.endedAtMs !== undefined
        ? keptMs(parts)
        : (now?.recordedMs ?? Math.max(0, ...parts.map(({ durationMs }) => durationMs))),
    bytes: now?.bytes ?? sum(({ bytes }) => bytes),
    parts: parts.map((part) => partView(record, part)),
  };
}

/** How long something was recorded: of one track all its parts; of several the time in which there was one at least. */
function keptMs(parts: readonly RecordingPart[]): number {
  const isOneTrack = parts.every(({ track }) => track === parts[0]?.track);
  if (isOneTrack) return parts.reduce((total, { durationMs }) => total + durationMs, 0);
  let totalMs = 0;
  let untilMs = 0;
  for (const { startedAtMs, durationMs } of parts.toSorted((a, b) => a.startedAtMs - b.startedAtMs)) {
    const endMs = startedAtMs + durationMs;
    totalMs += Math.max(0, endMs - Math.max(startedAtMs, untilMs));
    untilMs = Math.max(untilMs, endMs);
  }
  return totalMs;
}

function sourceView(source: RecordingSource): RecordingResource['source'] {
  if (source.kind === 'participant') return { kind: 'participant', participant: source.participantId };
  return source.kind === 'stream' ? { kind: 'stream', stream: source.streamId } : source;
}

function partView(record: RecordingRecord, part: RecordingPart): RecordingResource['parts'][number] {
  const { number, bytes, durationMs, isIndexed, isLocal, upload } = part;
  const track = record.tracks.find((one) => one.number === part.track);
  const path = `/api/rooms/${record.roomId}/recordings/${record.id}/parts/${number}`;
  return {
    ...{ number, bytes, durationMs, isIndexed, isLocal },
    track: track?.label ?? 'room',
    participantId: track?.participantId ?? null,
    streamId: track?.streamId ?? null,
    fileName: part.file,
    startedAt: timeText(part.startedAtMs),
    streams: part.streams.map(({ kind, codec, width = null, height = null }) => ({ kind, codec, width, height })),
    downloadPath: isLocal ? `${path}/download` : null,
    thumbnailPath: part.thumbnail === undefined ? null : `${path}/thumbnail`,
    upload: upload
      ? {
          ...{ state: upload.state, attempts: upload.attempts, sentBytes: upload.sentBytes },
          ...{ url: upload.url ?? null, message: upload.message ?? null },
        }
      : null,
  };
}
