// Owns: keys that we press on the other side, by RFC 4733 where it takes them and by SIP INFO otherwise.
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { SipDialog } from './dialog.ts';
import { refusedBy } from './status.ts';

const pauseMs = 500;

/** @throws GatewayError `invalid_request`, `upstream_refused`, `closed` */
export async function pressDigits(digits: string, leg: Leg, dialog: SipDialog): Promise<void> {
  try {
    leg.sendDtmf(digits);
    return;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'not_acceptable') throw error;
  }
  for (const digit of digits.toUpperCase()) {
    if (digit === ',') {
      await delay(pauseMs, undefined, { ref: false });
      continue;
    }
    const headers = { 'content-type': 'application/dtmf-relay' };
    const answer = await dialog.ask('INFO', { headers, body: `Signal=${digit}\r\nDuration=160\r\n` });
    if (answer.status >= 300) throw refusedBy(answer);
  }
}
