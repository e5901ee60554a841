// A Rooms on a store in memory and the fake SFU, with participants that publish and subscribe: what tests of the edge need.
import type { SfuPort } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { Rooms } from '#core/rooms.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { FakeSfu, someRtpParameters } from './fake-sfu.ts';
import { KeepingLog } from './keeping-log.ts';
import { endsWithFile } from './opened.ts';

export function someRooms<S extends SfuPort = FakeSfu>(options: { sfu?: S } = {}) {
  const log = new KeepingLog();
  const store = openSqliteStore(':memory:', log);
  const sfu = options.sfu ?? new FakeSfu();
  const defaults = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 60_000 };
  const rooms = new Rooms({ store, sfu, log, defaults });
  // Rooms of another SFU end before it does, which is its owner's to see to.
  if (!options.sfu) endsWithFile(() => rooms.close());
  return { log, store, sfu: sfu as S, rooms };
}

/** @returns a participant that publishes a microphone and a camera */
export async function joinAndPublish(room: Room, user: string, role = 'presenter') {
  const participant = room.join({ kind: 'webrtc', user, displayName: user.toUpperCase(), role });
  const transport = await participant.createTransport();
  const audio = await participant.publish(transport, {
    kind: 'audio',
    source: 'microphone',
    rtpParameters: someRtpParameters('audio'),
  });
  const video = await participant.publish(transport, {
    kind: 'video',
    source: 'camera',
    rtpParameters: someRtpParameters('video', 3),
  });
  return { participant, transport, audio, video };
}
