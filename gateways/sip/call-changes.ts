// Owns: what we change in a call, as agreed with the phone: holding it and taking it up again, its picture, where its media goes.

import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { LegDirection, LegParameters } from '#core/leg-media.ts';
import { Turns } from '#core/turns.ts';
import type { CallMedia } from './call-media.ts';
import type { SipDialog } from './dialog.ts';
import { refusedBy } from './status.ts';
import { notTakenUp } from './webrtc-path.ts';

export interface CallChangesOwner {
  /** What was agreed holds from now on. */
  speak(parameters: LegParameters): void;
}

/** One offer of ours after the other: each is made of what the one before came to. */
export class CallChanges {
  readonly #owner: CallChangesOwner;
  readonly #turns = new Turns();

  constructor(owner: CallChangesOwner) {
    this.#owner = owner;
  }

  /** @throws GatewayError `upstream_refused`, `closed`: then all is as it was */
  hold(dialog: SipDialog, media: CallMedia, isHeld: boolean): Promise<void> {
    return this.#turns.take(async () => {
      const { leg, speech } = media;
      if (leg.isHeld === isHeld) return;
      speech.want(isHeld ? 'sendonly' : 'sendrecv');
      leg.setHold(isHeld);
      try {
        await this.#offerAnew(dialog, media);
      } catch (error) {
        speech.want(isHeld ? 'sendrecv' : 'sendonly');
        if (!leg.isClosed) leg.setHold(!isHeld);
        throw error;
      }
    });
  }

  /**
   * Adds the picture to a call, or drops it.
   * @throws GatewayError `unprocessable`, `overloaded`, `upstream_refused`, `closed`: then all is as it was
   */
  setVideo(dialog: SipDialog, media: CallMedia, hasVideo: boolean): Promise<void> {
    return this.#turns.take(async () => {
      const { video } = media;
      if (!video) throw new GatewayError('unprocessable', 'The media of this call is not such that it can have video.');
      if ((video.info !== undefined) === hasVideo) return;
      const takeBack = hasVideo ? await video.add() : video.omit();
      try {
        await this.#offerAnew(dialog, media);
      } catch (error) {
        takeBack();
        throw error;
      }
      if (hasVideo && !video.info) throw new GatewayError('upstream_refused', 'The phone takes no video.');
    });
  }

  /** Asks the phone over to another SFU worker, by ICE and DTLS begun anew. @throws GatewayError `media_lost`, `closed` */
  comeBack(dialog: SipDialog, media: CallMedia): Promise<void> {
    return this.#turns.take(async () => {
      await media.renewPath();
      try {
        // To a phone that holds us nothing is offered that it may take for the end of that: some answer what they are offered.
        const { isHeldByPeer, leg } = media;
        await this.#offerAnew(dialog, media, isHeldByPeer ? leg.parameters?.direction : undefined);
      } catch (error) {
        throw notTakenUp(toGatewayError(error).message, error);
      }
    });
  }

  async #offerAnew(dialog: SipDialog, { speech }: CallMedia, direction?: LegDirection): Promise<void> {
    try {
      const answer = await dialog.reinvite(speech.offer(direction));
      if (answer.status >= 300) throw refusedBy(answer);
      this.#owner.speak(readBy(speech, answer.body));
    } catch (error) {
      speech.withdraw();
      throw error;
    }
  }
}

/** @throws GatewayError `upstream_refused` for an answer that is none: whoever asked for the change has done nothing wrong */
function readBy(speech: CallMedia['speech'], sdp: string): LegParameters {
  try {
    return speech.accept(sdp);
  } catch (cause) {
    const { message } = toGatewayError(cause);
    throw new GatewayError('upstream_refused', `The answer of the other side: ${message}`, { cause });
  }
}
