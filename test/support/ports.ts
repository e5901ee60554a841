// Owns: ports for foreign programs that cannot choose one themselves.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A port of 127.0.0.1 that was free for UDP and TCP a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const udp = createSocket('udp4');
    udp.bind(0, '127.0.0.1');
    await once(udp, 'listening');
    const { port } = udp.address();
    const tcp = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      tcp.once('error', () => resolve(false));
      tcp.listen(port, '127.0.0.1', () => resolve(true));
    });
    tcp.close();
    udp.close();
    if (isFree) return port;
  }
}

/** Resolves when somebody accepts TCP connections there. */
export async function whenListening(port: number, host = '127.0.0.1'): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    const socket = connect(port, host);
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
  }
  throw new Error(`Nobody listens on ${host}:${port}.`);
}

/** Resolves when a UDP socket of anybody's is bound to that port: there is no event for it, so the kernel's table is asked. */
export async function whenReceiving(port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    for (const table of ['/proc/net/udp', '/proc/net/udp6']) {
      const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
      if (lines.some((line) => `${line.trim().split(/\s+/)[1]} `.endsWith(wanted))) return;
    }
    await delay(10);
  }
  throw new Error(`Nobody receives UDP on port ${port}.`);
}
