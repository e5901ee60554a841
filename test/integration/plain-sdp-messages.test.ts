import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { readSdp } from '#test/support/sdp-fixtures.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

// The exchange message by message, with recorded SDPs: whose turn it is does not depend on media.

let stack: WebRtcStack;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  stack = await WebRtcStack.start();
  await stack.room('messages');
});

afterAll(() => stack?.close());

type Message = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A socket that speaks the protocol by hand. */
class Client {
  readonly #socket: WebSocket;
  readonly #received: Message[] = [];
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#received.push(JSON.parse(String(data)) as Message));
    this.closed = once(socket, 'close').then(([code]) => code as number);
  }

  static async connect(to = stack): Promise<Client> {
    const socket = new WebSocket(`${to.url.replace('http', 'ws')}/ws`);
    sockets.push(socket);
    const client = new Client(socket);
    await once(socket, 'open');
    return client;
  }

  static async join(room: string, options: { user?: string; role?: string } = {}, to = stack): Promise<Client> {
    const client = await Client.connect(to);
    client.send({ type: 'join', roomId: room, token: await to.token(room, options) });
    await client.next('joined');
    await client.next('request-offer');
    return client;
  }

  send(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Takes the next message of that type out of what came or comes; others stay. */
  async next(type: string): Promise<Message> {
    for (;;) {
      const index = this.#received.findIndex((message) => message.type === type);
      if (index >= 0) return this.#received.splice(index, 1)[0] as Message;
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error(`closed before ${type}: ${this.types}`);
      await Promise.race([once(this.#socket, 'message'), this.closed]);
    }
  }

  get types(): string {
    return this.#received.map((message) => message.type).join(', ');
  }

  async offer(name: Parameters<typeof readSdp>[0], change = (text: string) => text): Promise<Message> {
    this.send({ type: 'offer', sdp: change(readSdp(name)) });
    return this.next('answer');
  }

  close(): void {
    this.#socket.close();
  }
}

const midsOf = (sdp: unknown) => [...String(sdp).matchAll(/a=mid:(\S+)/g)].map(([, mid]) => mid);
const directionsOf = (sdp: unknown) =>
  [...String(sdp).matchAll(/a=(sendrecv|sendonly|recvonly|inactive)/g)].map(([, d]) => d);

/** The answer that a browser would give to an offer of ours: the same m-lines, from the other end. */
function answerTo(sdp: unknown): string {
  const [, fingerprint = ''] = /(a=fingerprint:\S+ \S+)/.exec(readSdp('chromium-sendrecv-data')) ?? [];
  return String(sdp)
    .replaceAll(/a=fingerprint:.*/g, fingerprint)
    .replaceAll(/a=setup:.*/g, 'a=setup:active')
    .replaceAll(/a=(sendonly|recvonly)/g, (_, direction) => (direction === 'sendonly' ? 'a=recvonly' : 'a=sendonly'));
}

describe('joining', () => {
  test.each<[string, object, string]>([
    ['without a token', { type: 'join', roomId: 'messages' }, 'invalid_request'],
    ['with a token that is none', { type: 'join', roomId: 'messages', token: 'x' }, 'unauthorized'],
    ['something else first', { type: 'offer', sdp: 'v=0' }, 'unauthorized'],
    ['with a type that is none', { type: 'hello' }, 'invalid_request'],
    ['with a type that is not text', { type: 5 }, 'invalid_request'],
  ])('%s is refused with the reason, and the socket closed', async (_, message, code) => {
    const client = await Client.connect();
    client.send(message);
    expect(await client.next('error')).toMatchObject({ code, message: expect.stringMatching(/.{10}/) });
    expect(await client.closed).toBe(4001);
  });

  test('with a token for another room is refused', async () => {
    await stack.room('elsewhere');
    const client = await Client.connect();
    client.send({ type: 'join', roomId: 'messages', token: await stack.token('elsewhere') });
    expect(await client.next('error')).toMatchObject({ code: 'forbidden', about: 'join' });
  });

  test('while draining is refused', async () => {
    const other = await WebRtcStack.start();
    await other.room('messages');
    other.gateway.drain();
    const client = await Client.connect(other);
    client.send({ type: 'join', roomId: 'messages', token: await other.token('messages') });
    expect(await client.next('error')).toMatchObject({ code: 'draining' });
    await other.close();
  });

  test('messages that come on the heels of join are not lost', async () => {
    const client = await Client.connect();
    client.send({ type: 'join', roomId: 'messages', token: await stack.token('messages') });
    client.send({ type: 'offer', sdp: readSdp('chromium-sendrecv-data') });
    expect(midsOf((await client.next('answer')).sdp)).toEqual(['0', '1', '2']);
    client.close();
  });
});

test('when the server closes, clients are told that it is not about them', async () => {
  const other = await WebRtcStack.start();
  await other.room('messages');
  const client = await Client.join('messages', {}, other);
  await other.gateway.close();
  expect(await client.closed).toBe(4004);
  await other.close();
});

describe('offers', () => {
  test('data channels are rejected, media is taken, and the room sees it', async () => {
    await stack.room('offers');
    const client = await Client.join('offers', { user: 'anna' });
    const { sdp } = await client.offer('chromium-sendrecv-data');
    expect(directionsOf(sdp)).toEqual(['recvonly', 'recvonly', 'inactive']);
    expect(sdp).toContain('m=application 0 ');
    const room = stack.rooms.live((await stack.rooms.get('offers')).record.id);
    expect([...(room?.publications() ?? [])].map(({ source }) => source)).toEqual(['microphone', 'camera']);
    client.close();
  });

  test('an offer that has nothing new leaves publications as they are', async () => {
    await stack.room('again');
    const client = await Client.join('again');
    await client.offer('chromium-sendrecv-data');
    const room = stack.rooms.live((await stack.rooms.get('again')).record.id);
    const ids = () => [...(room?.publications() ?? [])].map(({ id }) => id);
    const before = ids();
    const { sdp } = await client.offer('chromium-sendrecv-data');
    expect(ids()).toEqual(before);
    expect(sdp).toMatch(/o=switchyard \d+ 2 IN/);
    client.close();
  });

  test('new ICE credentials in an offer restart ICE, with new ones of ours in the answer', async () => {
    const client = await Client.join('messages');
    const ufrag = (sdp: unknown) => /a=ice-ufrag:(\S+)/.exec(String(sdp))?.[1];
    const first = ufrag((await client.offer('chromium-sendrecv-data')).sdp);
    const same = ufrag((await client.offer('chromium-sendrecv-data')).sdp);
    const change = (text: string) => text.replaceAll(/a=ice-ufrag:\S+/g, 'a=ice-ufrag:anew');
    const second = ufrag((await client.offer('chromium-sendrecv-data', change)).sdp);
    expect(same).toBe(first);
    expect(second).not.toBe(first);
    client.close();
  });

  test('an m-line that stops sending ends its publication, and begins a new one when it sends again', async () => {
    await stack.room('pausing');
    const client = await Client.join('pausing');
    await client.offer('chromium-sendrecv-data');
    const room = stack.rooms.live((await stack.rooms.get('pausing')).record.id);
    const kinds = () => [...(room?.publications() ?? [])].map(({ kind }) => kind).toSorted();
    const [first] = [...(room?.publications() ?? [])].filter(({ kind }) => kind === 'video');
    const audioOnly = (text: string) => text.replace(/(m=video.*?)a=sendrecv/s, '$1a=inactive');
    const { sdp } = await client.offer('chromium-sendrecv-data', audioOnly);
    expect(directionsOf(sdp)).toEqual(['recvonly', 'inactive', 'inactive']);
    expect(kinds()).toEqual(['audio']);
    await client.offer('chromium-sendrecv-data');
    expect(kinds()).toEqual(['audio', 'video']);
    const [second] = [...(room?.publications() ?? [])].filter(({ kind }) => kind === 'video');
    expect(second?.id).toBe(first?.id);
    client.close();
  });

  test('of a new RTCPeerConnection replaces the old one', async () => {
    await stack.room('replaced');
    const client = await Client.join('replaced');
    await client.offer('chromium-sendrecv-data');
    const { sdp } = await client.offer('chromium-send');
    expect(midsOf(sdp)).toEqual(['0', '1']);
    expect(sdp).toMatch(/o=switchyard \d+ 1 IN/);
    const room = stack.rooms.live((await stack.rooms.get('replaced')).record.id);
    expect([...(room?.participants.values() ?? [])][0]?.transports.size).toBe(1);
    expect([...(room?.publications() ?? [])]).toHaveLength(2);
    client.close();
  });

  test('of a new RTCPeerConnection under a kept certificate replaces the old one too', async () => {
    await stack.room('kept');
    const client = await Client.join('kept');
    await client.offer('chromium-send');
    const anew = (text: string) =>
      text.replaceAll(/a=ice-ufrag:\S+/g, 'a=ice-ufrag:anew').replace(/o=- \d+ 2/, 'o=- 4711 2');
    expect((await client.offer('chromium-send', anew)).sdp).toMatch(/o=switchyard \d+ 1 IN/);
    client.close();
  });

  test('sources name what goes on which m-line', async () => {
    await stack.room('sources');
    const client = await Client.join('sources');
    const sources = { '0': 'screen_audio', '1': 'screen' };
    client.send({ type: 'offer', sdp: readSdp('chromium-send'), sources });
    await client.next('answer');
    const room = stack.rooms.live((await stack.rooms.get('sources')).record.id);
    expect([...(room?.publications() ?? [])].map(({ source }) => source)).toEqual(['screen_audio', 'screen']);
    client.close();
  });
});

describe('whose turn it is', () => {
  async function meeting(name: string) {
    await stack.room(name);
    const anna = await Client.join(name, { user: 'anna' });
    await anna.offer('chromium-sendrecv-data');
    const ben = await Client.join(name, { user: 'ben' });
    await ben.offer('chromium-send');
    return { anna, ben, offer: await offerOf(anna, 2) };
  }

  /** What takes longer than offers are gathered for, as on a busy machine, is told of in two. */
  async function offerOf(client: Client, streams: number) {
    for (;;) {
      const offer = await client.next('offer');
      if ((offer.streams as unknown[]).length >= streams) return offer;
      client.send({ type: 'answer', sdp: answerTo(offer.sdp), offerId: offer.offerId });
    }
  }

  test('what others publish comes in one offer, with what it is', async () => {
    const { anna, ben, offer } = await meeting('turn-one');
    expect(midsOf(offer.sdp)).toEqual(['0', '1', '2', 's0', 's1']);
    expect(directionsOf(offer.sdp)).toEqual(['recvonly', 'recvonly', 'inactive', 'sendonly', 'sendonly']);
    expect(offer.sdp).toContain('a=setup:actpass');
    expect(offer.streams).toMatchObject([
      { mid: 's0', displayName: 'ben', kind: 'audio', source: 'microphone' },
      { mid: 's1', displayName: 'ben', kind: 'video', source: 'camera' },
    ]);
    anna.send({ type: 'answer', sdp: answerTo(offer.sdp), offerId: offer.offerId });
    ben.close();
    const next = await anna.next('offer');
    expect(directionsOf(next.sdp)).toEqual(['recvonly', 'recvonly', 'inactive', 'inactive', 'inactive']);
    expect(next.streams).toEqual([]);
    anna.close();
  });

  test('an offer of the client that meets ours is answered, and ours comes again', async () => {
    const { anna, ben, offer } = await meeting('turn-glare');
    const { sdp } = await anna.offer('chromium-sendrecv-data');
    expect(midsOf(sdp)).toEqual(['0', '1', '2']);
    const again = await anna.next('offer');
    expect(again.offerId).not.toBe(offer.offerId);
    expect(midsOf(again.sdp)).toEqual(['0', '1', '2', 's2', 's3']);
    // Too late: it was taken back.
    anna.send({ type: 'answer', sdp: answerTo(offer.sdp), offerId: offer.offerId });
    anna.send({ type: 'answer', sdp: answerTo(again.sdp), offerId: again.offerId });
    anna.send({ type: 'answer', sdp: answerTo(again.sdp) });
    expect(await anna.next('error')).toMatchObject({ code: 'conflict', about: 'answer' });
    anna.close();
    ben.close();
  });

  test.each<[string, (sdp: string) => string]>([
    ['has other m-lines', (sdp) => sdp.slice(0, sdp.lastIndexOf('m='))],
    ['is no SDP', () => 'hello'],
  ])('an answer that %s is refused, and a right one is taken afterwards', async (what, change) => {
    const { anna, ben, offer } = await meeting(`turn-${what.length}`);
    anna.send({ type: 'answer', sdp: change(answerTo(offer.sdp)), offerId: offer.offerId });
    expect(await anna.next('error')).toMatchObject({ code: 'invalid_sdp', about: 'answer' });
    anna.send({ type: 'answer', sdp: answerTo(offer.sdp), offerId: offer.offerId });
    ben.close();
    expect((await anna.next('offer')).streams).toEqual([]);
    anna.close();
  });

  test('a stream whose m-line the client rejects is not offered again', async () => {
    const { anna, ben, offer } = await meeting('turn-reject');
    const answer = answerTo(offer.sdp).replace('s0 s1', 's0');
    const at = answer.lastIndexOf('m=video 9');
    const sdp = `${answer.slice(0, at)}${answer.slice(at).replace('m=video 9', 'm=video 0')}`;
    anna.send({ type: 'answer', sdp, offerId: offer.offerId });
    const next = await anna.next('offer');
    expect(next.streams).toMatchObject([{ mid: 's0', displayName: 'ben' }]);
    expect(next.sdp).toContain('m=video 0 ');
    anna.send({ type: 'answer', sdp: answerTo(next.sdp), offerId: next.offerId });
    const carla = await Client.join('turn-reject', { user: 'carla' });
    await carla.offer('chromium-simulcast');
    const last = await offerOf(anna, 3);
    expect(last.streams).toMatchObject([
      { mid: 's0', displayName: 'ben', kind: 'audio' },
      { displayName: 'carla', kind: 'video' },
      { displayName: 'carla', kind: 'audio' },
    ]);
    for (const client of [anna, ben, carla]) client.close();
  });
});

describe('hostile', () => {
  test.each<[string, string]>([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a type that is not known', '{"type":"reboot"}'],
    ['an offer without SDP', '{"type":"offer"}'],
    ['an offer of nothing', '{"type":"offer","sdp":""}'],
    ['a quality that is none', '{"type":"update-quality","quality":"ultra"}'],
    ['an answer to nothing', '{"type":"answer","sdp":"v=0"}'],
    ['a second join', '{"type":"join","roomId":"messages","token":"x"}'],
    ['sources that are none', '{"type":"offer","sdp":"v=0","sources":{"0":"roof"}}'],
  ])('%s is answered with the reason, and the session goes on', async (_, text) => {
    const client = await Client.join('messages');
    client.sendText(text);
    expect(await client.next('error')).toMatchObject({ code: expect.not.stringContaining('internal') });
    expect(midsOf((await client.offer('chromium-send')).sdp)).toEqual(['0', '1']);
    client.close();
  });

  test('an SDP past the limit is refused', async () => {
    const client = await Client.join('messages');
    client.send({ type: 'offer', sdp: readSdp('obs') + 'a=x\r\n'.repeat(14_000) });
    expect(await client.next('error')).toMatchObject({ code: 'invalid_request' });
    client.close();
  });

  test('a client that sends megabytes without waiting is cut', async () => {
    await stack.room('flood');
    const client = await Client.join('flood');
    const room = stack.rooms.live((await stack.rooms.get('flood')).record.id);
    for (let i = 0; i < 40; i++) client.send({ type: 'offer', sdp: `${readSdp('obs')}${'a=x\r\n'.repeat(12_000)}` });
    expect(await client.closed).toBe(4002);
    expect(room?.participants.size).toBe(0);
  });

  test('three hundred random messages each get their error or answer, and nothing is left behind', async () => {
    await stack.room('noise');
    const client = await Client.join('noise');
    const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.object({ maxDepth: 1, maxKeys: 3 }));
    const types = ['offer', 'answer', 'ice-candidate', 'start-screen-share', 'stop-screen-share', 'update-quality'];
    const messages = fc.sample(
      fc.record(
        {
          type: fc.oneof(fc.constantFrom(...types), fc.string()),
          sdp: value,
          quality: value,
          offerId: value,
          sources: value,
        },
        { requiredKeys: [] },
      ),
      300,
    );
    for (const message of messages) client.send(message);
    // Answered in order: when the last has its error, all have had their turn.
    client.send({ type: 'update-quality', quality: 'the end' });
    for (
      let error = await client.next('error');
      !String(error.message).startsWith('The message does not fit. quality');
    ) {
      error = await client.next('error');
    }
    expect(midsOf((await client.offer('chromium-send')).sdp)).toEqual(['0', '1']);
    expect(stack.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    client.close();
  });
});
