// Owns: how drachtio-srf reaches a SIP server in its own process: lines and messages are handed over as they are. Its way is
// a TCP connection, whose framing, system calls and copies cost a third of a call's signalling.
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import type { AppEnd, AppMessageFrame, MessageFrame } from './server/index.ts';

/** What we use of drachtio-srf/lib/wire-protocol.js. */
interface WireProtocol {
  host: string;
  port: number;
  reconnectOpts: object;
  reconnectVars: object;
  initializeRetryVars(): void;
  installListeners(socket: Socket): void;
  emit(event: 'msg', socket: Socket, payload: string | MessageFrame): boolean;
  connect(options: ConnectOptions): void;
  send(socket: Socket, message: string): string;
}

interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly openInProcess?: (() => AppEnd) | undefined;
}

let lastId = 0;
const nextId = (): string => `a${(++lastId).toString(36)}`;

/** drachtio-srf takes nothing for a connection that is no socket; this one is never connected to anything. */
export class InProcessSocket extends Socket {
  readonly #end: AppEnd;

  constructor(end: AppEnd, onPayload: (payload: string | MessageFrame) => void) {
    super();
    this.#end = end;
    end.attach({ onPayload, onClosed: () => this.destroy() });
  }

  /** @returns id of the frame */
  say(line: string): string {
    const id = nextId();
    if (!this.destroyed) this.#end.send(`${id}|${line}`);
    return id;
  }

  /** @returns id of the frame */
  hand(response: Omit<AppMessageFrame, 'messageId'>): string {
    const messageId = nextId();
    if (!this.destroyed) this.#end.send({ messageId, ...response });
    return messageId;
  }

  override end(): this {
    return this.destroy();
  }

  override _read(): void {
    // Nothing comes by it.
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#end.end();
    callback(error);
  }
}

/**
 * From now on `connect({ openInProcess })` goes that way. A connection that is lost comes back over the control port.
 * Whoever listens for `msg` is handed messages as well, see srf-agent.ts.
 */
export function teachInProcess(): void {
  const { prototype } = createRequire(import.meta.url)('drachtio-srf/lib/wire-protocol') as { prototype: WireProtocol };
  const { connect, send } = prototype;
  prototype.connect = function (options) {
    const { host, port, openInProcess } = options;
    if (!openInProcess) {
      connect.call(this, options);
      return;
    }
    Object.assign(this, { host, port, reconnectOpts: {}, reconnectVars: {} });
    this.initializeRetryVars();
    const socket: InProcessSocket = new InProcessSocket(openInProcess(), (payload) =>
      this.emit('msg', socket, payload),
    );
    this.installListeners(socket);
    setImmediate(() => socket.emit('connect'));
  };
  prototype.send = function (socket, message) {
    return socket instanceof InProcessSocket ? socket.say(message) : send.call(this, socket, message);
  };
}
