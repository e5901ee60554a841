// Owns: the part of a session that WHIP and WHEP show over HTTP: its address, its answer, its ICE generation.
// May import: core and its siblings here.
import { GatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger, SfuWebRtcTransport } from '#core/ports.ts';
import type { FormatChange } from './play-format.ts';
import { type IceFragment, writeFragment } from './sdp-fragment.ts';
import type { SdpDescription } from './sdp-parse.ts';
import { type LocalSection, writeSdp } from './sdp-write.ts';
import { PeerSession, type SessionTimeouts } from './session.ts';
import { answerDtls } from './translate.ts';

/** `"*"` starts ICE anew; a tag names the ICE generation that candidates are for (RFC 9725 §4.3.1). */
export type IfMatch = string;

/** A restart makes new credentials in the SFU; nobody needs more of them than this. */
const maxRestarts = 100;

export abstract class HttpSession extends PeerSession {
  /** Unguessable: whoever knows it may end the session. */
  readonly id = randomText(32);
  readonly #offer: SdpDescription;
  #answer = '';
  #firstSection: { readonly kind: string; readonly mid: string } | undefined;
  #etag = newTag();
  #usernameFragment: string;
  #restarts = 0;

  constructor(
    participant: Participant,
    transport: SfuWebRtcTransport,
    offer: SdpDescription,
    timeouts: SessionTimeouts,
    log: Logger,
  ) {
    super(participant, transport, timeouts, log);
    this.#offer = offer;
    this.#usernameFragment = offer.usernameFragment;
  }

  get answer(): string {
    return this.#answer;
  }

  get etag(): string {
    return this.#etag;
  }

  /** Starts DTLS with what the offer says and writes the answer. */
  protected async answerOffer(sections: readonly LocalSection[]): Promise<void> {
    const { setup, dtlsParameters } = answerDtls(this.#offer);
    const { iceParameters, iceCandidates, dtlsParameters: ours } = this.transport;
    await this.transport.connect({ dtlsParameters });
    this.#firstSection = sections.find(({ isRejected }) => !isRejected);
    this.#answer = writeSdp({
      sessionId: Math.floor(Math.random() * Number.MAX_SAFE_INTEGER),
      version: 1,
      sections,
      transport: { iceParameters, iceCandidates, dtlsParameters: ours, setup },
    });
  }

  /**
   * @returns the fragment to answer with after an ICE restart; undefined for candidates, of which a half ICE agent needs
   * none: it learns the peer's addresses from its checks (RFC 8445 §2.5)
   * @throws GatewayError `precondition_failed`, `unprocessable`, `limit_reached`
   */
  async patch(fragment: IceFragment, ifMatch: IfMatch): Promise<string | undefined> {
    if (ifMatch === '*') return this.#restartIce(fragment);
    if (!ifMatch.split(',').some((tag) => tag.trim() === this.#etag)) {
      throw new GatewayError('precondition_failed', 'If-Match names another ICE generation than the current ETag.');
    }
    const { usernameFragment } = fragment;
    if (usernameFragment !== undefined && usernameFragment !== this.#usernameFragment) {
      throw new GatewayError('unprocessable', 'The ufrag is new: to restart ICE, send If-Match: * with it.');
    }
    return undefined;
  }

  /** WHEP alone: the picture in another format, live. */
  setFormat?(change: FormatChange): Promise<void>;

  async #restartIce({ usernameFragment, password }: IceFragment): Promise<string> {
    if (usernameFragment === undefined || password === undefined) {
      throw new GatewayError('unprocessable', 'An ICE restart brings a=ice-ufrag and a=ice-pwd.');
    }
    this.#restarts += 1;
    if (this.#restarts > maxRestarts) throw new GatewayError('limit_reached', 'ICE was restarted too often.');
    const iceParameters = await this.transport.restartIce();
    this.#usernameFragment = usernameFragment;
    this.#etag = newTag();
    this.log.info({}, 'ICE restarted');
    return writeFragment(
      iceParameters,
      this.transport.iceCandidates,
      this.#firstSection ?? { kind: 'audio', mid: '0' },
    );
  }
}

const newTag = (): string => `"${randomText(16)}"`;
