// Owns: one RTMP connection, whichever side opened it: handshake, chunk sizes, acknowledgements, pings, time-outs and
// the bound on what waits to be sent. Knows Duplex streams only, so that it runs wherever a socket has been handed to.
// May import: core.
import type { Duplex } from 'node:stream';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { type ChunkLimits, ChunkReader, ChunkWriter, defaultChunkLimits, type RtmpMessage } from './chunk.ts';
import { ClientHandshake, ServerHandshake } from './handshake.ts';
import {
  controlMessage,
  controlValue,
  messageType,
  peerBandwidthMessage,
  userControl,
  userControlMessage,
} from './messages.ts';

export interface RtmpConnectionOptions {
  readonly role: 'server' | 'client';
  readonly handshakeTimeoutMs: number;
  /** Closes when nothing at all arrives for so long; undefined for a connection that only sends. */
  readonly idleTimeoutMs: number | undefined;
  readonly chunkLimits?: ChunkLimits;
  /** Closes a peer that asks and never reads the answers. */
  readonly maxUnsentReplyBytes?: number;
}

export interface RtmpConnectionHandlers {
  /** The handshake is done. */
  onReady(): void;
  /** Anything but protocol control. What it throws ends the connection. */
  onMessage(message: RtmpMessage): void;
}

const windowBytes = 5_000_000;
const outgoingChunkBytes = 65_536;
const lingerMs = 1_000;
const defaultMaxUnsentReplyBytes = 262_144;

export class RtmpConnection extends Owned {
  readonly #socket: Duplex;
  readonly #options: RtmpConnectionOptions;
  readonly #handlers: RtmpConnectionHandlers;
  readonly #reader: ChunkReader;
  readonly #writer = new ChunkWriter();
  #handshake: ServerHandshake | ClientHandshake | undefined;
  #timer: NodeJS.Timeout | undefined;
  #holds = 0;
  #isDiscarding = false;
  #receivedBytes = 0;
  #acknowledgedBytes = 0;
  #peerWindowBytes = windowBytes;
  #failure: GatewayError | undefined;
  #finishReason: CloseReason | undefined;

  constructor(socket: Duplex, options: RtmpConnectionOptions, handlers: RtmpConnectionHandlers) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.#handlers = handlers;
    this.#reader = new ChunkReader(options.chunkLimits ?? defaultChunkLimits);
    this.#startTimer(options.handshakeTimeoutMs, 'The RTMP handshake took too long.');
    socket.on('data', (data: Buffer) => this.#receive(data));
    // A peer that has sent its FIN is gone: nothing of it counts any more, and half-open sockets are not kept.
    socket.on('end', () => void this.close('peer_left'));
    socket.on('close', () => void this.close('peer_left'));
    socket.on('error', () => void this.close('peer_left')); // a reset by the peer; `close` follows
    if (options.role === 'client') {
      const handshake = new ClientHandshake();
      this.#handshake = handshake;
      socket.write(handshake.opening);
    } else {
      this.#handshake = new ServerHandshake();
    }
  }

  /** What ended it, when it was not asked to end. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  /** Bytes that wait for the peer to read. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  setChunkLimits(limits: ChunkLimits): void {
    this.#reader.setLimits(limits);
  }

  /** Stops reading until `release`, so that the peer's TCP window closes. Nests. */
  hold(): void {
    if (this.#holds++ > 0 || this.isClosed) return;
    clearTimeout(this.#timer); // whoever holds sees to an end
    this.#socket.pause();
  }

  release(): void {
    if (this.#holds === 0 || --this.#holds > 0 || this.isClosed) return;
    this.#startIdleTimer();
    this.#socket.resume();
    this.#deliver();
  }

  /** Sends at once; the payload must not change afterwards. */
  send(message: RtmpMessage): void {
    if (this.isClosed || !this.#socket.writable) return;
    this.#socket.cork();
    for (const buffer of this.#writer.encode(message)) this.#socket.write(buffer);
    this.#socket.uncork();
  }

  /** As `send`, for answers: a peer that does not read them is cut off instead of filling our memory. */
  reply(message: RtmpMessage): void {
    this.send(message);
    if (this.unsentBytes <= (this.#options.maxUnsentReplyBytes ?? defaultMaxUnsentReplyBytes)) return;
    this.fail(new GatewayError('limit_reached', 'The RTMP peer does not read what it is sent.'));
  }

  fail(error: GatewayError, reason: CloseReason = 'failed'): void {
    if (this.isClosed) return;
    this.#failure = error;
    void this.close(reason);
  }

  /** Lets what was sent reach the peer, ignores what still comes, and closes within a second. */
  finish(reason: CloseReason, failure?: GatewayError): void {
    if (this.isClosed || this.#isDiscarding) return;
    this.#failure = failure;
    // Reading goes on, into nothing: closing a socket with unread data would reset it and take our last words along.
    this.#isDiscarding = true;
    this.#holds = 0;
    this.#socket.resume();
    this.#socket.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.close(reason), lingerMs);
    this.#finishReason = reason;
  }

  /** Once its last words are said, whatever ends it then is not why it ended. */
  override close(reason: CloseReason = 'requested'): Promise<CloseReason> {
    return super.close(this.#finishReason ?? reason);
  }

  #receive(data: Buffer): void {
    if (this.isClosed || this.#isDiscarding) return;
    this.#receivedBytes += data.length;
    if (!this.#handshake) {
      if (this.#options.idleTimeoutMs !== undefined && this.#holds === 0) this.#timer?.refresh();
      this.#reader.write(data);
      this.#deliver();
      this.#acknowledge();
      return;
    }
    try {
      const { reply, rest } = this.#handshake.write(data);
      if (reply) this.#socket.write(reply);
      if (rest) this.#open(rest);
    } catch (thrown) {
      this.fail(toGatewayError(thrown));
    }
  }

  #open(rest: Buffer): void {
    this.#handshake = undefined;
    this.#startIdleTimer();
    if (this.#options.role === 'server') {
      this.send(controlMessage(messageType.windowAckSize, windowBytes));
      this.send(peerBandwidthMessage(windowBytes));
    }
    this.send(controlMessage(messageType.setChunkSize, outgoingChunkBytes));
    this.#writer.setChunkSize(outgoingChunkBytes);
    this.#handlers.onReady();
    this.#reader.write(rest);
    this.#deliver();
  }

  #deliver(): void {
    try {
      while (this.#holds === 0 && !this.isClosed && !this.#isDiscarding) {
        const message = this.#reader.read();
        if (!message) return;
        if (message.type <= messageType.setPeerBandwidth) this.#control(message);
        else this.#handlers.onMessage(message);
      }
    } catch (thrown) {
      this.fail(toGatewayError(thrown));
    }
  }

  #control(message: RtmpMessage): void {
    switch (message.type) {
      case messageType.setChunkSize:
        this.#reader.setChunkSize(controlValue(message));
        break;
      case messageType.abort:
        this.#reader.abort(controlValue(message));
        break;
      case messageType.windowAckSize:
        // An acknowledgement for each few bytes would multiply what the peer makes us do.
        this.#peerWindowBytes = Math.max(controlValue(message), 4_096);
        break;
      case messageType.userControl:
        if (message.payload.length >= 6 && message.payload.readUInt16BE() === userControl.pingRequest) {
          this.reply(userControlMessage(userControl.pingResponse, controlValue(message, 2)));
        }
        break;
      default: // acknowledgements and the peer's wish for our bandwidth: TCP sees to both
    }
  }

  #acknowledge(): void {
    if (this.#receivedBytes - this.#acknowledgedBytes < this.#peerWindowBytes) return;
    this.#acknowledgedBytes = this.#receivedBytes;
    this.reply(controlMessage(messageType.acknowledgement, this.#receivedBytes % 2 ** 32));
  }

  #startIdleTimer(): void {
    clearTimeout(this.#timer);
    if (this.#options.idleTimeoutMs === undefined) return;
    this.#startTimer(this.#options.idleTimeoutMs, 'Nothing came from the RTMP peer.');
  }

  #startTimer(timeoutMs: number, message: string): void {
    this.#timer = setTimeout(() => this.fail(new GatewayError('timeout', message), 'timeout'), timeoutMs);
  }

  protected override onClose(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }
}
