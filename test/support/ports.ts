// Owns: ports for foreign programs that cannot choose one themselves.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
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

/**
 * Resolves when somebody accepts TCP connections on that port. Nobody is asked by connecting: peers take that for a call that
 * ends, and a socket that tries a free port long enough connects to itself.
 */
export async function whenListening(port: number): Promise<void> {
  // TCP_LISTEN, include/net/tcp_states.h
  await whenInTable('tcp', port, (state) => state === '0A');
}

/** Resolves when a UDP socket of anybody's is bound to that port. */
export async function whenReceiving(port: number): Promise<void> {
  await whenInTable('udp', port, () => true);
}

/** There is no event for it, so the kernel's table is asked (proc_net_tcp.txt). */
async function whenInTable(protocol: 'tcp' | 'udp', port: number, isSo: (state: string) => boolean): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    for (const table of [`/proc/net/${protocol}`, `/proc/net/${protocol}6`]) {
      const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
      const sockets = lines.map((line) => line.trim().split(/\s+/));
      if (sockets.some(([, local = '', , state = '']) => local.endsWith(wanted) && isSo(state))) return;
    }
    await delay(10);
  }
  throw new Error(`Nobody has ${protocol} port ${port}.`);
}
