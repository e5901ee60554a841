// Owns: one SRT caller of ours: its handshake, and the one stream that it may publish. May import: core, its neighbours.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { agreeLatencies, encryptionField, ownTerms, type PeerTerms, readConclusion } from './agreement.ts';
import { SrtConnection, type SrtSecret, srtClockUs } from './connection.ts';
import {
  extensionFlag,
  extensionType,
  type HandshakeExtension,
  handshakeType,
  serializeHandshake,
  serializeTerms,
} from './handshake.ts';
import { openKeyMessage } from './key-material.ts';
import type { SrtCall, SrtPeer } from './listener.ts';
import { controlType, defaultMtuBytes, packetTimestamp, serializeControl } from './packet.ts';
import type { SrtPublishGrant, SrtSessionOptions, SrtSessionPorts } from './publish-request.ts';
import { PublishedStream, type PublishedStreamOwner } from './published-stream.ts';
import { receiveWindowPackets } from './receiver.ts';
import { HandshakeRefusal, rejection, rejectionBase, rejectionOf } from './status.ts';
import { parseStreamId } from './stream-id.ts';

/** A room that has not taken a stream by then is not waited for with the answer. */
const patienceMs = 1_500;
const acceptTimeoutMs = 15_000;
/** Whoever lives sends something each second. */
const silentMs = 2_000;

/**
 * calling ──key, passphrase, turn──> publishing ──shutdown, silence, dismissal──> (closed)
 *    └──────────refused, with a reason──────────────────────────────────────────────^
 */
export class SrtSession extends Owned implements SrtPeer, PublishedStreamOwner {
  readonly #call: SrtCall;
  readonly #ports: SrtSessionPorts;
  readonly #options: SrtSessionOptions;
  readonly #startUs = srtClockUs();
  #log: Logger;
  #stream: PublishedStream | undefined;
  #connection: SrtConnection | undefined;
  /** What the caller is told again when it repeats itself. */
  #answer: Buffer | undefined;
  #failure: GatewayError | undefined;

  constructor(call: SrtCall, ports: SrtSessionPorts, options: SrtSessionOptions) {
    super();
    this.#call = call;
    this.#ports = ports;
    this.#options = options;
    this.#log = ports.log.child({ address: call.remoteAddress });
    void this.#negotiate().catch((thrown: unknown) => this.#refuse(toGatewayError(thrown)));
  }

  receive(datagram: Buffer): void {
    this.#connection?.receive(datagram);
  }

  calledAgain(): void {
    if (this.#answer) this.#call.send(this.#answer);
  }

  get isSilent(): boolean {
    return (this.#connection?.silentMs ?? 0) > silentMs;
  }

  /** Ends the session from our side. SRT has no words for why. */
  dismiss(reason: CloseReason): void {
    void this.close(reason);
  }

  fail(error: GatewayError): void {
    this.#failure ??= error;
    void this.close('failed');
  }

  async #negotiate(): Promise<void> {
    const terms = readConclusion(this.#call.handshake, false);
    const grant = await this.#within(this.#ports.authorizePublish(this.#requestOf(terms)));
    const secret = await this.#agreeSecret(terms, grant.passphrase ?? this.#options.passphrase);
    await this.#within(this.#ports.claim(grant));
    if (this.isClosed) return;
    this.#log = this.#log.child({ publisher: grant.publisherId });
    const accepted = this.#accept(grant);
    // A room that takes its time (its first media worker is being started) must not cost the connection: libsrt gives
    // up after 3 s. The stream keeps what comes meanwhile.
    await Promise.race([accepted, this.#patience()]);
    if (!this.isClosed) this.#connect(terms, secret);
    await accepted;
  }

  async #patience(): Promise<void> {
    await new Promise((wake) => setTimeout(wake, patienceMs).unref());
  }

  #requestOf({ streamId }: PeerTerms): { streamKey: string; remoteAddress: string } {
    const { resource, mode } = parseStreamId(streamId);
    if (mode !== undefined && mode !== 'publish') {
      throw new GatewayError('method_not_allowed', 'Nothing is played here by SRT; use m=publish, or WHEP to watch.');
    }
    if (resource === '') throw new GatewayError('unauthorized', 'Set the stream key as stream id; none was sent.');
    return { streamKey: resource.replace(/^\/?live\//, ''), remoteAddress: this.#call.remoteAddress };
  }

  /** @throws HandshakeRefusal where one side has a passphrase and the other has not, or has another */
  async #agreeSecret({ keyMessage }: PeerTerms, passphrase: string | undefined): Promise<SrtSecret | undefined> {
    if (passphrase === undefined && keyMessage === undefined) return undefined;
    if (passphrase === undefined) {
      throw new HandshakeRefusal(rejection.unsecure, 'The publisher sets a passphrase, and this stream key has none.');
    }
    if (keyMessage === undefined) {
      throw new HandshakeRefusal(rejection.unsecure, 'The publisher must set the passphrase of this stream key.');
    }
    const material = await openKeyMessage(keyMessage, passphrase);
    if (!material) throw new HandshakeRefusal(rejection.badSecret, 'The passphrase of the publisher is wrong.');
    return { passphrase, material };
  }

  async #accept(grant: SrtPublishGrant): Promise<void> {
    const stream = new PublishedStream(this);
    this.#stream = stream;
    await this.#within(Promise.resolve(grant.accept(stream)), acceptTimeoutMs);
  }

  #connect(terms: PeerTerms, secret: SrtSecret | undefined): void {
    const { handshake, arrivalUs, timestampUs } = this.#call;
    const latencies = agreeLatencies(this.#options.latencyMs, terms);
    const { flowWindowPackets, payloadBytes, socketId: peerSocketId, initialSequenceNumber } = terms;
    this.#connection = this.own(
      new SrtConnection(
        {
          ...{ ...latencies, flowWindowPackets, payloadBytes, peerSocketId, secret, arrivalUs, timestampUs },
          startUs: this.#startUs,
          ownInitialSequenceNumber: initialSequenceNumber, // libsrt expects its own in our handshake
          peerInitialSequenceNumber: initialSequenceNumber,
          idleTimeoutMs: this.#options.idleTimeoutMs,
        },
        { send: (datagram) => this.#call.send(datagram), onPayload: (payload) => this.#stream?.payload(payload) },
      ),
    );
    void this.#connection.done.then((reason) => this.close(reason));
    const keyMessage = handshake.extensions.find(({ type }) => type === extensionType.keyMaterialRequest)?.data;
    const extensions: HandshakeExtension[] = [
      { type: extensionType.handshakeResponse, data: serializeTerms(ownTerms(latencies)) },
      ...(secret && keyMessage ? [{ type: extensionType.keyMaterialResponse, data: keyMessage }] : []),
    ];
    this.#answer = this.#handshakePacket(
      handshakeType.conclusion,
      extensionFlag.handshake | (secret ? extensionFlag.keyMaterial : 0),
      extensions,
      encryptionField(secret?.material.keyLength),
    );
    this.#call.send(this.#answer);
    const { receiverLatencyMs: latencyMs } = latencies;
    this.#log.info({ latencyMs, isEncrypted: secret !== undefined }, 'srt publisher accepted');
  }

  #refuse(error: GatewayError): void {
    if (this.isClosed) return;
    this.#log.warn({ code: error.code, reason: error.message, cause: error.cause }, 'srt publisher refused');
    const reason = error instanceof HandshakeRefusal ? error.rejection : rejectionOf(error);
    // Once it is connected SRT has no words left; the log has them.
    if (!this.#connection) this.#call.send(this.#handshakePacket(rejectionBase + reason, 0, [], 0));
    this.fail(error);
  }

  #handshakePacket(
    type: number,
    extensionField: number,
    extensions: readonly HandshakeExtension[],
    encryption: number,
  ): Buffer {
    const { handshake, socketId } = this.#call;
    const body = serializeHandshake({
      ...{ ...handshake, version: 5, type, encryption, extensionField, extensions, socketId },
      ...{ mtuBytes: defaultMtuBytes, flowWindowPackets: receiveWindowPackets },
    });
    const timestampUs = packetTimestamp(srtClockUs(), this.#startUs);
    return serializeControl({ type: controlType.handshake, timestampUs, socketId: handshake.socketId, body });
  }

  /** @throws GatewayError `timeout` */
  async #within<T>(work: Promise<T>, timeoutMs = this.#options.authorizeTimeoutMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const error = new GatewayError('timeout', 'The check of the stream key took too long; try again.');
    const timer = setTimeout(() => late.reject(error), timeoutMs);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  protected override onClose(reason: CloseReason): void {
    const error = this.#failure ?? this.#connection?.failure;
    this.#stream?.end({
      reason,
      error: error && { code: error.code, message: error.message },
      // Whoever says goodbye means it; whoever falls silent may come back.
      mayReturn: reason === 'timeout' || (reason === 'failed' && error?.code !== 'unsupported_media_type'),
    });
    if (this.#connection)
      this.#log.info({ reason, failure: error?.message, ...this.#connection.stats }, 'srt publisher left');
  }
}
