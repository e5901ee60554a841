// Owns: an RTMP client for tests that says exactly what it is told to, orderly or not.
import { connect, type Socket } from 'node:net';
import type { AmfValue } from '#gateways/rtmp/amf0.ts';
import { ChunkReader, ChunkWriter, type RtmpMessage } from '#gateways/rtmp/chunk.ts';
import { ClientHandshake } from '#gateways/rtmp/handshake.ts';
import { commandMessage, messageType, parseCommand, type RtmpCommand } from '#gateways/rtmp/messages.ts';

export class RtmpPeer {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly commands: RtmpCommand[] = [];
  readonly #reader = new ChunkReader();
  readonly #writer = new ChunkWriter();
  readonly #handshake = new ClientHandshake();
  #isOpen = false;
  #isClosed = false;
  #wake: () => void = () => undefined;

  /** Resolves when the handshake is done. */
  static async connect(port: number): Promise<RtmpPeer> {
    const peer = new RtmpPeer(connect({ port, host: '127.0.0.1', noDelay: true }));
    peer.socket.write(peer.#handshake.opening);
    await peer.#until(() => (peer.#isOpen ? true : undefined));
    return peer;
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => this.#receive(data));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Connect and createStream as an encoder does them; publishes what is named. */
  async publish(streamName: AmfValue, app = 'live'): Promise<RtmpCommand> {
    this.command('connect', 1, { app, tcUrl: `rtmp://127.0.0.1/${app}` });
    await this.answer('_result', 1);
    this.command('createStream', 2, null);
    await this.answer('_result', 2);
    this.command('publish', 3, null, streamName, 'live');
    return this.answer('onStatus');
  }

  command(name: string, transactionId: number, ...args: AmfValue[]): void {
    this.send(commandMessage({ name, transactionId, args }, name === 'publish' || name === 'play' ? 1 : 0));
  }

  send(message: RtmpMessage): void {
    for (const buffer of this.#writer.encode(message)) this.socket.write(buffer);
  }

  media(type: 'audio' | 'video', payload: Buffer, timestamp = 0, streamId = 1): void {
    this.send({ chunkStreamId: type === 'audio' ? 4 : 6, type: messageType[type], streamId, timestamp, payload });
  }

  raw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** The next command of that name; what came before it is dropped. Rejects when the server hangs up first. */
  answer(name: string, transactionId?: number): Promise<RtmpCommand> {
    return this.#until(() => {
      for (let next = this.commands.shift(); next; next = this.commands.shift()) {
        if (next.name === name && (transactionId === undefined || next.transactionId === transactionId)) return next;
      }
      return undefined;
    });
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#isClosed) throw new Error('the server closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #receive(data: Buffer): void {
    let bytes = data;
    if (!this.#isOpen) {
      const { reply, rest } = this.#handshake.write(data);
      if (reply) this.socket.write(reply);
      if (!rest) return;
      this.#isOpen = true;
      bytes = rest;
    }
    this.#reader.write(bytes);
    for (let message = this.#reader.read(); message; message = this.#reader.read()) {
      if (message.type === messageType.setChunkSize) this.#reader.setChunkSize(message.payload.readUInt32BE());
      if (message.type === messageType.commandAmf0) this.commands.push(parseCommand(message));
    }
    this.#wake();
  }
}
