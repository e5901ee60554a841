// Owns: SIP over WebSocket for peers that have none, as RFC 7118 has it: what comes over TCP goes on message by message, from
// a phone that is nowhere (`.invalid`).
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { WebSocket } from 'ws';

/** Listens for TCP and goes on to `url`. */
export async function bridgeToWebSocket(url: string): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((socket) => join(socket, new WebSocket(url, 'sip')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

function join(socket: Socket, webSocket: WebSocket): void {
  const opened = once(webSocket, 'open');
  opened.catch(() => socket.destroy());
  let waiting = '';
  socket.on('data', (chunk: Buffer) => {
    waiting += chunk.toString('latin1');
    for (let message = firstOf(waiting); message !== ''; message = firstOf(waiting)) {
      waiting = waiting.slice(message.length);
      const text = asFromBrowser(message);
      void opened.then(() => webSocket.send(text)).catch(() => undefined);
    }
  });
  webSocket.on('message', (data: Buffer) => socket.write(data));
  webSocket.on('error', () => socket.destroy());
  webSocket.on('close', () => socket.end());
  socket.on('error', () => webSocket.close());
  socket.on('close', () => webSocket.close());
}

/** The first whole message of a stream, or ''. */
function firstOf(stream: string): string {
  const end = stream.indexOf('\r\n\r\n');
  if (end < 0) return '';
  const length = Number(/^Content-Length *: *(\d+)/im.exec(stream.slice(0, end))?.[1] ?? 0);
  return stream.length < end + 4 + length ? '' : stream.slice(0, end + 4 + length);
}

function asFromBrowser(message: string): string {
  const isRequest = !message.startsWith('SIP/2.0 ');
  const here = message.replace(/^(Contact: <sip:)([^@>]*@)?[^>]*>/im, '$1$2df7jal23ls0d.invalid;transport=ws>');
  return isRequest ? here.replace(/^Via: SIP\/2\.0\/TCP [^;\r]*/im, 'Via: SIP/2.0/WS df7jal23ls0d.invalid') : here;
}
