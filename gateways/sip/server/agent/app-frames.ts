import type { ControlSession } from '../control/control-session.ts';
import { stackTime } from '../control/frames.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';

/** Tells the application of a message from the network; `isOutside` adds where it was received. */
export function tellNetwork(
  session: ControlSession,
  message: SipMessage,
  flow: Flow,
  ids: { transactionId: string; dialogId: string; isOutside: boolean },
): void {
  const { protocol, remoteAddress: address, remotePort: port } = flow;
  const receivedOn = ids.isOutside ? `${flow.localAddress}|${flow.localPort}` : '';
  const { transactionId, dialogId } = ids;
  const facts = { repliesTo: undefined, source: 'network', time: stackTime() } as const;
  session.tell({ ...facts, protocol, address, port, transactionId, dialogId, receivedOn, message });
}

/** Tells it of a request that this server sent on its own: a BYE, mostly. */
export function tellUnsolicited(
  session: ControlSession,
  message: SipMessage,
  flow: Flow | undefined,
  dialogId: string,
): void {
  session.tell({ ...sent(flow, undefined), transactionId: 'unsolicited', dialogId, message });
}

/** `OK` to a request that the application asked to be sent, with the request as it went out. */
export function replySentRequest(
  session: ControlSession,
  messageId: string,
  message: SipMessage,
  flow: Flow,
  transactionId: string,
): void {
  session.tell({ ...sent(flow, messageId), transactionId, dialogId: '', message });
}

/** `OK` to a response that the application asked to be sent. */
export function replySentResponse(
  session: ControlSession,
  messageId: string,
  message: SipMessage,
  flow: Flow,
  { transactionId, dialogId }: { transactionId: string; dialogId: string },
): void {
  session.tell({ ...sent(flow, messageId), transactionId, dialogId, message });
}

function sent(flow: Flow | undefined, repliesTo: string | undefined) {
  const { protocol = 'udp', localAddress: address = '', localPort: port = '' } = flow ?? {};
  return { repliesTo, source: 'application', protocol, address, port, time: stackTime(), receivedOn: '' } as const;
}

export type CdrEvent = 'attempt' | 'start' | 'stop';

/** @param detail `uac` or `uas` of a start, the reason of a stop */
export function tellCdr(
  session: ControlSession,
  event: CdrEvent,
  source: 'network' | 'application',
  message: SipMessage,
  detail: string,
): void {
  const tail = event === 'attempt' ? '' : `|${detail}`;
  session.deliver(`cdr:${event}|${source}|${stackTime()}${tail}\r\n${message.toString()}`);
}
