// Owns: holding a call and taking it up again, as agreed with the phone.
import type { LegParameters } from '#core/leg-media.ts';
import type { CallMedia } from './call-media.ts';
import type { SipDialog } from './dialog.ts';
import { refusedBy } from './status.ts';

/** @returns what was agreed; @throws GatewayError `upstream_refused`, `closed`: then all is as it was */
export async function hold(dialog: SipDialog, { leg, speech }: CallMedia, isHeld: boolean): Promise<LegParameters> {
  speech.want(isHeld ? 'sendonly' : 'sendrecv');
  leg.setHold(isHeld);
  try {
    const answer = await dialog.reinvite(speech.offer());
    if (answer.status >= 300) throw refusedBy(answer);
    return speech.accept(answer.body);
  } catch (error) {
    speech.want(isHeld ? 'sendrecv' : 'sendonly');
    if (!leg.isClosed) leg.setHold(!isHeld);
    throw error;
  }
}
