import { once } from 'node:events';
import { expect, test } from 'vitest';
import { FakeMedia } from '#test/support/fake-media.ts';
import { someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import type { RecordingFiles } from './recording-files.ts';
import type { RecordingRecord } from './recording-record.ts';
import { RecordingTracks } from './recording-tracks.ts';

async function someTracks(video: RecordingRecord['video']) {
  const parts = someRooms();
  const media = new FakeMedia();
  const views = someViews({ ...parts, media });
  const { record } = await parts.rooms.create({ name: 'demo' });
  await views.ofRooms.create(record.id, { name: 'wide' });
  const room = await parts.rooms.open('demo');
  // The disk is not what this is about: of it, only where a track is written.
  const files = { makeWorkFolder: async () => '/nowhere' } as Partial<RecordingFiles> as RecordingFiles;
  const recording = {
    ...{ id: 'RC_x', roomId: room.id, source: { kind: 'view', view: 'wide' }, hasAudio: true, video },
    ...{ format: 'mp4', audioCodec: 'aac', tracks: [] },
  } as unknown as RecordingRecord;
  const tracks = new RecordingTracks({ record: recording, room, media, views, files, log: parts.log });
  const ends: string[] = [];
  tracks.events.on('ended', (reason) => ends.push(reason));
  await tracks.start();
  return { tracks, ends, ofRooms: views.ofRooms, roomId: record.id };
}

test('a view that is recorded is over when the room has it no more, not when it is changed', async () => {
  const { tracks, ends, ofRooms, roomId } = await someTracks('auto');
  await ofRooms.change(roomId, 'wide', { hasAudio: false, hasLabels: false });
  expect(ends).toEqual([]);
  const ended = once(tracks.events, 'ended');
  await ofRooms.delete(roomId, 'wide');
  expect(await ended).toEqual(['peer_left']);
  await tracks.close();
});

test('a view whose pictures are recorded is over with them, one of which only the sound is goes on', async () => {
  const [seen, heard] = [await someTracks('auto'), await someTracks('off')];
  for (const { ofRooms, roomId } of [seen, heard]) await ofRooms.change(roomId, 'wide', { hasVideo: false });
  expect([seen.ends, heard.ends]).toEqual([['peer_left'], []]);
  await Promise.all([seen.tracks.close(), heard.tracks.close()]);
});
