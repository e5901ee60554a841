// Owns: ports for foreign programs that cannot choose one themselves.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

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
  const deadline = performance.now() + 5000;
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
