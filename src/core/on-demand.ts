// Owns: how somebody who has no place in a room yet asks for media that is brought there on demand. May import: core only.
import type { RoomId } from './ids.ts';

/** Keeps what is on demand going until its holder has a place in the room, or has given up. */
export interface DemandHold {
  /** Once each of it is live or has failed. */
  readonly settled: Promise<void>;
  /** Call once; what is live by then stays for a while. */
  release(): void;
}

export interface OnDemandMedia {
  /** @returns undefined when nothing is brought to this room on demand */
  want(roomId: RoomId): DemandHold | undefined;
}
