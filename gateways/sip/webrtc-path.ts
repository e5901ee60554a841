// Owns: the way of a WebRTC phone's media to its leg, for as long as its call lasts; another one where an SFU worker dies.
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { BridgedFormat, PhoneBridge, PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger } from '#core/ports.ts';
import type { OfferAnswer } from './offer-answer.ts';
import { iceUfragOf } from './webrtc-lines.ts';

/** As often as the leg itself reports. */
const qualityIntervalMs = 5_000;
/** From the loss of the bridge until the phone has come over to another one; nobody waits longer in silence. */
const comeBackMs = 15_000;
const layAgainMs = 250;

export interface WebRtcPathOptions {
  readonly bridges: PhoneBridgePort;
  /** The one that is spoken comes first. */
  readonly formats: readonly BridgedFormat[];
  readonly leg: Leg;
  readonly log: Logger;
  /** The phone cannot be reached any more, or has not come back in time. */
  readonly onLost: (error: GatewayError) => void;
  /** Its SFU worker has died: `renew()`, and tell the phone, which answers no checks of a worker that it does not know. */
  readonly onGone: () => void;
}

/**
 *   laid ──worker dies──> gone ──renew()──> laid anew ──follow()──> told ──DTLS──> reached
 *                          └──────────────comeBackMs without all of that──> onLost
 */
export class WebRtcPath {
  /** Knows how the phone described itself, and what it is told. */
  speech: Pick<OfferAnswer, 'peer' | 'moveTo'> | undefined;
  readonly #options: WebRtcPathOptions;
  readonly #timer: NodeJS.Timeout;
  #bridge: PhoneBridge | undefined;
  #iceUfrag: string | undefined;
  /** The phone is still to be told of the bridge. */
  #isComingBack = false;
  #deadline: NodeJS.Timeout | undefined;
  #failure: GatewayError | undefined;
  #isClosed = false;

  /** @throws GatewayError as `createPhoneBridge()` */
  static async open(options: WebRtcPathOptions): Promise<WebRtcPath> {
    const path = new WebRtcPath(options);
    try {
      await path.#lay();
      return path;
    } catch (thrown) {
      path.close();
      throw thrown;
    }
  }

  private constructor(options: WebRtcPathOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), qualityIntervalMs).unref();
  }

  /** @throws GatewayError `media_lost` while there is none */
  get bridge(): PhoneBridge {
    if (!this.#bridge) throw new GatewayError('media_lost', 'The media of the call was lost.');
    return this.#bridge;
  }

  /** False from the death of a worker until there is a bridge in another. */
  get isLaid(): boolean {
    return this.#bridge !== undefined;
  }

  /** The phone does not know yet where its media goes from now on: offers of its own would be about what is gone. */
  get isComingBack(): boolean {
    return this.#isComingBack;
  }

  /**
   * Lays another way; the next offer is of it. Tried until there is one or the call has ended.
   * @throws GatewayError `closed`
   */
  async renew(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const bridge = await this.#lay();
        this.#iceUfrag = undefined;
        this.speech?.moveTo(bridge);
        return;
      } catch (thrown) {
        // The worker that was chosen was dying as well, or there is none yet.
        this.#failure = toGatewayError(thrown);
        await delay(layAgainMs, undefined, { ref: false });
      }
    }
    throw callEnded();
  }

  /** Before its offer is answered: where ICE begins anew, our answer must as well (RFC 8839 §4.4.1.1.1). */
  async expect(offer: string): Promise<void> {
    const iceUfrag = iceUfragOf(offer);
    if (this.#iceUfrag !== undefined && iceUfrag !== undefined && this.#iceUfrag !== iceUfrag) {
      await this.bridge.restartIce();
    }
  }

  /** What was agreed. */
  async follow(): Promise<void> {
    const { peer } = this.speech ?? {};
    const bridge = this.#bridge;
    // An answer about a bridge that is gone: the offer of the next one is on its way.
    if (!peer || !bridge) return;
    this.#isComingBack = false;
    const { iceUfrag, dtls, stream } = peer;
    this.#iceUfrag = iceUfrag;
    try {
      await bridge.connectPhone({ dtls, stream });
    } catch (error) {
      if (bridge === this.#bridge) throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
    const bridge = this.#bridge;
    this.#bridge = undefined;
    bridge?.close();
  }

  async #lay(): Promise<PhoneBridge> {
    const { bridges, formats, leg, log } = this.#options;
    const bridge = await bridges.createPhoneBridge({ formats, log });
    try {
      await bridge.connectLeg({ address: leg.localAddress, port: leg.localPort, ssrc: leg.ssrc });
      if (this.#isClosed) throw callEnded();
    } catch (thrown) {
      bridge.close();
      throw thrown;
    }
    this.#bridge = bridge;
    bridge.events.on('peerReached', () => this.#reached(bridge));
    bridge.events.on('peerLost', (reason) => this.#lost(bridge, new GatewayError('timeout', reason)));
    bridge.events.on('closed', () => this.#gone(bridge));
    return bridge;
  }

  #reached(bridge: PhoneBridge): void {
    if (bridge !== this.#bridge) return;
    if (this.#deadline) this.#options.log.info({}, 'phone has come back to its media');
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  #lost(bridge: PhoneBridge, error: GatewayError): void {
    if (bridge === this.#bridge) this.#options.onLost(error);
  }

  #gone(bridge: PhoneBridge): void {
    if (bridge !== this.#bridge) return;
    const { log, onGone, onLost } = this.#options;
    log.warn({}, 'SFU worker of a phone died; the phone is asked over to another');
    this.#bridge = undefined;
    this.#isComingBack = true;
    this.#deadline ??= setTimeout(() => {
      const why = this.#failure ? ` ${this.#failure.message}` : '';
      const seconds = comeBackMs / 1_000;
      onLost(notTakenUp(`it did not come back to it in ${seconds} s.${why}`));
    }, comeBackMs).unref();
    onGone();
  }

  async #look(): Promise<void> {
    const { leg } = this.#options;
    try {
      const quality = await this.#bridge?.getQuality();
      if (quality && !leg.isClosed) leg.setFarQuality(quality);
    } catch {
      // It has just been closed; whoever cares is told by its event.
    }
  }
}

/** @param why how the phone took it */
export function notTakenUp(why: string, cause?: unknown): GatewayError {
  return new GatewayError('media_lost', `The media of the call was lost, and the phone was asked over: ${why}`, {
    cause,
  });
}

function callEnded(): GatewayError {
  return new GatewayError('closed', 'The call has ended.');
}
