// Owns: HTTP upgrades by path. May import: core.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '#core/ports.ts';

export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => void;

/** Path without query to who takes it: `/ws`; one that ends with a slash takes what begins with it. */
export type UpgradeMap = Readonly<Record<string, UpgradeHandler>>;

/** An upgrade that is refused has had its answer by then, or never reads it. */
const refusalTimeoutMs = 1_000;

export function routeUpgrade(
  map: UpgradeMap,
  log: Logger,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  // A peer that vanishes now must not become an exception before a handler listens.
  socket.on('error', () => socket.destroy());
  const path = request.url?.split('?', 1)[0] ?? '';
  const below = Object.keys(map).find((key) => key.endsWith('/') && path.startsWith(key));
  const handler = map[Object.hasOwn(map, path) ? path : (below ?? '')];
  if (!handler) {
    refuseUpgrade(socket, 404, 'Not Found');
    return;
  }
  try {
    handler(request, socket, head);
  } catch (cause) {
    log.error({ err: cause, path }, 'upgrade failed');
    refuseUpgrade(socket, 500, 'Internal Server Error');
  }
}

/** Answers in HTTP and ends the connection, within a bound. */
function refuseUpgrade(socket: Socket, status: number, reason: string): void {
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.setTimeout(refusalTimeoutMs, () => socket.destroy());
}
