// Owns: who may watch a room from outside of it, whatever the protocol (HLS, fMP4, RTSP). May import: core only.
import { GatewayError } from './errors.ts';
import { type JoinGrant, limited, partyOf, permissionsOf } from './grants.ts';
import type { Meetings } from './meetings.ts';
import type { AuthPort } from './ports.ts';
import type { RoomRecord } from './room.ts';
import type { Rooms } from './rooms.ts';

export interface ViewerDoorOptions {
  readonly rooms: Rooms;
  readonly meetings: Pick<Meetings, 'assertMayWatch'>;
  readonly auth: AuthPort;
}

export interface ViewerAsking {
  /** Name or id. */
  readonly room: string;
  readonly credential: string | undefined;
  readonly address: string;
}

export class ViewerDoor {
  readonly #options: ViewerDoorOptions;

  constructor(options: ViewerDoorOptions) {
    this.#options = options;
  }

  /**
   * @param isThere it watches already
   * @throws GatewayError `unauthorized`, `forbidden`, `not_found`, `rate_limited`, `room_locked`, `meeting_over`, `must_wait`
   */
  async admit({ room, credential, address }: ViewerAsking, isThere = false): Promise<RoomRecord> {
    const grant = await this.#options.auth.authorizeJoin(credential, room, address);
    return this.admitGrant(grant, room, isThere);
  }

  /** Of who has proved a grant in another way. @throws GatewayError as `admit()` */
  async admitGrant(grant: JoinGrant, room: string, isThere = false): Promise<RoomRecord> {
    const { auth, rooms, meetings } = this.#options;
    auth.assertNotRevoked(grant);
    const { record } = await rooms.get(room);
    // Whoever has such a token could hand it on to any number of viewers.
    if (grant.isOneTime) throw new GatewayError('forbidden', 'A token for one join does not open a broadcast.');
    const { subscribe } = limited(permissionsOf(record.roles, grant.role), grant.limits);
    if (!subscribe.audio || !subscribe.video) {
      throw new GatewayError('forbidden', `The role "${grant.role}" may not watch this room.`);
    }
    meetings.assertMayWatch(record, { kind: 'webrtc', ...partyOf(grant) }, isThere);
    return record;
  }
}
