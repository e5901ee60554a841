import { SipMessage } from '../message/message.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import { formatHostPort, type SipUri } from '../message/uri.ts';
import { newTag, randomHex } from '../transaction/transaction-layer.ts';
import type { Flow } from '../transport/flow.ts';
import { addAppHeaders } from './app-headers.ts';
import { contactFor, fillLocalhost } from './contacts.ts';

const dialogMakers = new Set(['INVITE', 'SUBSCRIBE']);
const noHeaders: ReadonlySet<string> = new Set();

/** What stays the same in a request outside a dialog, whichever way it goes. */
export class RequestIdentity {
  readonly #message: SipMessage;
  readonly #uri: SipUri;
  readonly #product: string;
  readonly #callId: string;
  readonly #tag: string;
  readonly #cseq: number;

  /** @param product User-Agent where the application names none; '' for none */
  constructor(message: SipMessage, uri: SipUri, product: string) {
    this.#message = message;
    this.#uri = uri;
    this.#product = product;
    // Call-IDs are random alone: a host part would tell the world our addresses.
    this.#callId = message.get('call-id') ?? `${randomHex(4)}-${randomHex(4)}-${randomHex(8)}`;
    this.#tag = message.fromTag === '' ? newTag() : message.fromTag;
    this.#cseq = Number(
      /^\s*(\d{1,9})/.exec(message.get('cseq') ?? '')?.[1] ?? 1 + Math.floor(Math.random() * 0xff_ffff),
    );
  }

  build(flow: Flow): SipMessage {
    const message = this.#message;
    const { method, uri } = message;
    const isSips = this.#uri.scheme === 'sips';
    const request = SipMessage.request(method, uri);
    request.add('max-forwards', '70');
    request.add('from', this.#from(flow, isSips)).add('to', fillLocalhost(message.get('to') ?? `<${uri}>`, flow));
    request.add('call-id', this.#callId).add('cseq', `${this.#cseq} ${method}`);
    addAppHeaders(message, request, flow, noHeaders);
    if (this.#product !== '' && !request.has('user-agent')) request.add('user-agent', this.#product);
    if (dialogMakers.has(method) && !request.has('contact')) request.add('contact', contactFor(flow, isSips));
    return request;
  }

  #from(flow: Flow, isSips: boolean): string {
    const local = formatHostPort(flow.localAddress, flow.localPort);
    const given = fillLocalhost(this.#message.get('from') ?? `<${isSips ? 'sips' : 'sip'}:${local}>`, flow);
    const parsed = parseNameAddr(given);
    if (!parsed) return `<sip:${local}>;tag=${this.#tag}`;
    return parsed.params.has('tag') ? given : `${given};tag=${this.#tag}`;
  }
}
