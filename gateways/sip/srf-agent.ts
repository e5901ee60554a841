// Owns: what drachtio-srf's agent does with each frame, for those that nearly all are: requests from the network and answers
// to what it has sent, in this process. It would put both into words for a log that nobody has turned on, and the message
// itself would be put into words and read again. What is out of the ordinary is left to it, in words.
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { PassingMap } from '#core/passing-map.ts';
import { type MessageFrame, wordsOf } from './server/index.ts';
import { InProcessSocket } from './srf-in-process.ts';
import type { ParsedMessage, ParserMessage } from './srf-messages.ts';

type SipMessageClass = new (from?: ParserMessage | ParsedMessage) => ParserMessage;

interface Facts {
  readonly source: string;
  readonly address: string;
  readonly port: string | number;
  readonly protocol: string;
  readonly time: string;
  readonly transactionId: string;
  readonly dialogId: string;
  readonly server?: { readonly address: string | undefined; readonly hostport: string };
  readonly receivedOn?: string | undefined;
  readonly sessionToken?: string;
}

/** Of drachtio-srf/lib/request.js and response.js. */
interface Exchanged {
  msg: ParserMessage;
  meta: Facts;
  agent: Agent;
  socket: Socket;
}

interface Request extends Exchanged {
  res: Response;
}

interface Response extends Exchanged {
  req: Request;
}

interface Connection {
  readonly hostport: string;
  pendingRequests: PassingMap<string, (tokens: string[], message: ParsedMessage, facts: Facts) => void>;
  pendingSipRequests: PassingMap<string, unknown>;
  pendingNetworkInvites: PassingMap<string, { req: Request; res: Response }>;
  pendingAckOrPrack: PassingMap<string, unknown>;
}

interface MessageOptions {
  readonly stackTxnId?: string;
  readonly stackDialogId?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Of drachtio-srf/lib/drachtio-agent.js. */
interface Agent {
  readonly wp: { send(socket: Socket, text: string): string };
  readonly mapServer: Map<Socket, Connection>;
  puntUpTheMiddleware(request: Request, response: Response): void;
  sendMessage(socket: Socket, message: ParserMessage, options?: MessageOptions): string;
  _initServer(socket: Socket): Connection;
  _onMsg(socket: Socket, payload: string | MessageFrame): void;
}

/** They may belong to a request that the agent knows. */
const ofOthers = new Set(['CANCEL', 'PRACK', 'UPDATE']);
/** The server writes these into each response itself. */
const ofServer = new Set(['from', 'call-id', 'cseq', 'content-length']);

const ofRequest = ['call-id', 'cseq', 'from', 'to'];

/** From now on, in this process. @param parsedOf see srf-messages.ts */
export function teachAgent(parsedOf: (message: MessageFrame['message']) => ParsedMessage | undefined): void {
  const load = createRequire(import.meta.url);
  const SipMessage = load('drachtio-srf/lib/sip-parser/message') as SipMessageClass;
  const parser = load('drachtio-srf/lib/sip-parser/parser') as { getHeaderName(name: string): string };
  const Request = load('drachtio-srf/lib/request') as new (message: ParserMessage, facts: Facts) => Request;
  const Response = load('drachtio-srf/lib/response') as new () => Response;
  const { prototype } = load('drachtio-srf/lib/drachtio-agent') as { readonly prototype: Agent };
  const { _initServer, _onMsg: onWords, sendMessage } = prototype;

  prototype._initServer = function (socket) {
    return Object.assign(_initServer.call(this, socket), {
      pendingRequests: new PassingMap(),
      pendingSipRequests: new PassingMap(),
      pendingNetworkInvites: new PassingMap(),
      pendingAckOrPrack: new PassingMap(),
    });
  };

  prototype._onMsg = function (socket, payload) {
    if (typeof payload === 'string') {
      onWords.call(this, socket, payload);
      return;
    }
    const connection = this.mapServer.get(socket);
    if (!connection) return;
    const { repliesTo, message } = payload;
    // Nobody waits for most of them.
    if (repliesTo !== undefined && !connection.pendingRequests.has(repliesTo)) return;
    const parsed = parsedOf(message);
    if (parsed && repliesTo !== undefined) replied(this, connection, payload, parsed);
    else if (parsed && isPlainRequest(connection, payload)) requested(this, connection, socket, payload, parsed);
    else onWords.call(this, socket, `s|${wordsOf(payload)}`);
  };

  function replied(agent: Agent, connection: Connection, frame: MessageFrame, parsed: ParsedMessage): void {
    const { repliesTo = '', source, protocol, address, time, transactionId, dialogId } = frame;
    const { pendingRequests } = connection;
    const answered = pendingRequests.get(repliesTo);
    pendingRequests.delete(repliesTo);
    const port = String(frame.port);
    const tokens = ['OK', source, '', protocol, address, port, time, transactionId, dialogId];
    answered?.call(agent, tokens, parsed, { source, address, port, protocol, time, transactionId, dialogId });
  }

  function requested(
    agent: Agent,
    connection: Connection,
    socket: Socket,
    frame: MessageFrame,
    parsed: ParsedMessage,
  ): void {
    const { source, protocol, address, port, time, transactionId, dialogId, receivedOn } = frame;
    const message: ParserMessage = Object.assign(new SipMessage(), parsed);
    const req = new Request(message, {
      ...{ source, address, port, protocol, time, transactionId, dialogId },
      server: { address: socket.remoteAddress, hostport: connection.hostport },
      receivedOn: receivedOn === '' ? undefined : receivedOn.replace('|', ':'),
    });
    const res = new Response();
    req.res = res;
    res.req = req;
    req.agent = res.agent = agent;
    req.socket = res.socket = socket;
    if (parsed.method === 'INVITE') connection.pendingNetworkInvites.set(parsed.headers['call-id'] ?? '', { req, res });
    agent.puntUpTheMiddleware(req, res);
  }

  prototype.sendMessage = function (socket, message, options) {
    if (!(socket instanceof Socket) || !options) return sendMessage.call(this, socket, message, options);
    const { stackTxnId: transactionId = '', stackDialogId: dialogId = '', headers = {}, body } = options;
    const { status, reason } = message;
    if (socket instanceof InProcessSocket && status !== undefined && reason !== undefined) {
      const all = headersOf(message, headers);
      const response = { transactionId, dialogId, status, reason, body: body || message.body || '' };
      if (all) return socket.hand({ ...response, headers: all });
    }
    // A copy: what is added holds for this one alone.
    const sent = new SipMessage(message);
    for (const [name, value] of Object.entries(headers)) sent.set(name, value);
    if (body) sent.body = body;
    return this.wp.send(socket, `sip|${transactionId}|${dialogId}\r\n${sent}`);
  };

  /** @returns undefined for what has to be put into words, since it would not be one header each */
  function headersOf(message: ParserMessage, added: Record<string, string>): Record<string, string> | undefined {
    const headers: Record<string, string> = {};
    for (const name in message.headers) {
      if (ofServer.has(name)) continue;
      const value = message.headers[name];
      if (!isOneLine(value)) return undefined;
      headers[name] = value;
    }
    for (const written in added) {
      const value = added[written];
      const name = parser.getHeaderName(written);
      if (ofServer.has(name)) continue;
      if (!isOneLine(value)) return undefined;
      headers[name] = name in headers ? `${headers[name]},${value}` : value;
    }
    return headers;
  }

  settingFacts(Request.prototype);
  settingRequest(Response.prototype);
}

function isOneLine(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\n') && !value.includes('\r');
}

function isPlainRequest(
  { pendingAckOrPrack }: Connection,
  { source, dialogId, message: { isRequest, method } }: MessageFrame,
): boolean {
  return source === 'network' && isRequest && !ofOthers.has(method) && !pendingAckOrPrack.has(dialogId);
}

/** The same headers of its request as drachtio-srf takes, found at once. */
function settingRequest(prototype: object): void {
  Object.defineProperty(prototype, 'req', {
    ...Object.getOwnPropertyDescriptor(prototype, 'req'),
    set(this: Response & { _req: Request }, req: Request) {
      this._req = req;
      const { headers } = this.msg;
      for (const name of ofRequest) {
        const value = req.msg.headers[name];
        if (value !== undefined && headers[name] === undefined) headers[name] = value;
      }
    },
  });
}

/** The facts of a request, which drachtio-srf puts into words for its log. */
function settingFacts(prototype: object): void {
  Object.defineProperty(prototype, 'meta', {
    ...Object.getOwnPropertyDescriptor(prototype, 'meta'),
    set(this: Record<string, unknown>, facts: Facts) {
      const { source, address, port, protocol, time, transactionId, dialogId, server, receivedOn, sessionToken } =
        facts;
      this.source = source;
      this.source_address = address;
      this.source_port = typeof port === 'number' ? port : port ? Number.parseInt(port, 10) : 5060;
      this.protocol = protocol;
      this.stackTime = time;
      this.stackTxnId = transactionId;
      this.stackDialogId = dialogId;
      if (server) this.server = server;
      if (receivedOn) this.receivedOn = receivedOn;
      if (sessionToken) this.sessionToken = sessionToken;
    },
  });
}
