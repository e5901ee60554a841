// Owns: the port that FreeSWITCH connects to for each channel. drachtio-fsmrf believes whoever connects and asks for no
// password, so that it listens on loopback alone and only FreeSWITCH's own connections are handed on to it.
import { once } from 'node:events';
import { connect, createServer, isIPv4, type Server, type Socket } from 'node:net';

/** Of channels at once, twice as many as calls. */
const maxConnections = 4_000;

export interface EslGateOptions {
  readonly host: string;
  readonly port: number;
  readonly isAllowed: (address: string) => boolean;
}

export class EslGate {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;

  /** @throws Error when the port is taken or the address is not ours */
  static async listen({ host, port, isAllowed }: EslGateOptions): Promise<EslGate> {
    const gate = new EslGate(isAllowed);
    gate.#server.listen(port, host);
    await once(gate.#server, 'listening');
    return gate;
  }

  private constructor(isAllowed: EslGateOptions['isAllowed']) {
    this.#server = createServer((socket) => {
      socket.on('error', () => undefined);
      const from = plainAddress(socket.remoteAddress ?? '');
      if (this.#target === 0 || !isAllowed(from) || this.#sockets.size >= maxConnections) socket.destroy();
      else this.#join(socket);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** From now on it lets in. @param port of drachtio-fsmrf, on loopback */
  open(port: number): void {
    this.#target = port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(outside: Socket): void {
    const inside = connect({ host: '127.0.0.1', port: this.#target });
    this.#sockets.add(outside);
    outside.on('close', () => {
      this.#sockets.delete(outside);
      inside.destroy();
    });
    inside.on('error', () => undefined);
    inside.on('close', () => outside.destroy());
    outside.pipe(inside).pipe(outside);
  }
}

/** An IPv4 peer of a socket for both families is `::ffff:192.0.2.1`. */
function plainAddress(address: string): string {
  const mapped = address.replace(/^::ffff:/i, '');
  return isIPv4(mapped) ? mapped : address;
}
