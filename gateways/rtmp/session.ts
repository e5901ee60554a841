// Owns: one RTMP client of ours: its commands, and the one stream that it may publish. Knows Duplex streams only: runs
// in whatever process its socket is in. May import: core.
import type { Duplex } from 'node:stream';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { type AmfObject, numberOf, objectOf, stringOf } from './amf0.ts';
import { type ChunkLimits, defaultChunkLimits, type RtmpMessage } from './chunk.ts';
import { RtmpConnection } from './connection.ts';
import {
  commandMessage,
  messageType,
  parseCommand,
  parseData,
  type RtmpCommand,
  type StatusInfo,
  serverCapabilities,
  splitAggregate,
  statusMessage,
  userControl,
  userControlMessage,
} from './messages.ts';
import type { RtmpPublishRequest, RtmpSessionPorts, RtmpSessionTimeouts } from './publish-request.ts';
import { PublishedStream } from './published-stream.ts';
import { connectRefusal, dismissal, playRefusal, publishRefusal } from './status.ts';

/** Before anybody is known: room for a connect command with every property that encoders send. */
const strangerLimits: ChunkLimits = { maxChunkStreams: 8, maxMessageBytes: 65_536, maxBufferedBytes: 131_072 };
const maxMessageStreams = 8;
const maxNameLength = 1_024;
const maxStrayMessages = 100;

/**
 * fresh ──connect──> connected ──publish──> authorizing ──granted──> publishing
 *                        ^                      │ refused                │ deleteStream
 *                        │                      v                        │
 *                        │                   (closed)                    │
 *                        └───────────────────────────────────────────────┘
 */
type State = 'fresh' | 'connected' | 'authorizing' | 'publishing';

export class RtmpSession extends Owned {
  readonly #ports: RtmpSessionPorts;
  readonly #timeouts: RtmpSessionTimeouts;
  readonly #remoteAddress: string;
  readonly #isEncrypted: boolean;
  readonly #connection: RtmpConnection;
  readonly #messageStreams = new Set<number>();
  #log: Logger;
  #state: State = 'fresh';
  #app = '';
  /** Some encoders put what follows the URL's question mark here, others behind the stream name. */
  #appQuery = '';
  #encoder = '';
  #canReconnect = false;
  #lastStreamId = 0;
  #published: { readonly stream: PublishedStream; readonly streamId: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #strayMessages = 0;
  #brokenMessages = 0;
  #brokenMetadata = 0;

  constructor(
    socket: Duplex,
    ports: RtmpSessionPorts,
    options: RtmpSessionTimeouts & { remoteAddress: string; isEncrypted: boolean },
  ) {
    super();
    this.#ports = ports;
    this.#timeouts = options;
    this.#remoteAddress = options.remoteAddress;
    this.#isEncrypted = options.isEncrypted;
    this.#log = ports.log.child({ address: options.remoteAddress });
    const { handshakeTimeoutMs, idleTimeoutMs } = options;
    this.#connection = this.own(
      new RtmpConnection(
        socket,
        { role: 'server', handshakeTimeoutMs, idleTimeoutMs, chunkLimits: strangerLimits },
        { onReady: () => this.#awaitCommand(), onMessage: (message) => this.#message(message) },
      ),
    );
    void this.#connection.done.then((reason) => this.close(reason));
  }

  get isPublishing(): boolean {
    return this.#state === 'publishing';
  }

  get failure(): GatewayError | undefined {
    return this.#connection.failure;
  }

  /** Asks a publisher that can to move on without a gap (Enhanced RTMP v2, "Reconnect Request"). */
  askToReconnect(description: string): void {
    if (!this.#canReconnect) return;
    const info: StatusInfo = { level: 'status', code: 'NetConnection.Connect.ReconnectRequest', description };
    this.#connection.send(statusMessage(info, 0));
  }

  /** Ends the session, and tells a publisher why. */
  dismiss(reason: CloseReason): void {
    const published = this.#published;
    if (!published) return void this.close(reason);
    this.#endStream(reason, undefined, false);
    this.#connection.send(statusMessage(dismissal(reason), published.streamId));
    this.#connection.finish(reason);
  }

  #awaitCommand(): void {
    clearTimeout(this.#timer);
    const error = new GatewayError('timeout', 'The RTMP client connected and published nothing.');
    this.#timer = setTimeout(() => this.#connection.fail(error, 'timeout'), this.#timeouts.commandTimeoutMs);
  }

  #message(message: RtmpMessage): void {
    switch (message.type) {
      case messageType.audio:
      case messageType.video:
        this.#media(message);
        break;
      case messageType.aggregate:
        for (const part of splitAggregate(message)) {
          if (part.type === messageType.audio || part.type === messageType.video) this.#media(part);
        }
        break;
      case messageType.dataAmf0:
      case messageType.dataAmf3:
        this.#data(message);
        break;
      case messageType.commandAmf0:
      case messageType.commandAmf3:
        this.#command(parseCommand(message), message.streamId);
        break;
      default: // shared objects and what else Flash had
    }
  }

  /** Media counts only from the accepted publisher, on the message stream that it publishes. */
  #media(message: RtmpMessage): void {
    if (this.#lastStreamId === 0 || this.#state === 'fresh') throw mediaFromStranger();
    const published = this.#published;
    if (!published || published.streamId !== message.streamId) {
      // A few frames may still be on their way when a stream has ended.
      if (++this.#strayMessages > maxStrayMessages) throw mediaFromStranger();
      return;
    }
    const broken = published.stream.message(message);
    if (broken && ++this.#brokenMessages === 1) this.#log.warn({ reason: broken.message }, 'rtmp message passed over');
  }

  #data(message: RtmpMessage): void {
    if (this.#published?.streamId !== message.streamId) return;
    try {
      this.#published.stream.data(parseData(message));
    } catch (thrown) {
      // Once: a publisher must not fill our log.
      if (++this.#brokenMetadata > 1) return;
      this.#log.warn({ reason: toGatewayError(thrown).message }, 'rtmp metadata passed over');
    }
  }

  #command(command: RtmpCommand, streamId: number): void {
    const { name, transactionId, args } = command;
    if (this.#state === 'fresh' && name !== 'connect') {
      throw new GatewayError('invalid_request', 'The RTMP client did not begin with connect.');
    }
    switch (name) {
      case 'connect':
        this.#connect(command);
        break;
      case 'createStream':
        this.#createStream(transactionId);
        break;
      case 'publish':
        this.#publish(command, streamId);
        break;
      case 'play':
      case 'play2':
        this.#connection.reply(statusMessage(playRefusal(noPlayback()), streamId));
        break;
      case 'FCPublish': {
        const info = { code: 'NetStream.Publish.Start', description: '' };
        this.#connection.reply(commandMessage({ name: 'onFCPublish', transactionId: 0, args: [null, info] }));
        break;
      }
      case 'closeStream':
        this.#unpublish(streamId);
        break;
      case 'deleteStream':
        this.#unpublish(numberOf(args[1]) ?? streamId);
        this.#messageStreams.delete(numberOf(args[1]) ?? streamId);
        break;
      case 'FCUnpublish': // deleteStream follows
      case '_result':
      case '_error':
      case 'onStatus':
        break;
      default:
        // releaseStream, _checkbw, getStreamLength …: nobody needs more than that they were heard.
        if (transactionId !== 0) this.#result(transactionId, null, undefined);
    }
  }

  #connect(command: RtmpCommand): void {
    const properties = objectOf(command.args[0]);
    const app = stringOf(properties?.app);
    if (this.#state !== 'fresh' || !properties || app === undefined || app.length > maxNameLength) {
      const error = new GatewayError('invalid_request', 'The connect command names no application.');
      const args = [null, { ...connectRefusal(error) }];
      this.#connection.send(commandMessage({ name: '_error', transactionId: command.transactionId, args }));
      this.#connection.finish('failed', error);
      return;
    }
    this.#state = 'connected';
    const [path, search] = splitOnce(app, '?');
    this.#app = path.replace(/^\/+|\/+$/g, '');
    this.#appQuery = search;
    this.#encoder = (stringOf(properties.flashVer) ?? '').slice(0, 128);
    this.#canReconnect = ((numberOf(properties.capsEx) ?? 0) & 1) !== 0;
    this.#log = this.#log.child({ app: this.#app.slice(0, 64), encoder: this.#encoder });
    this.#result(
      command.transactionId,
      { fmsVer: 'FMS/3,5,7,7009', capabilities: 31, mode: 1, ...serverCapabilities() },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connection succeeded.',
        objectEncoding: 0,
      },
    );
  }

  #createStream(transactionId: number): void {
    if (this.#messageStreams.size >= maxMessageStreams) {
      throw new GatewayError('limit_reached', `More than ${maxMessageStreams} RTMP message streams.`);
    }
    this.#lastStreamId += 1;
    this.#messageStreams.add(this.#lastStreamId);
    this.#result(transactionId, null, this.#lastStreamId);
  }

  #result(transactionId: number, properties: AmfObject | null, value: AmfObject | number | undefined): void {
    const args = value === undefined ? [properties] : [properties, value];
    this.#connection.reply(commandMessage({ name: '_result', transactionId, args }));
  }

  #publish(command: RtmpCommand, streamId: number): void {
    const [path, search] = splitOnce(stringOf(command.args[1]) ?? '', '?');
    const problem = this.#publishProblem(path, streamId);
    if (problem) {
      this.#refuse(problem, streamId);
      return;
    }
    this.#state = 'authorizing';
    clearTimeout(this.#timer);
    this.#connection.hold();
    const request: RtmpPublishRequest = {
      app: this.#app,
      streamName: path,
      query: new URLSearchParams(`${this.#appQuery}&${search}`),
      remoteAddress: this.#remoteAddress,
      isEncrypted: this.#isEncrypted,
      encoder: this.#encoder,
    };
    void this.#authorize(request, streamId).catch((thrown) => this.#refuse(toGatewayError(thrown), streamId));
  }

  #publishProblem(name: string, streamId: number): GatewayError | undefined {
    if (this.#published) return new GatewayError('conflict', 'This connection publishes already.');
    if (!this.#messageStreams.has(streamId)) {
      return new GatewayError('invalid_request', 'Publish on a message stream that was not created.');
    }
    if (name === '' || name.length > maxNameLength) {
      return new GatewayError('invalid_request', 'Set the stream key in your encoder; none was sent.');
    }
    return undefined;
  }

  async #authorize(request: RtmpPublishRequest, streamId: number): Promise<void> {
    const grant = await this.#within(this.#ports.authorizePublish(request));
    if (this.isClosed) return;
    this.#log = this.#log.child({ publisher: grant.publisherId });
    const stream = new PublishedStream(this.#connection, (reason) => this.dismiss(reason));
    this.#published = { stream, streamId };
    try {
      await this.#within(Promise.resolve(grant.accept(stream)));
    } catch (thrown) {
      this.#endStream('failed', toGatewayError(thrown), false);
      throw thrown;
    }
    if (this.isClosed) return;
    this.#state = 'publishing';
    this.#connection.setChunkLimits(defaultChunkLimits);
    this.#connection.send(userControlMessage(userControl.streamBegin, streamId));
    const description = 'You are live.';
    this.#connection.send(statusMessage({ level: 'status', code: 'NetStream.Publish.Start', description }, streamId));
    this.#log.info({ isEncrypted: this.#isEncrypted }, 'rtmp publisher accepted');
    this.#connection.release();
  }

  /** @throws GatewayError `timeout`; also `closed` as soon as the peer is seen to have left */
  async #within<T>(work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const error = new GatewayError('timeout', 'The check of the stream key took too long; try again.');
    const timer = setTimeout(() => late.reject(error), this.#timeouts.authorizeTimeoutMs);
    const onAbort = () => late.reject(new GatewayError('closed', 'The RTMP client left.'));
    this.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener('abort', onAbort);
    }
  }

  #refuse(error: GatewayError, streamId: number): void {
    if (this.isClosed) return;
    this.#log.warn({ code: error.code, reason: error.message, cause: error.cause }, 'rtmp publisher refused');
    this.#connection.send(statusMessage(publishRefusal(error), streamId));
    this.#connection.finish('failed', error);
  }

  #unpublish(streamId: number): void {
    if (this.#published?.streamId !== streamId) return;
    this.#endStream('peer_left', undefined, false);
    this.#state = 'connected';
    this.#awaitCommand();
    const description = 'The stream has ended.';
    this.#connection.reply(
      statusMessage({ level: 'status', code: 'NetStream.Unpublish.Success', description }, streamId),
    );
  }

  #endStream(reason: CloseReason, failure: GatewayError | undefined, mayReturn: boolean): void {
    const published = this.#published;
    this.#published = undefined;
    published?.stream.end({
      reason,
      error: failure && { code: failure.code, message: failure.message },
      mayReturn,
    });
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#timer);
    const failure = this.failure;
    const wasPublishing = this.#state === 'publishing';
    this.#endStream(reason, failure, reason === 'peer_left' || reason === 'timeout' || reason === 'failed');
    const fields = { reason, receivedBytes: this.#connection.receivedBytes, failure: failure?.message };
    if (wasPublishing) this.#log.info(fields, 'rtmp publisher left');
    else if (failure) this.#log.info(fields, 'rtmp connection cut off');
    else this.#log.debug(fields, 'rtmp connection closed');
  }
}

function mediaFromStranger(): GatewayError {
  return new GatewayError('forbidden', 'Media from a client that is not the accepted publisher.');
}

function noPlayback(): GatewayError {
  return new GatewayError('method_not_allowed', 'This server does not play RTMP; use WHEP, HLS or RTSP.');
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
