// Owns: what can be seen of the traffic: the ring of each call's messages, and HEP export. May import: message/,
// transport/, node's dgram.
import { copied } from '../message/grammar.ts';
import type { SipMessage } from '../message/message.ts';
import { parseMessage } from '../message/parse.ts';
import type { Flow, Protocol } from '../transport/flow.ts';

export interface LadderOptions {
  /** Calls remembered, the last ones. 0 turns it off. */
  readonly calls: number;
  readonly messagesPerCall: number;
}

export interface LadderMessage {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  readonly protocol: Protocol;
  readonly local: string;
  readonly remote: string;
  /** `INVITE` or `200 OK (INVITE)` */
  readonly title: string;
  /** Credentials taken out, long bodies cut. */
  readonly text: string;
}

interface Noted {
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  readonly flow: Flow;
  /** As it is on the wire, where that is at hand. */
  readonly message: SipMessage | Buffer;
}

interface Ring {
  readonly noted: (Noted | LadderMessage)[];
  /** Of messages that made room for later ones. */
  droppedCount: number;
}

export interface CallLadder {
  readonly callId: string;
  readonly droppedCount: number;
  readonly messages: readonly LadderMessage[];
}

const maxTextLength = 8192;
const secretHeaders = new Set(['authorization', 'proxy-authorization']);
// Session keys (RFC 4568) and passwords of ICE are as secret as credentials.
const secretLines = /^(a=(?:crypto:\S+ \S+ inline|ice-pwd)[:=]?).*$/gm;

/**
 * The last messages of the last calls, by Call-ID. Messages are kept as they are and put into words when asked for; those that
 * are longer than is shown at once, since whoever sends many of them would fill the memory with what nobody is to see.
 * Bytes are one thing to the collector of garbage, a message that was taken apart is thirty, which live too long to cost it nothing.
 */
export class Ladder {
  readonly #options: LadderOptions;
  readonly #rings = new Map<string, Ring>();
  /** Call-IDs in the order of their coming, over and over: the first of a Map is slow to find once many have gone. */
  readonly #order: string[] = [];
  #next = 0;

  constructor(options: LadderOptions) {
    this.#options = options;
  }

  /** @param bytes the message on the wire, of a buffer that is not much longer */
  note(direction: 'in' | 'out', flow: Flow, message: SipMessage, bytes?: Buffer): void {
    const { calls, messagesPerCall } = this.#options;
    if (calls === 0) return;
    const { callId } = message;
    if (callId === '') return;
    let ring = this.#rings.get(callId);
    if (!ring) {
      const kept = copied(callId);
      const oldest = this.#order[this.#next];
      if (oldest !== undefined) this.#rings.delete(oldest);
      this.#order[this.#next] = kept;
      this.#next = (this.#next + 1) % calls;
      ring = { noted: [], droppedCount: 0 };
      this.#rings.set(kept, ring);
    }
    if (ring.noted.length >= messagesPerCall) {
      // The beginning of a call says most about it; what goes is from the middle.
      ring.noted.splice(Math.ceil(messagesPerCall / 2), 1);
      ring.droppedCount++;
    }
    const atMs = Date.now();
    if (bytes && bytes.length <= maxTextLength) ring.noted.push({ atMs, direction, flow, message: bytes });
    else if (isLong(message)) ring.noted.push(worded({ atMs, direction, flow }, message));
    else ring.noted.push({ atMs, direction, flow, message });
  }

  /** @returns undefined for a call that never was or is forgotten */
  forCall(callId: string): CallLadder | undefined {
    const ring = this.#rings.get(callId);
    return (
      ring && {
        callId,
        droppedCount: ring.droppedCount,
        messages: ring.noted.flatMap((one) => ('message' in one ? told(one) : one)),
      }
    );
  }

  /** Call-IDs that there is something of, oldest first. */
  callIds(): string[] {
    return [...this.#rings.keys()];
  }
}

function told(noted: Noted): LadderMessage | [] {
  const { message } = noted;
  if (!Buffer.isBuffer(message)) return worded(noted, message);
  const read = parseMessage(message);
  return read.ok ? worded(noted, read.message) : [];
}

function worded({ atMs, direction, flow }: Omit<Noted, 'message'>, message: SipMessage): LadderMessage {
  return {
    atMs,
    direction,
    protocol: flow.protocol,
    local: `${flow.localAddress}:${flow.localPort}`,
    remote: `${flow.remoteAddress}:${flow.remotePort}`,
    title: copied(
      message.isRequest ? message.method : `${message.status} ${message.reason} (${message.cseq?.method ?? ''})`,
    ),
    text: withoutSecrets(message),
  };
}

function isLong({ body, names, values }: SipMessage): boolean {
  let length = body.length;
  for (let i = 0; i < names.length; i++) length += (names[i]?.spelled.length ?? 0) + (values[i]?.length ?? 0);
  return length > maxTextLength;
}

function withoutSecrets(message: SipMessage): string {
  const lines = message.head().split('\r\n');
  const head = lines
    .map((line) => {
      const colon = line.indexOf(':');
      return secretHeaders.has(line.slice(0, colon).toLowerCase()) ? `${line.slice(0, colon)}: (hidden)` : line;
    })
    .join('\r\n');
  // What is taken out may make room for a little more of the rest.
  const body = message.body.toString('utf8', 0, 2 * maxTextLength);
  const text = head + body.replaceAll(secretLines, '$1(hidden)');
  return text.length > maxTextLength ? copied(`${text.slice(0, maxTextLength)}…`) : text;
}
