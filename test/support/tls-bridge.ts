// Owns: TLS for peers that have none (Debian's SIPp is built without): bytes carried between TCP and TLS.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface TlsBridge {
  readonly port: number;
  close(): void;
}

/** Listens for TCP and goes on by TLS. */
export function bridgeToTls(targetPort: number): Promise<TlsBridge> {
  const server = createServer((socket) =>
    join(socket, connectTls({ host: '127.0.0.1', port: targetPort, rejectUnauthorized: false })),
  );
  return listen(server);
}

/** Listens for TLS and goes on by TCP. */
export function bridgeFromTls(options: TlsOptions, targetPort: number): Promise<TlsBridge> {
  return listen(createTlsServer(options, (socket) => join(socket, connect(targetPort, '127.0.0.1'))));
}

async function listen(server: Server): Promise<TlsBridge> {
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on('error', () => peer.destroy());
    socket.on('close', () => peer.destroy());
  }
}
