// Owns: the keys that encoders push with: each bound to a room and to the name it is shown under. May import: core only.
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { newStreamKeyId, type RoomId, randomText, type StreamKeyId } from './ids.ts';
import type { IngressLatency } from './job.ts';
import type { Logger } from './ports.ts';
import type { Rooms } from './rooms.ts';
import type { StorePort } from './store-port.ts';

export const pushProtocols = ['rtmp', 'rtsp', 'srt', 'whip'] as const;
export type PushProtocol = (typeof pushProtocols)[number];

/** What a second publisher with the same key gets: refused, or the place of the first. */
export const busyPolicies = ['reject', 'take_over'] as const;
export type BusyPolicy = (typeof busyPolicies)[number];

export interface StreamKeyRecord {
  readonly id: StreamKeyId;
  readonly roomId: RoomId;
  readonly protocol: PushProtocol;
  /** What others see as the participant's name. */
  readonly name: string;
  readonly onConflict: BusyPolicy;
  /** What the configuration says when absent. */
  readonly latency?: IngressLatency | undefined;
  readonly createdAtMs: number;
  /** Of SRT: what its media is encrypted with. Readable, since both ends derive keys from it. */
  readonly passphrase?: string | undefined;
  /** SHA-256 in hex. The key's 160 random bits need no slow hash: there is nothing to guess. */
  readonly hash: string;
}

export interface StreamKeyInput {
  /** Name or id. */
  readonly room: string;
  readonly protocol: PushProtocol;
  readonly name: string;
  readonly onConflict: BusyPolicy;
  readonly latency?: IngressLatency | undefined;
  /** Gives it a passphrase; SRT only. */
  readonly isEncrypted?: boolean | undefined;
}

/** Where encoders push by one protocol. */
export interface PushAddress {
  /** Without the key, for encoders that ask for the two apart. */
  readonly serverUrl: string;
  urlOf(key: string, passphrase: string | undefined): string;
}

export interface StreamKeysOptions {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly log: Logger;
}

const collection = 'stream-keys';
/** From hash to id: a publisher brings nothing but its key. */
const hashesCollection = 'stream-key-hashes';
const keyLength = 28;
const passphraseLength = 32;
const keyPattern = /^[A-Za-z0-9]{28}$/;

export class StreamKeys {
  readonly events = new EventEmitter<{ deleted: [record: StreamKeyRecord] }>();
  readonly #options: StreamKeysOptions;

  constructor(options: StreamKeysOptions) {
    this.#options = options;
    options.rooms.events.on('deleted', ({ id }) => {
      this.#deleteOf(id).catch((err) => options.log.error({ err, room: id }, 'stream keys of a room not deleted'));
    });
  }

  /**
   * @returns the key itself, which is kept nowhere and shown this once
   * @throws GatewayError `not_found` (the room), `unprocessable` (a protocol without passphrases)
   */
  async create(input: StreamKeyInput): Promise<{ key: string; record: StreamKeyRecord }> {
    const { rooms, store } = this.#options;
    if (input.isEncrypted && input.protocol !== 'srt') {
      throw new GatewayError('unprocessable', 'Only SRT encrypts with a passphrase; use rtmps or rtsps.');
    }
    const room = await rooms.get(input.room);
    const key = randomText(keyLength);
    const record: StreamKeyRecord = {
      id: newStreamKeyId(),
      roomId: room.record.id,
      protocol: input.protocol,
      name: input.name,
      onConflict: input.onConflict,
      ...(input.latency && { latency: input.latency }),
      ...(input.isEncrypted && { passphrase: randomText(passphraseLength) }),
      createdAtMs: Date.now(),
      hash: hashOf(key),
    };
    // The record first: one without its hash lets nobody in and can be deleted.
    await store.put(collection, record.id, record, 0);
    await store.put(hashesCollection, record.hash, { id: record.id }, 0);
    return { key, record };
  }

  async list(page: { after?: string | undefined; limit?: number } = {}): Promise<readonly StreamKeyRecord[]> {
    const { after, limit } = page;
    const found = await this.#options.store.list<StreamKeyRecord>(collection, {
      ...(after !== undefined && { after }),
      ...(limit !== undefined && { limit }),
    });
    return found.map(({ value }) => value);
  }

  /** All of one room. */
  async of(roomId: RoomId): Promise<readonly StreamKeyRecord[]> {
    const found: StreamKeyRecord[] = [];
    for (let after = ''; ; ) {
      const page = await this.list({ after });
      found.push(...page.filter((record) => record.roomId === roomId));
      const last = page.at(-1);
      if (!last) return found;
      after = last.id;
    }
  }

  /** @throws GatewayError `not_found` */
  async get(id: string): Promise<StreamKeyRecord> {
    const found = await this.#options.store.get<StreamKeyRecord>(collection, id);
    if (!found) throw noSuchKey();
    return found.value;
  }

  /** Holds for the next publisher. @throws GatewayError `not_found`, `conflict` (changed meanwhile) */
  async update(
    id: string,
    change: Partial<Pick<StreamKeyRecord, 'name' | 'onConflict' | 'latency'>>,
  ): Promise<StreamKeyRecord> {
    const found = await this.#options.store.get<StreamKeyRecord>(collection, id);
    if (!found) throw noSuchKey();
    const next = { ...found.value, ...change };
    await this.#options.store.put(collection, id, next, found.revision);
    return next;
  }

  /** Whoever publishes with it is sent away by those who listen. @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    const record = await this.get(id);
    await this.#options.store.delete(hashesCollection, record.hash);
    await this.#options.store.delete(collection, id);
    this.events.emit('deleted', record);
  }

  /** @throws GatewayError `unauthorized`; a key of another protocol reads like one that does not exist */
  async verify(protocol: PushProtocol, key: string): Promise<StreamKeyRecord> {
    const { store } = this.#options;
    const isKey = keyPattern.test(key);
    const id = isKey ? await store.get<{ id: StreamKeyId }>(hashesCollection, hashOf(key)) : undefined;
    const found = id && (await store.get<StreamKeyRecord>(collection, id.value.id));
    if (!found || found.value.protocol !== protocol) {
      throw new GatewayError('unauthorized', 'This stream key is not known here; make one in the console.');
    }
    return found.value;
  }

  async #deleteOf(roomId: RoomId): Promise<void> {
    for (const { id } of await this.of(roomId)) await this.delete(id);
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

const noSuchKey = () => new GatewayError('not_found', 'There is no such stream key.');
