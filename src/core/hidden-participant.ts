// Owns: who takes a room's streams and publishes what is made of them, seen by nobody. May import: core only.
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

/** @param user for the log; close it when the work is over */
export function joinHidden(room: Room, user: string, displayName: string, publishes = true): Participant {
  const [{ role } = { role: 'presenter' }] = room.record.roles;
  const all = { audio: true, video: true, data: true };
  const none = { audio: false, video: false, data: false };
  const self = room.join({ kind: 'bot', user, displayName, role, isHidden: true });
  self.setPermissions({ publish: publishes ? all : none, subscribe: all, chat: false, moderate: false });
  return self;
}
