// Owns: what can be seen of the traffic: the ring of each call's messages, and HEP export. May import: message/,
// transport/, node's dgram.
import type { SipMessage } from '../message/message.ts';
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
  readonly message: SipMessage;
}

interface Ring {
  readonly noted: Noted[];
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

/** The last messages of the last calls, by Call-ID. Messages are kept as they are and put into words when asked for. */
export class Ladder {
  readonly #options: LadderOptions;
  readonly #rings = new Map<string, Ring>();

  constructor(options: LadderOptions) {
    this.#options = options;
  }

  note(direction: 'in' | 'out', flow: Flow, message: SipMessage): void {
    const { calls, messagesPerCall } = this.#options;
    if (calls === 0) return;
    const { callId } = message;
    if (callId === '') return;
    let ring = this.#rings.get(callId);
    if (!ring) {
      if (this.#rings.size >= calls) {
        const oldest = this.#rings.keys().next().value;
        if (oldest !== undefined) this.#rings.delete(oldest);
      }
      ring = { noted: [], droppedCount: 0 };
      this.#rings.set(callId, ring);
    }
    if (ring.noted.length >= messagesPerCall) {
      // The beginning of a call says most about it; what goes is from the middle.
      ring.noted.splice(Math.ceil(messagesPerCall / 2), 1);
      ring.droppedCount++;
    }
    ring.noted.push({ atMs: Date.now(), direction, flow, message });
  }

  /** @returns undefined for a call that never was or is forgotten */
  forCall(callId: string): CallLadder | undefined {
    const ring = this.#rings.get(callId);
    return ring && { callId, droppedCount: ring.droppedCount, messages: ring.noted.map(worded) };
  }

  /** Call-IDs that there is something of, oldest first. */
  callIds(): string[] {
    return [...this.#rings.keys()];
  }
}

function worded({ atMs, direction, flow, message }: Noted): LadderMessage {
  return {
    atMs,
    direction,
    protocol: flow.protocol,
    local: `${flow.localAddress}:${flow.localPort}`,
    remote: `${flow.remoteAddress}:${flow.remotePort}`,
    title: message.isRequest ? message.method : `${message.status} ${message.reason} (${message.cseq?.method ?? ''})`,
    text: withoutSecrets(message),
  };
}

function withoutSecrets(message: SipMessage): string {
  const lines = message.head().split('\r\n');
  const head = lines
    .map((line) => {
      const colon = line.indexOf(':');
      return secretHeaders.has(line.slice(0, colon).toLowerCase()) ? `${line.slice(0, colon)}: (hidden)` : line;
    })
    .join('\r\n');
  const text = head + message.bodyText.replaceAll(secretLines, '$1(hidden)');
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
}
