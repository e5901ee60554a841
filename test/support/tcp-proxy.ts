// Owns: a line between a browser and a gateway that can be cut and mended.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: { readonly host: string; readonly port: number };
  #isCut = false;
  #isSilent = false;

  private constructor(targetUrl: string) {
    this.#target = targetOf(targetUrl);
    this.#server = createServer((client) => this.#join(client));
  }

  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetUrl);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends every connection, and each new one at once, until `mend()`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay, yet nothing passes any more: a cable that was pulled, as TCP sees it. */
  silence(): void {
    this.#isSilent = true;
  }

  /** @param targetUrl a gateway that has taken the place of the first */
  mend(targetUrl?: string): void {
    if (targetUrl) this.#target = targetOf(targetUrl);
    this.#isCut = false;
    this.#isSilent = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target);
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    // What was on its way when the cable was pulled is lost with its connection.
    let isLost = false;
    from.on('data', (chunk) => {
      isLost ||= this.#isSilent;
      if (!isLost) to.write(chunk);
    });
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('error', () => to.destroy());
  }
}

function targetOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
