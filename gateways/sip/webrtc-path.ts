// Owns: the way of a WebRTC phone's media to its leg, for as long as its call lasts.
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { BridgedFormat, PhoneBridge, PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger } from '#core/ports.ts';
import type { CallSpeech } from './offer-answer.ts';
import { iceUfragOf } from './webrtc-lines.ts';

/** As often as the leg itself reports. */
const qualityIntervalMs = 5_000;

export interface WebRtcPathOptions {
  readonly bridges: PhoneBridgePort;
  /** The one that is spoken comes first. */
  readonly formats: readonly BridgedFormat[];
  readonly leg: Leg;
  readonly log: Logger;
  /** The phone cannot be reached any more, or the bridge is gone. */
  readonly onLost: (error: GatewayError) => void;
}

export class WebRtcPath {
  readonly bridge: PhoneBridge;
  /** Knows how the phone described itself. */
  speech: Pick<CallSpeech, 'peer'> | undefined;
  readonly #leg: Leg;
  readonly #timer: NodeJS.Timeout;
  #iceUfrag: string | undefined;

  /** @throws GatewayError as `createPhoneBridge()` */
  static async open({ bridges, formats, leg, log, onLost }: WebRtcPathOptions): Promise<WebRtcPath> {
    const bridge = await bridges.createPhoneBridge({ formats, log });
    const path = new WebRtcPath(bridge, leg);
    bridge.events.on('peerLost', (reason) => onLost(new GatewayError('timeout', reason)));
    bridge.events.on('closed', () => {
      clearInterval(path.#timer);
      onLost(new GatewayError('media_lost', 'The media of the call was lost.'));
    });
    try {
      await bridge.connectLeg({ address: leg.localAddress, port: leg.localPort, ssrc: leg.ssrc });
    } catch (thrown) {
      bridge.close();
      throw thrown;
    }
    return path;
  }

  private constructor(bridge: PhoneBridge, leg: Leg) {
    this.bridge = bridge;
    this.#leg = leg;
    this.#timer = setInterval(() => void this.#look(), qualityIntervalMs).unref();
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
    if (!peer) return;
    const { iceUfrag, dtls, stream } = peer;
    this.#iceUfrag = iceUfrag;
    await this.bridge.connectPhone({ dtls, stream });
  }

  close(): void {
    clearInterval(this.#timer);
    this.bridge.events.removeAllListeners();
    this.bridge.close();
  }

  async #look(): Promise<void> {
    try {
      const quality = await this.bridge.getQuality();
      if (quality && !this.#leg.isClosed) this.#leg.setFarQuality(quality);
    } catch {
      // It has just been closed; whoever cares is told by its event.
    }
  }
}
