import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { SipMessage } from '../message/message.ts';
import { appMessageOf, readAppMessage } from './app-message.ts';
import type { ChannelUser, ControlChannel } from './channel.ts';
import { nextId } from './frames.ts';
import type { AppMessageFrame, MessageFrame } from './message-frame.ts';

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
/** One connection of drachtio-srf. */
export class ControlSession extends Owned {
  readonly id = nextId('app');
  /** Methods (`INVITE`) and cdr events (`cdr:start`) that it asked for. */
  readonly routes = new Set<string>();
  readonly #channel: ControlChannel;
  readonly #handler: ControlHandler;
  readonly #authenticateTimer: NodeJS.Timeout;
  #isAuthenticated = false;

  constructor(open: (user: ChannelUser) => ControlChannel, handler: ControlHandler) {
    super();
    this.#handler = handler;
    this.#authenticateTimer = setTimeout(() => void this.close('timeout'), authenticateTimeoutMs);
    this.#channel = open({
      onPayload: (payload) => {
        if (!this.isClosed) this.#receive(payload);
      },
      onClosed: (reason) => void this.close(reason),
    });
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** @param rest what follows the frame's id: `cdr:start|network|…` */
  deliver(rest: string): void {
    this.#send(`${nextId('s')}|${rest}`);
  }

  /** Of a SIP message. */
  tell(frame: MessageFrame): void {
    this.#send(frame);
  }

  reply(messageId: string, rest: string): void {
    this.deliver(`response|${messageId}|${rest}`);
  }

  refuse(messageId: string, reason: string): void {
    this.reply(messageId, `NOK|${reason.replaceAll('|', '/')}`);
  }

  #send(payload: string | MessageFrame): void {
    if (this.isClosed) return;
    if (this.#channel.backlogBytes > maxQueuedBytes) void this.close('failed');
    else this.#channel.send(payload);
  }

  #receive(payload: string | AppMessageFrame): void {
    if (typeof payload !== 'string') {
      if (this.#isAuthenticated) this.#handed(payload);
      else this.#drop(payload.messageId, 'not authenticated');
      return;
    }
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

  #handed(frame: AppMessageFrame): void {
    const { messageId, transactionId, dialogId } = frame;
    const message = appMessageOf(frame);
    if (message) this.#handler.onCommand(this, { messageId, transactionId, dialogId, proxyUri: '', message });
    else this.refuse(messageId, 'malformed SIP message');
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
    this.#channel.end();
  }
}

/** `2s` or `1500ms`. */
function durationMs(text: string): number {
  const found = /^(\d{1,6})(ms|s)?$/.exec(text);
  return found ? Number(found[1]) * (found[2] === 'ms' ? 1 : 1000) : 0;
}
