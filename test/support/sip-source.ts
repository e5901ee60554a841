// Owns: one that speaks SIP over UDP from an address of its own, message by message and as badly as is asked of it.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { authorize, type Challenge, chooseChallenge, type SipCredentials } from '#gateways/sip/digest.ts';

export interface SipSourceOptions {
  readonly address: string;
  /** UDP at 127.0.0.1. */
  readonly serverPort: number;
  /** What it dials unless told. */
  readonly service?: string;
  readonly from?: string;
}

export interface SipWords {
  readonly headers?: readonly string[];
  readonly body?: string;
  /** User of the Request-URI; `service` if absent. */
  readonly service?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly cseq?: number;
  /** Of the INVITE, for the ACK of its refusal. */
  readonly branch?: string;
}

export class SipSource {
  readonly socket: Socket;
  readonly #options: Required<SipSourceOptions>;

  static async open(options: SipSourceOptions): Promise<SipSource> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.bind(0, options.address);
    await once(socket, 'listening');
    return new SipSource(options, socket);
  }

  private constructor(options: SipSourceOptions, socket: Socket) {
    this.#options = { service: 'demo', from: 'eve', ...options };
    this.socket = socket;
  }

  /** What a digest for a request of it is about. */
  uriOf(service = this.#options.service): string {
    return `sip:${service}@127.0.0.1:${this.#options.serverPort}`;
  }

  /** Value of Authorization. */
  proof(
    method: string,
    challenge: Challenge,
    credentials: SipCredentials,
    { nonceCount = 1, service = this.#options.service } = {},
  ): string {
    return authorize(challenge, credentials, { method, uri: this.uriOf(service), body: '', nonceCount });
  }

  /** One Call-ID has one From tag, so that what belongs to a call can be said by its Call-ID and To. */
  send(method: string, { headers = [], body = '', cseq = 1, ...words }: SipWords = {}): void {
    const { address, serverPort, from } = this.#options;
    const { callId = randomBytes(8).toString('hex'), branch = `z9hG4bK${randomBytes(6).toString('hex')}` } = words;
    const own = `${address}:${this.socket.address().port}`;
    const lines = [
      `${method} ${this.uriOf(words.service)} SIP/2.0`,
      `Via: SIP/2.0/UDP ${own};branch=${branch}`,
      ...['Max-Forwards: 70', `From: <sip:${from}@${address}>;tag=${callId.slice(0, 8)}`],
      `To: ${words.to ?? `<sip:${from}@127.0.0.1:${serverPort}>`}`,
      ...[`Call-ID: ${callId}`, `CSeq: ${cseq} ${method}`],
      ...[`Contact: <sip:${from}@${own}>`, ...headers, ...(body === '' ? [] : ['Content-Type: application/sdp'])],
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    this.socket.send(`${lines.join('\r\n')}\r\n\r\n${body}`, serverPort, '127.0.0.1');
  }

  /** @returns the final answer */
  async ask(method: string, words?: SipWords): Promise<string> {
    this.send(method, words);
    for (;;) {
      const [data] = (await once(this.socket, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
      if (statusOf(data.toString()) >= 200) return data.toString();
    }
  }

  /** Acknowledges the final answer to an INVITE, and hangs up where it was taken. */
  leave(answer: string): void {
    const header = (name: string) => new RegExp(`^${name}: *(.+)$`, 'im').exec(answer)?.[1]?.trim() ?? '';
    const call = { to: header('To'), callId: header('Call-ID') };
    const branch = /branch=([^;\s,]+)/.exec(header('Via'))?.[1] ?? '';
    const isTaken = statusOf(answer) < 300;
    this.send('ACK', { ...call, ...(!isTaken && { branch }) });
    if (isTaken) this.send('BYE', { ...call, cseq: 2 });
  }

  close(): void {
    this.socket.close();
  }
}

/** 0 for a request. */
export function statusOf(message: string): number {
  return Number(/^SIP\/2\.0 (\d{3})/.exec(message)?.[1] ?? 0);
}

export function challengeOf(answer: string): Challenge | undefined {
  return chooseChallenge(/^WWW-Authenticate: (.*)$/im.exec(answer)?.[1] ?? '');
}
