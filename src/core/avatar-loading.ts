// Owns: who comes with the URL of an avatar gets it. May import: core only.
import type { AvatarSource } from './avatar.ts';
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import type { Rooms } from './rooms.ts';

/**
 * Nobody waits for it: until it is there, and where it cannot be had, initials are shown.
 * @returns stops it
 */
export function loadAvatars(rooms: Rooms, source: AvatarSource, log: Logger): () => void {
  return listen(rooms.events, {
    opened: (room) => {
      room.events.on('participantJoined', (participant) => {
        const { avatarUrl, isHidden } = participant;
        if (avatarUrl !== undefined && !isHidden) void load(participant, avatarUrl, source, log);
      });
    },
  });
}

async function load(participant: Participant, url: string, source: AvatarSource, log: Logger): Promise<void> {
  try {
    const image = await source.fetch(url);
    // What somebody has given him or taken from him meanwhile is newer.
    if (!participant.isClosed && !participant.isAvatarChosen) participant.setAvatar(image);
  } catch (err) {
    log.info({ err, room: participant.room.name, participant: participant.id }, 'avatar not had from its URL');
  }
}
