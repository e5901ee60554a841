// Owns: which rooms are bridged with which, and that no voice comes round to where it was said. May import: core only.
import { EventEmitter } from 'node:events';
import { type BridgeEnd, type BridgeWays, RoomBridge } from './bridge.ts';
import { pictureCodec } from './bridge-pictures.ts';
import { GatewayError } from './errors.ts';
import type { RoomId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Logger, PhonePort } from './ports.ts';
import type { Room, RoomRecord } from './room.ts';
import type { Rooms } from './rooms.ts';
import type { VideoPhonePort } from './video-phone-port.ts';
import type { ViewPort } from './view-port.ts';

/** Of one room; each is a voice in its mix. */
const maxOfRoom = 16;

export interface BridgesOptions {
  readonly rooms: Rooms;
  readonly phones: PhonePort & VideoPhonePort;
  readonly views: ViewPort;
  readonly log: Logger;
}

export type BridgesEvents = {
  started: [bridge: RoomBridge];
  updated: [bridge: RoomBridge];
  ended: [bridge: RoomBridge, end: BridgeEnd];
};

/** Also of one that is still being made. */
type Edge = readonly [RoomRecord, RoomRecord];

export class Bridges extends Owned {
  readonly events = new EventEmitter<BridgesEvents>();
  readonly #options: BridgesOptions;
  readonly #bridges = new Map<string, RoomBridge>();
  readonly #edges = new Set<Edge>();
  readonly #emptyTimers = new Map<RoomBridge, NodeJS.Timeout>();
  #isDraining = false;

  constructor(options: BridgesOptions) {
    super();
    this.#options = options;
    const watch = ({ events }: Room) => {
      events.on('participantJoined', () => this.#reviewEmpty());
      events.on('participantLeft', () => this.#reviewEmpty());
    };
    const { rooms } = options;
    rooms.events.on('opened', watch);
    this.signal.addEventListener('abort', () => rooms.events.off('opened', watch), { once: true });
  }

  /**
   * @param room from which `ways` are seen, by name or id
   * @throws GatewayError `not_found`, `invalid_request` (with itself), `conflict` (a loop), `limit_reached`, and as
   *   `RoomBridge.open()` and `Rooms.open()`
   */
  async create(room: string, to: string, ways: BridgeWays): Promise<RoomBridge> {
    const { rooms, phones, views, log } = this.#options;
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway bridges no more rooms.');
    const here = (await rooms.get(room)).record;
    const there = await this.#other(to);
    const edge: Edge = [here, there];
    this.#assertMayJoin(edge);
    if (ways.isSeen) pictureCodec(here, there, views);
    if (ways.sees) pictureCodec(there, here, views);
    this.#edges.add(edge);
    try {
      const pair = [await rooms.open(here.id), await rooms.open(there.id)] as const;
      const bridge = await RoomBridge.open({ rooms: pair, ways, phones, views, log });
      this.#add(this.own(bridge), edge);
      return bridge;
    } catch (error) {
      this.#edges.delete(edge);
      throw error;
    }
  }

  /** Those that the room is one of the two of, the oldest first. */
  of(roomId: RoomId): readonly RoomBridge[] {
    return [...this.#bridges.values()].filter(({ rooms }) => rooms.some(({ id }) => id === roomId));
  }

  /** @throws GatewayError `not_found` */
  get(roomId: RoomId, id: string): RoomBridge {
    const found = this.of(roomId).find((bridge) => bridge.id === id);
    if (!found) throw new GatewayError('not_found', 'This room has no such bridge, or it has ended.');
    return found;
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  async #other(to: string): Promise<RoomRecord> {
    const found = await this.#options.rooms.find(to);
    if (found) return found.record;
    refuseTo(`There is no room "${to.slice(0, 64)}" to bridge with.`);
  }

  #assertMayJoin([here, there]: Edge): void {
    if (here.id === there.id) refuseTo(`"${here.name}" is this room itself: it would hear its own echo.`);
    const way = this.#wayBetween(here, there);
    if (way) {
      const names = way.map(({ name }) => `"${name}"`).join(' – ');
      throw new GatewayError(
        'conflict',
        way.length === 2
          ? `${names} are bridged already: a second bridge would be an echo.`
          : `${names} are bridged already, one with the next: another bridge would close a ring, and everybody would hear themselves.`,
      );
    }
    for (const { id, name } of [here, there]) {
      if (this.#neighbours(id).length < maxOfRoom) continue;
      throw new GatewayError('limit_reached', `The room "${name}" has ${maxOfRoom} bridges, which is the most.`);
    }
  }

  #neighbours(id: RoomId): RoomRecord[] {
    return [...this.#edges].flatMap(([one, other]) => (one.id === id ? [other] : other.id === id ? [one] : []));
  }

  /** @returns the rooms from one to the other, both included; undefined where no bridges lead there */
  #wayBetween(from: RoomRecord, to: RoomRecord): readonly RoomRecord[] | undefined {
    return this.#waysFrom(from).find((way) => way.at(-1)?.id === to.id);
  }

  /** To every room that is heard there, itself included. There is one way to each: bridges never form a ring. */
  #waysFrom(from: RoomRecord): readonly (readonly RoomRecord[])[] {
    const ways: (readonly RoomRecord[])[] = [[from]];
    const seen = new Set<RoomId>([from.id]);
    for (const way of ways) {
      for (const next of this.#neighbours((way.at(-1) as RoomRecord).id)) {
        if (seen.has(next.id)) continue;
        seen.add(next.id);
        ways.push([...way, next]);
      }
    }
    return ways;
  }

  #add(bridge: RoomBridge, edge: Edge): void {
    this.#bridges.set(bridge.id, bridge);
    const forget = (end: BridgeEnd) => {
      this.#edges.delete(edge);
      this.#bridges.delete(bridge.id);
      clearTimeout(this.#emptyTimers.get(bridge));
      this.#emptyTimers.delete(bridge);
      this.events.emit('ended', bridge, end);
      this.#reviewEmpty();
    };
    bridge.events.on('changed', () => this.events.emit('updated', bridge));
    bridge.events.on('closed', forget);
    this.events.emit('started', bridge);
    // It may have ended before anybody listened.
    if (bridge.isClosed && bridge.end) forget(bridge.end);
    else this.#reviewEmpty();
  }

  /** A bridge keeps its rooms open while anybody is heard over it, and no longer than an empty room is kept. */
  #reviewEmpty(): void {
    if (this.isClosed) return;
    for (const bridge of this.#bridges.values()) {
      const isUsed = this.#waysFrom(bridge.rooms[0].record).some((way) => this.#hasPeople(way.at(-1)));
      const timer = this.#emptyTimers.get(bridge);
      if (isUsed) {
        clearTimeout(timer);
        this.#emptyTimers.delete(bridge);
      } else if (!timer) {
        const afterMs = Math.max(...bridge.rooms.map(({ record }) => record.emptyTimeoutMs));
        const end = { reason: 'rooms_empty', message: 'Nobody was in any of the rooms.' } as const;
        this.#emptyTimers.set(bridge, setTimeout(() => void bridge.finish(end), afterMs).unref());
      }
    }
  }

  #hasPeople(record: RoomRecord | undefined): boolean {
    const room = record && this.#options.rooms.live(record.id);
    return room?.visibleParticipants.some(({ kind }) => kind !== 'bridge') ?? false;
  }

  protected override onClose(_reason: CloseReason): void {
    for (const timer of this.#emptyTimers.values()) clearTimeout(timer);
    this.#emptyTimers.clear();
  }
}

function refuseTo(message: string): never {
  throw new GatewayError('invalid_request', message, { fields: [{ path: 'to', message }] });
}
