// Owns: dialogs (RFC 3261 §12) as far as drachtio-server keeps them, and what depends on them: 2xx and reliable
// provisional retransmission, session timers. May import: message/, transaction/, transport/, control/, core.
import type { ControlSession } from '../control/control-session.ts';
import { SipMessage } from '../message/message.ts';
import { parseNameAddrs } from '../message/name-addr.ts';
import { parseUri } from '../message/uri.ts';
import type { Flow } from '../transport/flow.ts';

export interface DialogOptions {
  readonly id: string;
  readonly role: 'uac' | 'uas';
  /** INVITE or SUBSCRIBE. */
  readonly method: string;
  readonly session: ControlSession;
  readonly callId: string;
  readonly localTag: string;
  /** From of our requests, tag included. */
  readonly localHeader: string;
  readonly localCSeq: number;
}

const nothing = (): void => undefined;

/** Names and values of Authorization and Proxy-Authorization. */
export type Credentials = readonly (readonly [name: string, value: string])[];
const noCredentials: Credentials = [];
/** Stands for the transaction id of an INVITE that is no application's. */
export const ownRefresh = 'refresh';

/** What one answer (a fork) said of how to reach it. */
export interface RemoteEnd {
  readonly tag: string;
  /** To of our requests, tag included. */
  readonly header: string;
  readonly target: string;
  /** In the order of our Route headers. */
  readonly routeSet: readonly string[];
  /** Send here instead of where `target` leads: connection reuse, NAT. */
  readonly flow: Flow | undefined;
}

/** One call leg. Its id is the application's name for it: Call-ID and the From tag of whoever called. */
export class Dialog {
  readonly id: string;
  readonly role: 'uac' | 'uas';
  readonly method: string;
  readonly session: ControlSession;
  readonly callId: string;
  readonly localTag: string;
  readonly localHeader: string;
  localCSeq: number;
  /** -1 until the peer has sent a request. */
  remoteCSeq = -1;
  remote: RemoteEnd;
  isConfirmed = false;
  isEnded = false;
  /** Contact that the peer was given. */
  contact = '';
  /** Transaction id of an INVITE of the peer that has no final response, or whose 2xx has no ACK. */
  incomingInvite = '';
  /** Transaction id of an INVITE of ours that has no final response. */
  outgoingInvite = '';
  /** CSeq of the INVITE whose 2xx of ours waits for its ACK; -1 when none does. */
  awaitedAck = -1;
  /** Ends the repetition of that 2xx. */
  stopRepeating: () => void = nothing;
  /** What waits for that ACK: a BYE may not overtake it (RFC 3261 §15). */
  whenAcknowledged: (() => void) | undefined;
  /** CSeq of the INVITE of ours that a 2xx came to; the ACK carries it. -1 before. */
  acceptedCSeq = -1;
  /** Of the same INVITE. */
  inviteCredentials = noCredentials;
  /** A 2xx crossed our CANCEL: the call ends as soon as it is acknowledged. */
  endsAfterAck = false;
  /** ACK of our last INVITE's 2xx, sent again when that comes again. */
  lastAck: { readonly cseq: number; readonly bytes: Buffer; readonly flow: Flow } | undefined;
  /** SDP that was last sent with an INVITE, a 2xx or an ACK; a session refresh repeats it. */
  localSdp: Buffer | undefined;
  /** Stops what waits on it (session timer, expiry), by name. */
  readonly cleanups = new Map<string, () => void>();

  constructor(options: DialogOptions, remote: RemoteEnd) {
    this.id = options.id;
    this.role = options.role;
    this.method = options.method;
    this.session = options.session;
    this.callId = options.callId;
    this.localTag = options.localTag;
    this.localHeader = options.localHeader;
    this.localCSeq = options.localCSeq;
    this.remote = remote;
  }

  /** A request with the routing headers of this dialog and the next CSeq; `cseq` is given for ACK only. */
  newRequest(method: string, cseq = ++this.localCSeq): SipMessage {
    const { target, routeSet, header } = this.remote;
    let uri = target;
    let routes = routeSet;
    const first = routeSet[0];
    if (first !== undefined && !isLoose(first)) {
      // RFC 3261 §12.2.1.1: a strict router gets itself as Request-URI and the target as the last Route.
      uri = uriOf(first);
      routes = [...routeSet.slice(1), `<${target}>`];
    }
    const request = SipMessage.request(method, uri);
    for (const route of routes) request.add('route', route);
    request.add('max-forwards', '70');
    request.add('from', this.localHeader).add('to', header);
    request.add('call-id', this.callId).add('cseq', `${cseq} ${method}`);
    return request;
  }

  /** URI that leads to the next hop. */
  get nextHop(): string {
    const first = this.remote.routeSet[0];
    return first === undefined ? this.remote.target : uriOf(first);
  }

  /** RFC 3261 §12.2.2: lower or equal numbers are out of order. */
  acceptsCSeq(number: number): boolean {
    if (number <= this.remoteCSeq) return false;
    this.remoteCSeq = number;
    return true;
  }

  /** Target refresh by a re-INVITE, UPDATE or an answer to ours. */
  refreshTarget(contact: string | undefined): void {
    const uri = contact === undefined ? undefined : parseNameAddrs(contact)?.[0]?.uri;
    if (uri !== undefined && parseUri(uri)) this.remote = { ...this.remote, target: uri };
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.stopRepeating();
    for (const cleanup of [...this.cleanups.values()]) cleanup();
    this.cleanups.clear();
    this.localSdp = undefined;
    this.lastAck = undefined;
  }
}

function isLoose(route: string): boolean {
  return parseUri(uriOf(route))?.params.has('lr') ?? true;
}

function uriOf(route: string): string {
  return parseNameAddrs(route)?.[0]?.uri ?? route;
}
