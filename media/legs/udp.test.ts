import { expect, test } from 'vitest';
import { batchUdp } from './batch-udp.ts';
import { type Address, openUdp, type UdpSocket } from './udp.ts';

/** 127.0.0.1 by the batch where it was compiled, ::1 always by Node's own sockets. */
const hosts = ['127.0.0.1', '::1'];
let lastPort = 31_000;

interface Heard {
  readonly text: string;
  readonly from: Address;
  readonly arrivalMs: number;
}

async function open(address: string) {
  const heard: Heard[] = [];
  let wake = () => undefined as unknown;
  for (;;) {
    lastPort += 2;
    const local = { address, port: lastPort };
    try {
      const socket: UdpSocket = await openUdp(local, (bytes, offset, length, from, arrivalMs) => {
        heard.push({ text: new TextDecoder().decode(bytes.subarray(offset, offset + length)), from, arrivalMs });
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

test.each(hosts)('%s: what is sent arrives once, in order, with who sent it and when', async (address) => {
  const [a, b] = [await open(address), await open(address)];
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

test.each(hosts)('%s: a connected socket hears nobody else, and everybody again afterwards', async (address) => {
  const [a, b, stranger] = [await open(address), await open(address), await open(address)];
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
});

test.each(hosts)('%s: a port that is taken is refused with its reason, and free after the close', async (address) => {
  const a = await open(address);
  await expect(openUdp(a.local, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  a.socket.close();
  a.socket.close();
  a.socket.sendTo(bytes('late'), a.local);
  const again = await openUdp(a.local, () => undefined);
  again.close();
});

test('more than one batch of large and small datagrams comes through whole', async () => {
  const [a, b] = [await open('127.0.0.1'), await open('127.0.0.1')];
  const sizes = Array.from({ length: 120 }, (_, i) => (i % 3 === 0 ? 1_400 : i));
  for (const size of sizes) a.socket.sendTo(new Uint8Array(size).fill(97), b.local);
  await b.until(sizes.length);
  expect(b.heard.map(({ text }) => text.length)).toEqual(sizes);
  expect(b.heard.every(({ text }) => /^a*$/.test(text))).toBe(true);
  a.socket.close();
  b.socket.close();
});

test.runIf(process.platform === 'linux')('the batch is there where set-up has compiled it', () => {
  expect(batchUdp).toBeDefined();
});
