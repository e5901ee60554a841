// Owns: an HTTP server of tests that serves files as real ones do (types, ranges), and whatever a test wants besides.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

const contentTypes: Readonly<Record<string, string>> = {
  m3u8: 'application/vnd.apple.mpegurl',
  ts: 'video/mp2t',
  mp4: 'video/mp4',
  m4s: 'video/mp4',
  webm: 'video/webm',
  flv: 'video/x-flv',
  mp3: 'audio/mpeg',
};

export class WebServer {
  /** By path; read at each request, so that a test may change them. */
  readonly files = new Map<string, Buffer>();
  readonly handlers = new Map<string, Serve>();
  /** Paths, with the range that was asked for, in order. */
  readonly requests: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => this.#serve(request, response));
  }

  static async start(): Promise<WebServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new WebServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  urlOf(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?');
    this.requests.push(request.headers.range ? `${path} ${request.headers.range}` : path);
    this.authorizations.push(request.headers.authorization);
    const handler = this.handlers.get(path);
    const file = this.files.get(path);
    if (handler) handler(request, response);
    else if (file) sendFile(file, path, request.headers.range, response);
    else response.writeHead(404).end();
  }
}

function sendFile(file: Buffer, path: string, wanted: string | undefined, response: ServerResponse): void {
  const type = contentTypes[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(wanted ?? '') ?? [];
  const headers = { 'content-type': type, 'accept-ranges': 'bytes' };
  if (first === undefined) {
    response.writeHead(200, { ...headers, 'content-length': file.length }).end(file);
    return;
  }
  const part = file.subarray(Number(first), last ? Number(last) + 1 : undefined);
  const range = `bytes ${first}-${Number(first) + part.length - 1}/${file.length}`;
  response.writeHead(206, { ...headers, 'content-length': part.length, 'content-range': range }).end(part);
}
