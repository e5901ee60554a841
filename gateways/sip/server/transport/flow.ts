// Owns: getting SIP messages to and from peers: sockets, framing, limits. May import: message/, core, ws and node's net,
// tls and dgram; nothing of transactions or above.
import type { SipMessage } from '../message/message.ts';
import type { Fault } from '../message/parse.ts';

export type Protocol = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

/** Where one peer is reached: a connection, or an address that a datagram came from or goes to. */
export interface Flow {
  readonly protocol: Protocol;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** What the peer is told to reach us at: the advertised address, not necessarily the bound one. */
  readonly localAddress: string;
  readonly localPort: number;
  /** TCP, TLS, WS, WSS: no retransmissions over it. */
  readonly isReliable: boolean;
  readonly isOpen: boolean;
  /** Never throws; what is lost shows as `onFailure`, or on UDP as silence. */
  send(bytes: Buffer, onFailure?: (error: Error) => void): void;
  /** Told once when a connection goes; never called for UDP. Returns how to unsubscribe. */
  whenClosed(listener: () => void): () => void;
}

/** Who is given what arrives. */
export interface FlowHandler {
  /** @param bytes that it came in and nothing else did; not for what comes in a stream */
  onMessage(flow: Flow, message: SipMessage, bytes?: Buffer): void;
  /** The same for what has waited too long: no call is to be begun by it. */
  onLate(flow: Flow, message: SipMessage, bytes: Buffer): void;
  /** An INVITE that is to wait longer for its turn; it comes again when that is there. */
  onWaiting(flow: Flow, message: SipMessage): void;
  /** `message` is a request that is to be refused with `fault.status`; undefined is to be dropped. */
  onFault(flow: Flow, fault: Fault, message: SipMessage | undefined): void;
}

export function isSecure(protocol: Protocol): boolean {
  return protocol === 'tls' || protocol === 'wss';
}

export function defaultPort(protocol: Protocol): number {
  if (protocol === 'ws') return 80;
  if (protocol === 'wss') return 443;
  return protocol === 'tls' ? 5061 : 5060;
}

/** Transport token of a Via, in our terms. */
export function protocolOfVia(transport: string): Protocol | undefined {
  const lower = transport.toLowerCase();
  return lower === 'udp' || lower === 'tcp' || lower === 'tls' || lower === 'ws' || lower === 'wss' ? lower : undefined;
}
