// Owns: what can be seen of the traffic: the ring of each call's messages, and HEP export. May import: message/,
// transport/, node's dgram.
import { copied } from '../message/grammar.ts';
import type { SipMessage } from '../message/message.ts';
import { parseMessage } from '../message/parse.ts';
import type { Flow, Protocol } from '../transport/flow.ts';
import { CallRing, type Noted } from './call-ring.ts';

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
 * The last messages of the last calls, by Call-ID. Their bytes are kept, and put into words when asked for; messages that are
 * longer than is shown are put into words at once, since whoever sends many of them would fill the memory with what nobody is to see.
 */
export class Ladder {
  readonly #options: LadderOptions;
  readonly #rings = new Map<string, CallRing>();
  /** In the order of their coming, over and over: the first of a Map is slow to find once many have gone. */
  readonly #order: CallRing[] = [];
  #next = 0;

  constructor(options: LadderOptions) {
    this.#options = options;
  }

  /** @param bytes the message on the wire; they are copied */
  note(direction: 'in' | 'out', flow: Flow, message: SipMessage, bytes?: Buffer): void {
    const { calls, messagesPerCall } = this.#options;
    if (calls === 0) return;
    const { callId } = message;
    if (callId === '') return;
    const ring = this.#rings.get(callId) ?? this.#begin(callId);
    // The beginning of a call says most about it; what goes is from the middle.
    if (ring.size >= messagesPerCall) ring.drop(Math.ceil(messagesPerCall / 2));
    const noted = { atMs: Date.now(), direction, flow };
    if (bytes ? bytes.length > maxTextLength : isLong(message)) ring.add(noted, worded(noted, message));
    else ring.add(noted, bytes ?? message);
  }

  #begin(callId: string): CallRing {
    const kept = copied(callId);
    let ring = this.#order[this.#next];
    if (ring) {
      this.#rings.delete(ring.callId);
      ring.clear();
    } else ring = new CallRing();
    ring.callId = kept;
    this.#order[this.#next] = ring;
    this.#next = (this.#next + 1) % this.#options.calls;
    this.#rings.set(kept, ring);
    return ring;
  }

  /** @returns undefined for a call that never was or is forgotten */
  forCall(callId: string): CallLadder | undefined {
    const ring = this.#rings.get(callId);
    if (!ring) return undefined;
    const messages = ring.notes().flatMap(({ kept, ...noted }) => {
      if (!Buffer.isBuffer(kept)) return kept;
      const read = parseMessage(kept);
      return read.ok ? worded(noted, read.message) : [];
    });
    return { callId, droppedCount: ring.droppedCount, messages };
  }

  /** Call-IDs that there is something of, oldest first. */
  callIds(): string[] {
    return [...this.#rings.keys()];
  }
}

function worded({ atMs, direction, flow }: Noted, message: SipMessage): LadderMessage {
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
