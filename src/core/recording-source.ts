// Owns: whether what is to be recorded is in the room. Pure. May import: core only.
import { GatewayError } from './errors.ts';
import type { RecordingSettings } from './recording-record.ts';
import type { Room } from './room.ts';
import type { Publication } from './track.ts';
import type { ViewPort } from './view-port.ts';
import type { ViewSettings } from './view-settings.ts';

/** One that somebody sends; what is made of the room for others is none. */
export function streamIn(room: Room, id: string): Publication | undefined {
  return [...room.publications()].find((one) => one.id === id && !one.participant.isHidden);
}

/**
 * Participants may come later: who records one by its user does not have to wait for it.
 * @throws GatewayError `unprocessable` for a view or a stream that is not there, or has nothing of what is wanted
 */
export function assertRecordable(wanted: WantedSource, room: Room, views: Pick<ViewPort, 'settingsOf'>): void {
  const { source } = wanted;
  if (source.kind === 'stream') assertStream(source.streamId, wanted, room);
  else if (source.kind === 'view') assertView(source.view, wanted, views.settingsOf(room.record));
  // As one sees it: a room may have other views alone.
  else if (source.kind === 'room' && wanted.video !== 'off') {
    assertView(roomView, wanted, views.settingsOf(room.record));
  }
}

/** That one sees unless another is named. */
export const roomView = 'common';

type WantedSource = Pick<RecordingSettings, 'source' | 'hasAudio' | 'video'>;

function assertStream(id: string, { hasAudio, video }: WantedSource, room: Room): void {
  const stream = streamIn(room, id);
  if (!stream) throw new GatewayError('unprocessable', `Nobody sends a stream "${id.slice(0, 64)}".`);
  const isWanted = stream.kind === 'audio' ? hasAudio : video !== 'off';
  if (isWanted) return;
  throw new GatewayError('unprocessable', `The stream is ${stream.kind} alone: nothing would be recorded.`);
}

/** A file that is to have pictures is not begun without the first of them. */
function assertView(wanted: string, { video }: WantedSource, views: readonly ViewSettings[]): void {
  const view = views.find(({ name }) => name === wanted);
  if (!view) {
    const message = `The room has no view "${wanted.slice(0, 64)}"; it has: ${views.map(({ name }) => name).join(', ')}.`;
    throw new GatewayError('unprocessable', message);
  }
  if (view.hasVideo !== false || video === 'off') return;
  throw new GatewayError('unprocessable', `The view "${wanted}" has sound only: it is recorded with "video": "off".`);
}
