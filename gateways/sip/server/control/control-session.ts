import type { Socket } from 'node:net';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { SipMessage } from '../message/message.ts';
import { type ParseLimits, parseHead } from '../message/parse.ts';
import { FrameReader, frame, nextId } from './frames.ts';

/** A `sip` frame of the application, taken apart. */
export interface AppCommand {
  readonly messageId: string;
  /** Of a response, or of the request that a CANCEL is for; '' otherwise. */
  readonly transactionId: string;
  readonly dialogId: string;
  /** Outbound proxy; '' where there is none. */
  readonly proxyUri: string;
  readonly message: SipMessage;
}

/** A `proxy` frame. Timeouts are in ms, 0 where not given. */
export interface ProxyCommand {
  readonly messageId: string;
  readonly transactionId: string;
  readonly isRecordRouted: boolean;
  readonly hasFullResponses: boolean;
  readonly followsRedirects: boolean;
  readonly isSimultaneous: boolean;
  readonly provisionalTimeoutMs: number;
  readonly finalTimeoutMs: number;
  readonly destinations: readonly string[];
  /** Headers that it adds or replaces. */
  readonly message: SipMessage | undefined;
}

export interface ControlHandler {
  /** `OK|` and this answers a good authenticate. */
  greeting(): string;
  isSecret(candidate: string): boolean;
  onCommand(session: ControlSession, command: AppCommand): void;
  onProxy(session: ControlSession, command: ProxyCommand): void;
}

const authenticateTimeoutMs = 5000;
/** The application does not read: past this it is cut off rather than let memory grow. */
const maxQueuedBytes = 64 * 1024 * 1024;
const maxRoutes = 64;
/** What the application writes is trusted more than the network, and holds whole SDPs of browsers. */
const appLimits: ParseLimits = { maxHeadBytes: 99_999, maxHeaders: 512, maxHeaderBytes: 65_536 };

/** One connection of drachtio-srf. */
export class ControlSession extends Owned {
  readonly id = nextId('app');
  /** Methods (`INVITE`) and cdr events (`cdr:start`) that it asked for. */
  readonly routes = new Set<string>();
  readonly #socket: Socket;
  readonly #handler: ControlHandler;
  readonly #authenticateTimer: NodeJS.Timeout;
  #isAuthenticated = false;
  #isCorked = false;

  constructor(socket: Socket, handler: ControlHandler) {
    super();
    this.#socket = socket;
    this.#handler = handler;
    this.#authenticateTimer = setTimeout(() => void this.close('timeout'), authenticateTimeoutMs);
    const reader = new FrameReader((payload) => {
      if (!this.isClosed) this.#receive(payload);
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (!reader.push(chunk)) void this.close('failed');
    });
    socket.on('error', () => void this.close('failed'));
    socket.on('close', () => void this.close('peer_left'));
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** @param rest what follows the frame's id: `sip|network|…` */
  deliver(rest: string): void {
    if (this.isClosed) return;
    if (this.#socket.writableLength > maxQueuedBytes) {
      void this.close('failed');
      return;
    }
    if (!this.#isCorked) {
      // One system call for all that one turn of the loop has to say.
      this.#isCorked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame(`${nextId('s')}|${rest}`));
  }

  reply(messageId: string, rest: string): void {
    this.deliver(`response|${messageId}|${rest}`);
  }

  refuse(messageId: string, reason: string): void {
    this.reply(messageId, `NOK|${reason.replaceAll('|', '/')}`);
  }

  #receive(payload: string): void {
    const lineEnd = payload.indexOf('\r\n');
    const [messageId = '', verb = '', ...tokens] = (lineEnd < 0 ? payload : payload.slice(0, lineEnd)).split('|');
    if (!this.#isAuthenticated) {
      if (verb === 'authenticate') this.#authenticate(messageId, tokens[0] ?? '');
      else this.#drop(messageId, 'not authenticated');
      return;
    }
    const text = lineEnd < 0 ? '' : payload.slice(lineEnd + 2);
    switch (verb) {
      case 'ping':
        this.reply(messageId, 'OK|pong');
        return;
      case 'route':
        this.#route(messageId, tokens[0] ?? '');
        return;
      case 'remove_route':
        this.routes.clear();
        this.reply(messageId, 'OK');
        return;
      case 'sip':
        this.#command(messageId, tokens, text);
        return;
      case 'proxy':
        this.#proxy(messageId, tokens, text);
        return;
      case 'authenticate':
        this.#authenticate(messageId, tokens[0] ?? '');
        return;
      default:
        this.#drop(messageId, 'unknown verb');
        return;
    }
  }

  #authenticate(messageId: string, secret: string): void {
    if (!this.#handler.isSecret(secret)) {
      this.#drop(messageId, 'incorrect secret');
      return;
    }
    clearTimeout(this.#authenticateTimer);
    this.#isAuthenticated = true;
    this.reply(messageId, `OK|${this.#handler.greeting()}`);
  }

  #route(messageId: string, verb: string): void {
    if (!/^[A-Za-z:]{1,32}$/.test(verb) || this.routes.size >= maxRoutes) {
      this.refuse(messageId, 'invalid route');
      return;
    }
    this.routes.add(verb.startsWith('cdr:') ? verb : verb.toUpperCase());
    this.reply(messageId, 'OK');
  }

  #command(messageId: string, tokens: readonly string[], text: string): void {
    const message = readAppMessage(text);
    if (!message) {
      this.refuse(messageId, 'malformed SIP message');
      return;
    }
    const [transactionId = '', dialogId = '', proxyUri = ''] = tokens;
    this.#handler.onCommand(this, { messageId, transactionId, dialogId, proxyUri, message });
  }

  #proxy(messageId: string, tokens: readonly string[], text: string): void {
    const [transactionId = '', remain, full, follow, forking, provisional = '', final = '', ...destinations] = tokens;
    if (destinations.length === 0 || destinations.length > 32) {
      this.refuse(messageId, 'invalid proxy destinations');
      return;
    }
    this.#handler.onProxy(this, {
      messageId,
      transactionId,
      isRecordRouted: remain === 'remainInDialog',
      hasFullResponses: full === 'fullResponse',
      followsRedirects: follow === 'followRedirects',
      isSimultaneous: forking === 'simultaneous',
      provisionalTimeoutMs: durationMs(provisional),
      finalTimeoutMs: durationMs(final),
      destinations,
      message: readAppMessage(text),
    });
  }

  #drop(messageId: string, reason: string): void {
    this.reply(messageId, `NO|${reason}`);
    void this.close('failed');
  }

  protected override onClose(_reason: CloseReason): void {
    clearTimeout(this.#authenticateTimer);
    this.#socket.uncork();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 500).unref();
  }
}

/** drachtio-srf counts the characters of a body, not its bytes: all that follows the headers is body. */
function readAppMessage(text: string): SipMessage | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  const read = parseHead(headEnd < 0 ? text : text.slice(0, headEnd), appLimits);
  if (!read.ok) return undefined;
  const body = headEnd < 0 ? '' : text.slice(headEnd + 4);
  if (body !== '') read.message.body = Buffer.from(body, 'utf8');
  return read.message;
}

/** `2s` or `1500ms`. */
function durationMs(text: string): number {
  const found = /^(\d{1,6})(ms|s)?$/.exec(text);
  return found ? Number(found[1]) * (found[2] === 'ms' ? 1 : 1000) : 0;
}
