// Owns: a streaming-out as the API shows it, and telling the event log of it. May import: core, the API's contract.
import type { EventSink } from '#core/gateway-events.ts';
import { maskedPushUrl } from '#core/masked-url.ts';
import type { Rooms } from '#core/rooms.ts';
import { type StreamingOut, type StreamingOutStatus, type TargetInfo, usualSegments } from '#core/streaming-out.ts';
import type { StreamingOuts } from '#core/streaming-outs.ts';
import type { StreamingOutResource } from './contract.ts';
import { sourceView } from './media-source-view.ts';
import { jobView, timeText } from './views.ts';

export function streamingOutView(one: StreamingOut): StreamingOutResource {
  const { record, status, lastError, egress } = one;
  const {
    source,
    hasAudio,
    hasVideo,
    video,
    createdAtMs,
    targets: _,
    segments,
    hasFallback = false,
    ...settings
  } = record;
  const job = egress?.job && jobView(egress.job.info);
  const {
    codec = 'h264',
    width = null,
    height = null,
    framerateHz = null,
    bitrateBps = null,
    profile = null,
    ...rest
  } = video;
  return {
    ...settings,
    segments: { ...(segments ?? usualSegments) },
    source: sourceView(source),
    media: { audio: hasAudio, video: hasVideo },
    hasFallback,
    video: { codec, width, height, framerateHz, bitrateBps, profile, ...rest },
    createdAt: timeText(createdAtMs),
    ...happening(status),
    since: timeText(status.atMs),
    lastError: lastError ? { ...happening(lastError), at: timeText(lastError.atMs) } : null,
    targets: one.targets.map(targetView),
    streams: (egress?.streams ?? []).map(({ kind, codec, ...size }) => ({
      ...{ kind, codec },
      ...{ width: size.width ?? null, height: size.height ?? null },
    })),
    jobId: job?.id ?? null,
    restarts: job?.restarts ?? 0,
    progress: job?.progress ?? null,
  };
}

/** Every change of state of a stream or one of its targets; counters are read from the API. */
export function tapStreamingOuts(streamingOuts: StreamingOuts, rooms: Rooms, sink: EventSink): void {
  const shown = new Map<string, string>();
  const roomOf = ({ record }: StreamingOut) => {
    const room = rooms.live(record.roomId);
    return room && { id: room.id, name: room.name };
  };
  streamingOuts.events.on('changed', (one) => {
    const { id } = one.record;
    const facts = JSON.stringify([one.record, one.status, one.targets.map(({ bytesOut: _, ...rest }) => rest)]);
    const before = shown.get(id);
    if (before === facts) return;
    shown.set(id, facts);
    const type = before === undefined ? 'egress.started' : 'egress.updated';
    sink.emit(type, { ...streamingOutView(one) }, roomOf(one));
  });
  streamingOuts.events.on('deleted', (one) => {
    shown.delete(one.record.id);
    sink.emit('egress.ended', { ...streamingOutView(one) }, roomOf(one));
  });
}

function targetView({ target, bytesOut, atMs, ...info }: TargetInfo): StreamingOutResource['targets'][number] {
  const { id, url, isPaused } = target;
  return { ...{ id, url: maskedPushUrl(url), isPaused, bytesOut }, ...happening(info), since: timeText(atMs) };
}

function happening<T extends Pick<StreamingOutStatus, 'state' | 'reason' | 'message'>>({ state, reason, message }: T) {
  return { state, reason, message };
}
