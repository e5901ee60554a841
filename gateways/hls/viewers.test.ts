// Viewers over real sockets, of a feed that the test makes: what the slow ones cost, and who is told what.
import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { configSchema } from '#config/schema.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { LiveFeed, LiveFeedEvents } from '#core/live-feed.ts';
import { Meetings } from '#core/meetings.ts';
import type { AuthPort } from '#core/ports.ts';
import { ViewerDoor } from '#core/viewer-door.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someRooms } from '#test/support/some-room.ts';
import { createHlsGateway, type HlsGateway } from './index.ts';

const pictureBytes = 200_000;
const init = {
  muxed: Buffer.from('init'),
  tracks: [{ kind: 'video', codecs: 'avc1.42c01f', init: Buffer.from('init'), width: 320, height: 180 }],
} as const;

class MadeFeed implements LiveFeed {
  readonly events = new EventEmitter<LiveFeedEvents>();
  readonly state = 'Made by a test.';
  pictures = 0;
  isClosed = false;

  begin(): void {
    this.events.emit('init', init);
  }

  /** Each of `pictureBytes`, a key picture every ten. */
  add(count: number): void {
    for (let index = 0; index < count; index++) {
      const data = Buffer.alloc(pictureBytes);
      data.writeUInt32BE(this.pictures, 0);
      const isKey = this.pictures % 10 === 0;
      const startUs = this.pictures++ * 40_000;
      this.events.emit('fragment', { kind: 'video', startUs, durationUs: 40_000, isKey, data });
    }
  }

  async close(reason: CloseReason = 'requested'): Promise<CloseReason> {
    if (!this.isClosed) this.events.emit('closed', reason);
    this.isClosed = true;
    return reason;
  }
}

let stack: ReturnType<typeof someRooms>;
let feed: MadeFeed;
let gateway: HlsGateway;
let server: Server;
let url: string;
let opens = 0;
const sockets: WebSocket[] = [];

beforeEach(async () => {
  stack = someRooms();
  const { record } = await stack.rooms.create({ name: 'demo' });
  opens = 0;
  const auth = {
    authorizeJoin: async () => ({
      ...{ room: record.id, user: 'u', displayName: 'u', role: 'viewer', attributes: {}, mayCreateRoom: false },
      expiresAtMs: Date.now() + 60_000,
    }),
    assertNotRevoked: () => undefined,
  } as unknown as AuthPort;
  const feeds = {
    open: async () => {
      opens += 1;
      feed = new MadeFeed();
      setImmediate(() => {
        feed.begin();
        feed.add(10);
      });
      return feed;
    },
  };
  const config = { ...configSchema.parse({}).hls, maxBytesPerViewer: 1_000_000, lingerMs: 1_000 };
  const log = new KeepingLog();
  const meetings = new Meetings({ rooms: stack.rooms, log });
  const door = new ViewerDoor({ rooms: stack.rooms, meetings, auth });
  const ports = { rooms: stack.rooms, door, feeds, limiter: { consume: () => undefined }, log };
  gateway = createHlsGateway({ ...ports, addressOf: () => '127.0.0.1' }, config);
  server = createServer().listen(0, '127.0.0.1');
  server.on('upgrade', gateway.handleUpgrade);
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/fmp4/demo?token=x`;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await gateway.close();
  server.close();
  await stack.rooms.close();
});

class Watching {
  readonly texts: { type: string }[] = [];
  readonly numbers: number[] = [];
  readonly socket: WebSocket;
  #wake: () => void = () => undefined;

  constructor() {
    this.socket = new WebSocket(url);
    sockets.push(this.socket);
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.texts.push(JSON.parse(data.toString()) as { type: string });
      else if (data.length === pictureBytes) this.numbers.push(data.readUInt32BE(0));
      this.#wake();
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((wake) => (this.#wake = wake));
  }

  get raw(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket;
  }
}

test('who joins gets the group of pictures that began last at once', async () => {
  const first = new Watching();
  await first.until(() => first.numbers.length >= 10);
  expect(first.texts[0]).toMatchObject({ type: 'init', mime: 'video/mp4; codecs="avc1.42c01f"' });
  feed.add(5);
  const second = new Watching();
  await second.until(() => second.numbers.length === 5);
  expect(second.numbers).toEqual([10, 11, 12, 13, 14]);
  expect(opens).toBe(1);
});

test('who stops reading costs a bounded amount, disturbs nobody, and goes on with a key picture', async () => {
  const [good, stuck] = [new Watching(), new Watching()];
  await good.until(() => good.numbers.length >= 10);
  await stuck.until(() => stuck.numbers.length >= 10);
  stuck.raw.pause();
  for (let round = 0; round < 20; round++) {
    feed.add(10);
    await good.until(() => good.numbers.at(-1) === feed.pictures - 1);
  }
  // 40 MB were made.
  expect(gateway.counts.waitingBytes).toBeLessThan(1_000_000 + 2 * pictureBytes);
  expect(good.numbers).toEqual(Array.from({ length: 210 }, (_, index) => index));
  expect(good.texts.filter(({ type }) => type === 'skipped')).toEqual([]);
  stuck.raw.resume();
  const more = setInterval(() => feed.add(1), 20);
  onTestFinished(() => clearInterval(more));
  await stuck.until(() => stuck.texts.some(({ type }) => type === 'skipped'));
  const gotBefore = stuck.numbers.length;
  await stuck.until(() => stuck.numbers.length > gotBefore + 2);
  const jump = stuck.numbers.findIndex((number, index) => number !== index);
  expect((stuck.numbers[jump] ?? -1) % 10).toBe(0);
});

test('a feed that ends is told, and one that nobody watches goes', async () => {
  const watching = new Watching();
  await watching.until(() => watching.numbers.length >= 10);
  watching.socket.close();
  const watched = feed;
  await once(watched.events, 'closed');
  const again = new Watching();
  await again.until(() => again.numbers.length >= 10);
  expect(opens).toBe(2);
  void feed.close('failed');
  await again.until(() => again.texts.some(({ type }) => type === 'ended'));
});
