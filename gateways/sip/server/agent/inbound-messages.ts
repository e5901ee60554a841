import { parseSessionExpires } from '../dialog/session-timer.ts';
import { SipMessage } from '../message/message.ts';
import type { AgentOptions } from './context.ts';

/** Session timer and product, where the application said nothing of them. */
export function completeResponse(
  request: SipMessage,
  response: SipMessage,
  { defaultRefresher, product }: Pick<AgentOptions, 'defaultRefresher' | 'product'>,
): void {
  if (product !== '' && !response.has('server') && !response.has('user-agent')) response.add('server', product);
  if (response.status < 200 || response.status > 299) return;
  if ((request.method !== 'INVITE' && request.method !== 'UPDATE') || response.has('session-expires')) return;
  const asked = parseSessionExpires(request.get('session-expires'));
  if (!asked) return;
  const knowsTimer = request.tokens('supported').includes('timer');
  // RFC 4028 §9: a proxy asked on behalf of a caller that cannot refresh.
  const refresher = asked.refresher ?? (knowsTimer || defaultRefresher === 'none' ? defaultRefresher : 'uas');
  if (refresher === 'none') return;
  response.add('session-expires', `${asked.intervalSec};refresher=${refresher}`);
  if (refresher === 'uac' && knowsTimer) response.add('require', 'timer');
}

/** drachtio-srf knows of one way in which a caller goes away before the answer. */
export function asCancel(invite: SipMessage, cause: SipMessage | undefined): SipMessage {
  const cancel = SipMessage.request('CANCEL', invite.uri);
  for (const name of ['via', 'from', 'to', 'call-id']) cancel.add(name, invite.get(name) ?? '');
  cancel.add('cseq', `${invite.cseq?.number ?? 1} CANCEL`);
  const reason = cause?.get('reason');
  if (reason !== undefined) cancel.add('reason', reason);
  return cancel;
}
