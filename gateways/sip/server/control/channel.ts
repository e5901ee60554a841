// Owns: the ways on which payloads of drachtio's control protocol travel: frames over a socket, or, between two parts of one
// process, the payloads as they are, and SIP messages without being put into words. May import: ./frames, ./message-frame,
// node's net.
import type { Socket } from 'node:net';
import { FrameReader, frame, nextId } from './frames.ts';
import { type AppMessageFrame, type MessageFrame, wordsOf } from './message-frame.ts';

export interface ChannelUser {
  /** A SIP message comes as it is where it can. */
  onPayload(payload: string | AppMessageFrame): void;
  /** Once. `failed`: what came was not this protocol, or the way broke. */
  onClosed(reason: 'peer_left' | 'failed'): void;
}

export interface ControlChannel {
  /** Of what was sent and not taken yet. */
  readonly backlogBytes: number;
  send(payload: string | MessageFrame): void;
  /** After what was sent; the user is told nothing any more. */
  end(): void;
}

/** @param socket accepted a moment ago */
export function socketChannel(socket: Socket, user: ChannelUser): ControlChannel {
  let isCorked = false;
  let isOver = false;
  const over = (reason: 'peer_left' | 'failed'): void => {
    if (isOver) return;
    isOver = true;
    user.onClosed(reason);
  };
  const reader = new FrameReader((payload) => {
    if (!isOver) user.onPayload(payload);
  });
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    if (!reader.push(chunk)) over('failed');
  });
  socket.on('error', () => over('failed'));
  socket.on('close', () => over('peer_left'));
  return {
    get backlogBytes() {
      return socket.writableLength;
    },
    send(payload) {
      if (!isCorked) {
        // One system call for all that one turn of the loop has to say.
        isCorked = true;
        socket.cork();
        setImmediate(() => {
          isCorked = false;
          socket.uncork();
        });
      }
      socket.write(frame(typeof payload === 'string' ? payload : `${nextId('s')}|${wordsOf(payload)}`));
    },
    end() {
      isOver = true;
      socket.uncork();
      socket.end();
      setTimeout(() => socket.destroy(), 500).unref();
    },
  };
}

/** What the other side of a way inside of this process does with what comes. */
interface EndUser<Received> {
  onPayload(payload: Received): void;
  onClosed(reason: 'peer_left' | 'failed'): void;
}

/** About what a message takes. */
const messageBytes = 1_000;

/**
 * One end of a way inside of this process. Payloads arrive in order and never in the turn in which they were sent: both
 * ends may count on that, as with a socket. All of one turn arrive in one.
 */
export class InProcessEnd<Sent extends string | object, Received extends string | object> {
  #peer: InProcessEnd<Received, Sent> | undefined;
  #user: EndUser<Received> | undefined;
  #waiting: Received[] = [];
  #waitingBytes = 0;
  #isScheduled = false;
  #isEnding = false;

  static pair<A extends string | object, B extends string | object>(): readonly [
    InProcessEnd<A, B>,
    InProcessEnd<B, A>,
  ] {
    const one = new InProcessEnd<A, B>();
    const other = new InProcessEnd<B, A>();
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  attach(user: EndUser<Received>): void {
    this.#user = user;
  }

  get backlogBytes(): number {
    const peer = this.#peer;
    return peer ? peer.#waitingBytes : 0;
  }

  send(payload: Sent): void {
    const peer = this.#peer;
    if (!peer) return;
    peer.#waiting.push(payload);
    peer.#waitingBytes += typeof payload === 'string' ? payload.length : messageBytes;
    peer.#schedule();
  }

  end(): void {
    const peer = this.#peer;
    this.#peer = this.#user = undefined;
    this.#waiting = [];
    if (!peer) return;
    peer.#isEnding = true;
    peer.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#arrive());
  }

  #arrive(): void {
    this.#isScheduled = false;
    const arrived = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    let count = 0;
    try {
      for (const payload of arrived) {
        count++;
        this.#user?.onPayload(payload);
      }
    } finally {
      // Whoever throws is seen by the process, as out of a socket's event; the rest still arrives.
      if (count < arrived.length) {
        this.#waiting = [...arrived.slice(count), ...this.#waiting];
        this.#schedule();
      }
    }
    if (!this.#isEnding || this.#waiting.length > 0) return;
    const user = this.#user;
    this.#peer = this.#user = undefined;
    user?.onClosed('peer_left');
  }
}

/** Of the application: it reads frames of messages and writes words or frames of its own. */
export type AppEnd = InProcessEnd<string | AppMessageFrame, string | MessageFrame>;
