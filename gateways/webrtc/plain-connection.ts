// Owns: one RTCPeerConnection of a plain client, from our end: its m-lines, what it publishes on them, what it gets.
// May import: core and its siblings here.
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, SfuWebRtcTransport } from '#core/ports.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import type { Publication } from '#core/track.ts';
import { chooseSent } from './codecs.ts';
import { LayerDriver } from './layer-driver.ts';
import { isSameStream, type Line, PlainLines, signatureOf } from './plain-lines.ts';
import type { MappedStream } from './plain-protocol.ts';
import type { PlainPublisher, SourceHints } from './plain-publisher.ts';
import { type DtlsSetup, parseSdp, type SdpDescription, type SdpSection } from './sdp-parse.ts';
import { type LocalCodec, receivingSection, sentCodec, writeSdp } from './sdp-write.ts';
import { type SessionTimeouts, TransportWatch } from './session.ts';
import { answerDtls, isMedia, readLayout, readReceivedTrack, receives, refusalOf, sends } from './translate.ts';

export interface PlainDescription {
  readonly sdp: string;
  readonly streams: readonly MappedStream[];
}

export interface PlainConnectionOptions {
  readonly participant: Participant;
  readonly publisher: PlainPublisher;
  readonly timeouts: SessionTimeouts;
  readonly log: Logger;
  /** Highest simulcast layer that the client wants. */
  readonly layerCap: () => number;
  /** An m-line or stream that could not be had, while the rest goes on. */
  readonly onRefused: (error: GatewayError) => void;
}

export class PlainConnection extends Owned {
  readonly #options: PlainConnectionOptions;
  readonly #transport: SfuWebRtcTransport;
  readonly #room: RtpCapabilities;
  readonly #lines: PlainLines;
  readonly #watch: TransportWatch;
  readonly #sessionId = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
  /** Streams that this client has refused or cannot decode. */
  readonly #refused = new WeakSet<Publication>();
  readonly #fingerprint: string;
  readonly #clientSessionId: string;
  /** Our DTLS role, which stays for the life of the connection whatever later offers say (RFC 8842 §5.5). */
  readonly #setup: DtlsSetup;
  #usernameFragment: string;
  #version = 0;
  /** M-lines of the last description that we have sent, as text. */
  #said = '';
  #hasConnected = false;
  /** While our offer waits for its answer: how many m-lines there were before it. */
  #proposedFrom: number | undefined;

  private constructor(options: PlainConnectionOptions, transport: SfuWebRtcTransport, offer: SdpDescription) {
    super();
    this.#options = options;
    this.#transport = transport;
    this.#room = options.participant.room.media.rtpCapabilities;
    this.#lines = new PlainLines(transport);
    this.#fingerprint = offer.fingerprint.value;
    this.#clientSessionId = offer.sessionId;
    this.#setup = answerDtls(offer).setup;
    this.#usernameFragment = offer.usernameFragment;
    this.#watch = new TransportWatch(transport, options.timeouts, {
      connected: () => {
        this.#hasConnected = true;
        options.log.info({}, 'plain client connected');
      },
      ended: (reason, detail) => {
        options.log.info({ reason, detail }, 'peer connection ended');
        void this.close(reason);
      },
    });
  }

  /** For the first offer of an RTCPeerConnection; `answer()` it next. @throws GatewayError `media_lost`, `unprocessable` */
  static async create(options: PlainConnectionOptions, offer: SdpDescription): Promise<PlainConnection> {
    const layout = readLayout(offer, options.participant.room.media.rtpCapabilities, 'invent');
    const transport = await options.participant.createTransport({ layout });
    const connection = new PlainConnection(options, transport, offer);
    try {
      await transport.connect({ dtlsParameters: answerDtls(offer).dtlsParameters });
      return connection;
    } catch (thrown) {
      await connection.close('failed');
      throw thrown;
    }
  }

  get hasConnected(): boolean {
    return this.#hasConnected;
  }

  get isProposing(): boolean {
    return this.#proposedFrom !== undefined;
  }

  /**
   * Whether the offer is of the same RTCPeerConnection. Each has a certificate of its own (RFC 8827 §6.5), unless the
   * application keeps one; then a new one has other ICE credentials, and not as a restart of the same SDP session.
   */
  isContinuedBy(offer: SdpDescription): boolean {
    if (offer.fingerprint.value !== this.#fingerprint) return false;
    const isRestart = offer.usernameFragment !== this.#usernameFragment;
    if (isRestart && offer.sessionId !== this.#clientSessionId) return false;
    const committed = this.#proposedFrom ?? this.#lines.length;
    return this.#lines.isContinuedBy(offer.sections, committed);
  }

  /** Answers an offer of the client. An offer of ours that is still unanswered is taken back (the client wins a glare). */
  async answer(offer: SdpDescription, hints: SourceHints): Promise<PlainDescription> {
    await this.#withdraw();
    await this.#followIceRestart(offer);
    for (const section of offer.sections) await this.#followSection(section, offer, hints);
    await this.#resumeScreen(offer, hints);
    // Streams that wait take the m-lines that the client has brought for them.
    await this.#dropEnded();
    await this.#fill(false);
    return this.#describe(this.#setup);
  }

  /** @returns an offer of ours, undefined when the client has all that there is */
  async propose(): Promise<PlainDescription | undefined> {
    const before = this.#lines.length;
    await this.#dropEnded();
    await this.#fill(true);
    if (JSON.stringify(this.#lines.sections) === this.#said) return undefined;
    this.#proposedFrom = before;
    return this.#describe('actpass');
  }

  /** The client's answer to our offer. @throws GatewayError `invalid_sdp`, `conflict` */
  async settle(text: string): Promise<void> {
    if (this.#proposedFrom === undefined) throw new GatewayError('conflict', 'There is no offer to answer.');
    const answer = parseSdp(text);
    if (
      answer.sections.length !== this.#lines.length ||
      !this.#lines.isContinuedBy(answer.sections, this.#lines.length)
    ) {
      throw new GatewayError('invalid_sdp', 'The answer has other m-lines than the offer that it is for.');
    }
    this.#proposedFrom = undefined;
    for (const section of answer.sections) {
      const line = this.#lines.at(section.index);
      if (!line?.outgoing) continue;
      line.remote = section.direction;
      line.isRejected = section.isRejected;
      if (!section.isRejected && receives(section)) {
        this.#resume(line);
      } else {
        this.#refused.add(line.outgoing.publication);
        await this.#endOutgoing(line);
      }
    }
  }

  /** Lets the receiving side follow a change of what the client wants. */
  reviewLayers(): void {
    for (const { outgoing } of this.#lines) outgoing?.layers.setCap(this.#options.layerCap());
  }

  /** Ends what comes in as a screen, until the client begins anew. */
  async stopScreen(): Promise<void> {
    for (const line of this.#lines) {
      const source = line.incoming?.publication.source;
      if (source !== 'screen' && source !== 'screen_audio') continue;
      await this.#unpublish(line);
      line.isStopped = true;
    }
  }

  /** A client that shares again may use the m-lines of the last time; new ones go first. */
  async #resumeScreen(offer: SdpDescription, hints: SourceHints): Promise<void> {
    for (const section of offer.sections) {
      const line = this.#lines.at(section.index);
      if (!line?.isStopped || !isMedia(section) || !this.#options.publisher.isScreenAwaited(section.kind)) continue;
      line.isStopped = false;
      await this.#receive(line, section, offer, hints);
    }
  }

  async #followIceRestart(offer: SdpDescription): Promise<void> {
    if (offer.usernameFragment === this.#usernameFragment) return;
    this.#usernameFragment = offer.usernameFragment;
    await this.#transport.restartIce();
    this.#options.log.info({}, 'ICE restarted');
  }

  async #followSection(section: SdpSection, offer: SdpDescription, hints: SourceHints): Promise<void> {
    const line = this.#lines.take(section);
    const refusal = section.isRejected ? undefined : refusalOf(section);
    if (section.isRejected || refusal || !isMedia(section)) {
      await this.#unpublish(line);
      await this.#endOutgoing(line);
      line.isRejected = true;
      if (refusal && section.kind !== 'application') this.#options.onRefused(refusal);
      return;
    }
    if (!line.isOurs) line.sendable = this.#sendable(section);
    if (!receives(section) && line.outgoing) {
      if (line.isOurs) this.#refused.add(line.outgoing.publication);
      await this.#endOutgoing(line);
    }
    if (sends(section)) {
      await this.#receive(line, section, offer, hints);
    } else {
      await this.#unpublish(line);
      line.isStopped = false;
    }
    line.isRejected = !line.incoming && line.sendable.length === 0;
  }

  /** Publishes what the client sends on this m-line, unless it already is. */
  async #receive(line: Line, section: SdpSection, { originUser }: SdpDescription, hints: SourceHints): Promise<void> {
    if (line.isStopped || (line.incoming && isSameStream(section, line.incoming))) return;
    await this.#unpublish(line);
    try {
      const track = readReceivedTrack(section, this.#room, { originUser, isTwoWay: true });
      const publication = await this.#options.publisher.publish(this.#transport, track, hints);
      line.incoming = { publication, section: receivingSection(track), signature: signatureOf(section) };
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      // The m-line stays, inactive: streams of others may go out on it, and a bundle needs one to hold on to.
      this.#options.onRefused(thrown);
    }
  }

  /** How streams of others can be numbered on an m-line of the client. */
  #sendable(section: SdpSection): LocalCodec[] {
    const served = new Set(this.#transport.consumeCapabilities.codecs?.map((codec) => codec.preferredPayloadType));
    return chooseSent(section, this.#room.codecs ?? [])
      .filter(({ codec }) => served.has(codec.payloadType))
      .map(sentCodec);
  }

  /** Streams of others that this client has not got yet, each to a free m-line. */
  async #fill(mayAppend: boolean): Promise<void> {
    const { participant } = this.#options;
    const carried = new Set([...this.#lines].map(({ outgoing }) => outgoing?.publication));
    for (const publication of [...participant.room.publications()]) {
      const isOwn = publication.participant === participant;
      if (isOwn || publication.isClosed || carried.has(publication) || this.#refused.has(publication)) continue;
      if (!participant.permissions.subscribe[publication.kind]) continue;
      const line = this.#lines.freeFor(publication.kind, mayAppend);
      if (line) await this.#send(line, publication);
    }
  }

  async #send(line: Line, publication: Publication): Promise<void> {
    const { participant, log, layerCap } = this.#options;
    try {
      const subscription = await participant.subscribe(this.#transport, publication, {
        rtpCapabilities: this.#transport.consumeCapabilities,
        mid: line.mid,
      });
      line.outgoing = { publication, subscription, layers: new LayerDriver(subscription, layerCap(), log) };
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      log.info({ publication: publication.id, code: thrown.code, detail: thrown.message }, 'stream not sent');
      if (thrown.code === 'no_common_codec') this.#refused.add(publication);
      if (thrown.code !== 'closed') this.#options.onRefused(thrown);
    }
  }

  async #dropEnded(): Promise<void> {
    for (const line of this.#lines) {
      if (line.outgoing?.subscription.isClosed) await this.#endOutgoing(line);
    }
  }

  #resume(line: Line): void {
    line.outgoing?.subscription.resume().catch((cause: unknown) => {
      // The next offer drops it.
      this.#options.log.debug({ err: cause }, 'stream ended before it was sent');
    });
  }

  async #withdraw(): Promise<void> {
    const before = this.#proposedFrom;
    this.#proposedFrom = undefined;
    if (before === undefined) return;
    for (const line of this.#lines) if (line.outgoing?.subscription.isPaused) await this.#endOutgoing(line);
    this.#lines.truncate(before);
  }

  async #unpublish(line: Line): Promise<void> {
    const { incoming } = line;
    line.incoming = undefined;
    await incoming?.publication.close('requested');
  }

  async #endOutgoing(line: Line): Promise<void> {
    const { outgoing } = line;
    if (!outgoing) return;
    line.outgoing = undefined;
    await outgoing.subscription.close('requested');
  }

  #describe(setup: DtlsSetup): PlainDescription {
    this.#version += 1;
    const { sections } = this.#lines;
    this.#said = JSON.stringify(sections);
    const { iceParameters, iceCandidates, dtlsParameters } = this.#transport;
    const sdp = writeSdp({
      sessionId: this.#sessionId,
      version: this.#version,
      sections,
      transport: { iceParameters, iceCandidates, dtlsParameters, setup },
    });
    return { sdp, streams: this.#lines.streams };
  }

  /** After an answer of ours has gone out: the client can take what it brings. */
  resumeAnswered(): void {
    for (const line of this.#lines) if (line.outgoing?.subscription.isPaused) this.#resume(line);
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    this.#watch.stop();
    for (const line of this.#lines) {
      await this.#unpublish(line);
      await this.#endOutgoing(line);
    }
    this.#transport.close();
  }
}
