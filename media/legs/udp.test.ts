import { expect, test } from 'vitest';
import { nativeAddon } from '../native/addons.ts';
import { batchUdp } from './batch-udp.ts';
import { type Address, openUdp, type UdpSocket } from './udp.ts';

const addon = batchUdp && nativeAddon<{ useRing(isWanted: number): number }>('udp-batch');
/** 127.0.0.1 by the batch where it was compiled, in both its ways; ::1 always by Node's own sockets. */
const ways = [
  { name: 'by a ring where there is one', host: '127.0.0.1', ring: 1 },
  { name: 'datagram by datagram', host: '127.0.0.1', ring: 0 },
  { name: 'by Node', host: '::1', ring: 0 },
];
let lastPort = 31_000;

interface Heard {
  readonly text: string;
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly from: Address;
  readonly arrivalMs: number;
}

async function open(address: string, ring = 1) {
  addon?.useRing(ring);
  const heard: Heard[] = [];
  let wake = () => undefined as unknown;
  for (;;) {
    lastPort += 2;
    const local = { address, port: lastPort };
    try {
      const socket: UdpSocket = await openUdp(local, (bytes, offset, length, from, arrivalMs) => {
        const raw = Uint8Array.from(bytes.subarray(offset, offset + length));
        heard.push({ text: new TextDecoder().decode(raw), raw, from, arrivalMs });
        wake();
      });
      const until = async (count: number) => {
        while (heard.length < count) await new Promise((resolve) => (wake = () => resolve(undefined)));
      };
      return { socket, local, heard, until };
    } catch {
      // Somebody else has it.
    }
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

test.each(ways)('$name: what is sent arrives once, in order, with who sent it and when', async ({ host, ring }) => {
  const [a, b] = [await open(host, ring), await open(host, ring)];
  const beforeMs = performance.now();
  const memory = bytes('00');
  for (let i = 10; i < 60; i++) {
    memory.set(bytes(String(i)));
    a.socket.sendTo(memory, b.local);
  }
  await b.until(50);
  expect(b.heard.map(({ text }) => Number(text))).toEqual(Array.from({ length: 50 }, (_, i) => i + 10));
  expect(b.heard[0]?.from).toMatchObject(a.local);
  const arrivals = b.heard.map(({ arrivalMs }) => arrivalMs);
  expect(Math.min(...arrivals)).toBeGreaterThan(beforeMs - 2);
  expect(Math.max(...arrivals)).toBeLessThanOrEqual(performance.now() + 1);
  a.socket.close();
  b.socket.close();
});

test.each(ways)(
  '$name: a connected socket hears nobody else, and everybody again afterwards',
  async ({ host, ring }) => {
    const [a, b, stranger] = [await open(host, ring), await open(host, ring), await open(host, ring)];
    a.socket.connect(b.local);
    stranger.socket.sendTo(bytes('stranger'), a.local);
    b.socket.sendTo(bytes('first'), a.local);
    await a.until(1);
    b.socket.sendTo(bytes('second'), a.local);
    await a.until(2);
    expect(a.heard.map(({ text }) => text)).not.toContain('stranger');
    a.socket.sendTo(bytes('back'), b.local);
    await b.until(1);
    a.socket.disconnect();
    stranger.socket.sendTo(bytes('again'), a.local);
    await a.until(3);
    expect(a.heard.at(-1)?.text).toBe('again');
    for (const { socket } of [a, b, stranger]) socket.close();
  },
);

test.each(ways)(
  '$name: a port that is taken is refused with its reason, and free after the close',
  async ({ host, ring }) => {
    const a = await open(host, ring);
    await expect(openUdp(a.local, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    a.socket.close();
    a.socket.close();
    a.socket.sendTo(bytes('late'), a.local);
    const again = await openUdp(a.local, () => undefined);
    again.close();
  },
);

test.each(ways.slice(0, 2))(
  '$name: more than one batch of large and small datagrams comes through whole',
  async ({ host, ring }) => {
    const [a, b] = [await open(host, ring), await open(host, ring)];
    const sizes = Array.from({ length: 120 }, (_, i) => (i % 3 === 0 ? 1_400 : i));
    for (const size of sizes) a.socket.sendTo(new Uint8Array(size).fill(97), b.local);
    await b.until(sizes.length);
    expect(b.heard.map(({ text }) => text.length)).toEqual(sizes);
    expect(b.heard.every(({ text }) => /^a*$/.test(text))).toBe(true);
    a.socket.close();
    b.socket.close();
  },
);

test.each(ways)('$name: what many hear is sent once for each, with its own header', async ({ host, ring }) => {
  const hub = await open(host, ring);
  const legs = await Promise.all(Array.from({ length: 150 }, () => open(host, ring)));
  for (const { socket } of legs) socket.connect(hub.local);
  const payload = bytes('heard by all');
  for (const [i, { socket }] of legs.entries()) socket.sendRtp(0x8000, 300 + i, 7, 1_000 + i, payload, hub.local);
  await hub.until(legs.length);
  const heard = hub.heard.map(({ raw, from }) => {
    const { byteOffset, length, buffer } = raw;
    const view = new DataView(buffer, byteOffset, length);
    return [view.getUint16(0), view.getUint16(2), view.getUint32(4), view.getUint32(8), from.port];
  });
  expect(heard).toEqual(legs.map(({ local }, i) => [0x8000, 300 + i, 7, 1_000 + i, local.port]));
  expect(new Set(hub.heard.map(({ text }) => text.slice(12)))).toEqual(new Set(['heard by all']));
  // And the other way: all of them in one call.
  for (const { local } of legs) hub.socket.sendTo(bytes(String(local.port)), local);
  for (const { heard: own, local, until } of legs) {
    await until(1);
    expect(own[0]?.text).toBe(String(local.port));
  }
  for (const { socket } of [hub, ...legs]) socket.close();
});

test.runIf(process.platform === 'linux')('the batch is there where set-up has compiled it', () => {
  expect(batchUdp).toBeDefined();
});
