import type { Credentials } from '../dialog/dialog.ts';
import type { SipMessage } from '../message/message.ts';

const names = ['authorization', 'proxy-authorization'] as const;
const none: Credentials = [];

/** What an INVITE shows of a password. */
export function credentialsOf(invite: SipMessage): Credentials {
  const found = names.flatMap((name) => invite.all(name).map((value) => [name, value] as const));
  return found.length > 0 ? found : none;
}

/** The ACK of a 2xx shows what its INVITE did: it cannot be challenged (RFC 3261 §13.2.2.4, §22.1). */
export function repeatCredentials(credentials: Credentials, ack: SipMessage): SipMessage {
  for (const [name, value] of credentials) if (!ack.has(name)) ack.add(name, value);
  return ack;
}
