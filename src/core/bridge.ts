// Owns: a bridge between two rooms: in each of them a participant that is the other room. May import: core only.

import { EventEmitter } from 'node:events';
import { BridgeChat } from './bridge-chat.ts';
import { BridgePictures, type PicturedSide } from './bridge-pictures.ts';
import { GatewayError } from './errors.ts';
import { type BridgeId, newBridgeId } from './ids.ts';
import type { Leg } from './leg.ts';
import type { LegParameters } from './leg-media.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Participant } from './participant.ts';
import type { Logger, PhonePort } from './ports.ts';
import type { Room } from './room.ts';
import { Turns } from './turns.ts';
import type { VideoPhonePort } from './video-phone-port.ts';
import type { ViewPort } from './view-port.ts';

/** Which way goes what, as the room has it from which the bridge was made. */
export interface BridgeWays {
  /** This room hears the other. */
  readonly hears: boolean;
  /** The other hears this room. */
  readonly isHeard: boolean;
  readonly sees: boolean;
  readonly isSeen: boolean;
  /** What is written to everybody there is read here. */
  readonly reads: boolean;
  readonly isRead: boolean;
}

export interface BridgeEnd {
  readonly reason: 'requested' | 'room_closed' | 'rooms_empty' | 'removed' | 'media_lost' | 'shutdown';
  readonly message: string;
}

export interface BridgeOptions {
  readonly rooms: readonly [Room, Room];
  readonly ways: BridgeWays;
  readonly phones: PhonePort & VideoPhonePort;
  readonly views: ViewPort;
  readonly log: Logger;
}

export type BridgeEvents = { changed: []; closed: [end: BridgeEnd] };

const payloadType = 111;

/**
 * Two legs on loopback that are each other's phone. Each is sent the mix of its room without itself, so that nobody hears
 * their own voice come back, and outlives media workers as the legs of phones do.
 */
export class RoomBridge extends Owned {
  readonly id: BridgeId = newBridgeId();
  readonly createdAtMs = Date.now();
  readonly rooms: readonly [Room, Room];
  readonly events = new EventEmitter<BridgeEvents>();
  readonly #options: BridgeOptions;
  readonly #log: Logger;
  readonly #legs: Leg[] = [];
  readonly #participants: Participant[] = [];
  #ways: BridgeWays;
  #pictures: BridgePictures | undefined;
  #chat: BridgeChat | undefined;
  #end: BridgeEnd | undefined;
  /** Changes are made one after the other. */
  readonly #turns = new Turns();

  /** @throws GatewayError `room_full`, `overloaded`, `draining`, `media_lost`, `closed`, `no_common_codec`, `unprocessable` */
  static async open(options: BridgeOptions): Promise<RoomBridge> {
    const bridge = new RoomBridge(options);
    try {
      await bridge.#connect();
      return bridge;
    } catch (error) {
      await bridge.close('failed');
      throw error;
    }
  }

  private constructor(options: BridgeOptions) {
    super();
    this.#options = options;
    this.rooms = options.rooms;
    this.#ways = options.ways;
    const [one, other] = options.rooms;
    this.#log = options.log.child({ bridge: this.id, rooms: [one.name, other.name] });
  }

  get ways(): BridgeWays {
    return this.#ways;
  }

  get end(): BridgeEnd | undefined {
    return this.#end;
  }

  /** Who is the other room, in each of them. */
  get participants(): readonly Participant[] {
    return this.#participants;
  }

  /** @throws GatewayError `closed`, `no_common_codec`, `unprocessable`, `overloaded`, `media_lost`: then it is as it was */
  change(change: Partial<BridgeWays>): Promise<void> {
    return this.#turns.take(() => this.#change(change));
  }

  async finish(end: BridgeEnd): Promise<void> {
    this.#end ??= end;
    await this.close('requested');
  }

  async #change(change: Partial<BridgeWays>): Promise<void> {
    if (this.isClosed) throw new GatewayError('closed', 'The rooms are not bridged any more.');
    const ways = { ...this.#ways, ...change };
    await this.#pictures?.show(ways);
    this.#ways = ways;
    this.#mute();
    this.events.emit('changed');
  }

  async #connect(): Promise<void> {
    const [one, other] = this.rooms;
    // Places first: a room that is full is known before any port is bound.
    const first = this.#join(one, other);
    const second = this.#join(other, one);
    const here = await this.#allocate(one);
    const there = await this.#allocate(other);
    this.#assertOpen();
    here.negotiate(loopbackTo(there));
    there.negotiate(loopbackTo(here));
    here.enter(first);
    there.enter(second);
    this.#mute();
    const sides: readonly [PicturedSide, PicturedSide] = [
      { room: one, leg: here, participant: first },
      { room: other, leg: there, participant: second },
    ];
    const { phones, views } = this.#options;
    this.#pictures = new BridgePictures({ sides, phones, views, log: this.#log });
    await this.#pictures.show(this.#ways);
    this.#assertOpen();
    this.#chat = new BridgeChat({ sides, ways: () => this.#ways, log: this.#log });
    this.#log.info({ ...this.#ways }, 'rooms bridged');
  }

  #join(room: Room, other: Room): Participant {
    const [{ role } = { role: 'presenter' }] = room.record.roles;
    const media = { audio: true, video: true, data: false };
    const participant = room.join({
      ...{ kind: 'bridge', user: other.name, displayName: other.record.displayName || other.name, role },
      attributes: { 'bridge.id': this.id, 'bridge.room': other.id },
    });
    this.#participants.push(participant);
    participant.setPermissions({ publish: media, subscribe: media, chat: true, moderate: false });
    participant.events.on('closed', (reason) => {
      if (room.isClosed || reason === 'ended') void this.finish(roomClosed(room));
      else if (reason === 'kicked') void this.finish(removedFrom(room));
      else void this.finish({ reason: 'media_lost', message: `The bridge left the room "${room.name}".` });
    });
    return participant;
  }

  async #allocate(room: Room): Promise<Leg> {
    const leg = await this.#options.phones.allocateLeg({ room, family: 'loopback', log: this.#log });
    this.#legs.push(leg);
    leg.events.on('closed', () => {
      if (room.isClosed) void this.finish(roomClosed(room));
      else void this.finish({ reason: 'media_lost', message: `The media of the room "${room.name}" was lost.` });
    });
    return leg;
  }

  /** What comes over the bridge into a room is muted there. */
  #mute(): void {
    const [here, there] = this.#legs;
    here?.setMuted(!this.#ways.hears);
    there?.setMuted(!this.#ways.isHeard);
  }

  /** What it was made of may have ended while the rest was made. */
  #assertOpen(): void {
    if (this.#end) throw new GatewayError('closed', this.#end.message);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    const byOwner: BridgeEnd = { reason: 'shutdown', message: 'The gateway is being shut down.' };
    this.#end ??= reason === 'failed' ? { reason: 'media_lost', message: 'It could not be made.' } : byOwner;
    this.#chat?.close();
    await this.#pictures?.close();
    await Promise.all([
      ...this.#participants.map((participant) => participant.close('requested')),
      ...this.#legs.map((leg) => leg.close('requested')),
    ]);
    this.#log.info({ reason: this.#end.reason }, 'bridge ended');
    this.events.emit('closed', this.#end);
  }
}

function roomClosed({ name }: Room): BridgeEnd {
  return { reason: 'room_closed', message: `The room "${name}" has closed.` };
}

function removedFrom({ name }: Room): BridgeEnd {
  return { reason: 'removed', message: `It was removed from the room "${name}".` };
}

function loopbackTo(leg: Leg): LegParameters {
  const codec = { codec: 'opus', payloadType } as const;
  return {
    ...{ remoteAddress: '127.0.0.1', remotePort: leg.localPort, direction: 'sendrecv' },
    send: { ...codec, ptimeMs: 20 },
    receive: { codecs: [codec], dtmf: [] },
  };
}
