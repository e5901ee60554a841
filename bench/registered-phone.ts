// Owns: a phone of bench/telephony.ts: registers, stays registered, calls a room as its account, answers what it is asked.
import { randomBytes } from 'node:crypto';
import { phoneSdp } from '#test/support/calling-phone.ts';
import { challengeOf, SipSource, statusOf } from '#test/support/sip-source.ts';

export interface RegisteredPhoneOptions {
  readonly username: string;
  readonly password: string;
  readonly serverPort: number;
  /** Where its media is, on 127.0.0.1. */
  readonly mediaPort: number;
  /** It registers anew after half of it. */
  readonly expiresSec: number;
  /** Of each REGISTER; `ms` until its 200. */
  readonly onRegistered: (status: number, ms: number) => void;
  /** The gateway hung up. */
  readonly onLost: () => void;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const t1Ms = 500;
const timeoutMs = 16_000;
type Challenge = NonNullable<ReturnType<typeof challengeOf>>;

export class RegisteredPhone {
  readonly #options: RegisteredPhoneOptions;
  readonly #source: SipSource;
  #isClosed = false;
  readonly #waiting = new Map<string, (answer: Answer) => void>();
  readonly #registration = randomBytes(8).toString('hex');
  #cseq = 0;
  #challenge: Challenge | undefined;
  #nonceCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #call: { readonly callId: string; readonly to: string; cseq: number } | undefined;

  static async open(options: RegisteredPhoneOptions): Promise<RegisteredPhone> {
    const { username, serverPort } = options;
    const place = { address: '127.0.0.1', serverPort };
    return new RegisteredPhone(options, await SipSource.open({ ...place, service: username, from: username }));
  }

  private constructor(options: RegisteredPhoneOptions, source: SipSource) {
    this.#options = options;
    this.#source = source;
    source.socket.on('message', (data) => this.#hear(data.toString()));
  }

  /** Once, and from then on by itself. */
  async register(): Promise<number> {
    const { expiresSec, onRegistered } = this.#options;
    const beganMs = performance.now();
    const status = await this.#authorized('REGISTER', this.#registration, () => ++this.#cseq, {
      headers: [`Expires: ${expiresSec}`],
    }).then((answer) => answer.status);
    if (this.#isClosed) return status;
    onRegistered(status, performance.now() - beganMs);
    this.#timer = setTimeout(() => void this.register(), expiresSec * 500);
    return status;
  }

  /** @returns the port that the gateway named for its media @throws Error with the refusal */
  async call(room: string): Promise<number> {
    const callId = randomBytes(8).toString('hex');
    let cseq = 0;
    const { status, text } = await this.#authorized('INVITE', callId, () => ++cseq, {
      ...{ service: room, body: phoneSdp(this.#options.mediaPort).replaceAll('\n', '\r\n') },
    });
    if (status !== 200)
      throw new Error(text.split('\r\n').slice(0, 1).join() + (/^Warning:.*$/im.exec(text)?.[0] ?? ''));
    const to = /^To: *(.+)$/im.exec(text)?.[1]?.trim() ?? '';
    this.#source.send('ACK', { callId, to, cseq, service: room });
    this.#call = { callId, to, cseq };
    return Number(/^m=audio (\d+)/m.exec(text)?.[1] ?? 0);
  }

  get isInCall(): boolean {
    return this.#call !== undefined;
  }

  /** @returns how it was answered */
  async hangUp(): Promise<number> {
    const call = this.#call;
    if (!call) return 0;
    this.#call = undefined;
    const { callId, to } = call;
    return (await this.#ask('BYE', { callId, to, cseq: call.cseq + 1 })).status;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    // What is still waited for is not asked again.
    for (const done of this.#waiting.values()) done({ status: 408, text: 'SIP/2.0 408 Closed' });
    this.#source.close();
  }

  /** With the challenge that it knows; asked for a new one, it answers that. */
  async #authorized(
    method: string,
    callId: string,
    nextCseq: () => number,
    { headers = [], ...words }: { headers?: readonly string[]; service?: string; body?: string },
  ): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const proof = this.#proof(method, words.service);
      const cseq = nextCseq();
      const all = [...headers, ...(proof === undefined ? [] : [`Authorization: ${proof}`])];
      const answer = await this.#ask(method, { ...words, headers: all, callId, cseq });
      if (answer.status >= 300 && method === 'INVITE') this.#source.leave(answer.text);
      if (answer.status !== 401 || tries === 2) return answer;
      this.#challenge = challengeOf(answer.text);
      this.#nonceCount = 0;
    }
  }

  #proof(method: string, service: string | undefined): string | undefined {
    if (!this.#challenge) return undefined;
    const { username, password } = this.#options;
    this.#nonceCount += 1;
    const place = { nonceCount: this.#nonceCount, ...(service !== undefined && { service }) };
    return this.#source.proof(method, this.#challenge, { username, password }, place);
  }

  /** Until the final answer, sent again as over UDP; 408 by itself where none comes. */
  #ask(method: string, words: Parameters<SipSource['send']>[1] & { callId: string; cseq: number }): Promise<Answer> {
    const branch = `z9hG4bK${randomBytes(6).toString('hex')}`;
    const key = `${words.callId} ${words.cseq} ${method}`;
    const send = () => this.#source.send(method, { ...words, branch });
    return new Promise((resolve) => {
      let again: NodeJS.Timeout;
      const repeat = (waitMs: number): void => {
        again = setTimeout(() => {
          send();
          repeat(Math.min(4_000, waitMs * 2));
        }, waitMs);
      };
      const done = (answer: Answer): void => {
        clearTimeout(again);
        clearTimeout(timeout);
        this.#waiting.delete(key);
        resolve(answer);
      };
      const timeout = setTimeout(() => done({ status: 408, text: 'SIP/2.0 408 No answer' }), timeoutMs);
      this.#waiting.set(key, done);
      send();
      repeat(t1Ms);
    });
  }

  #hear(text: string): void {
    const header = (name: string) => new RegExp(`^${name}: *(.+)$`, 'im').exec(text)?.[1]?.trim() ?? '';
    const status = statusOf(text);
    if (status >= 200) this.#waiting.get(`${header('Call-ID')} ${header('CSeq')}`)?.({ status, text });
    else if (status === 0 && !text.startsWith('ACK ')) this.#asked(text, header);
  }

  /** The gateway asks within a call: BYE, UPDATE, re-INVITE, OPTIONS. */
  #asked(text: string, header: (name: string) => string): void {
    if (text.startsWith('BYE ') && this.#call?.callId === header('Call-ID')) {
      this.#call = undefined;
      this.#options.onLost();
    }
    const body = text.startsWith('INVITE ') ? phoneSdp(this.#options.mediaPort).replaceAll('\n', '\r\n') : '';
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(name)}`);
    const { address, port } = this.#source.socket.address();
    const contact = `Contact: <sip:${this.#options.username}@${address}:${port}>`;
    const lines = ['SIP/2.0 200 OK', ...copied, contact, ...(body ? ['Content-Type: application/sdp'] : [])];
    const answer = `${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    this.#source.socket.send(answer, this.#options.serverPort, '127.0.0.1');
  }
}
