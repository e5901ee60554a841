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
  const raw = message.toString();
  const where = ids.isOutside ? `${flow.localAddress}|${flow.localPort}|` : '';
  session.deliver(
    `sip|network|${raw.length}|${flow.protocol}|${flow.remoteAddress}|${flow.remotePort}|${stackTime()}|` +
      `${ids.transactionId}|${ids.dialogId}|${where}\r\n${raw}`,
  );
}

/** Tells it of a request that this server sent on its own: a BYE, mostly. */
export function tellUnsolicited(
  session: ControlSession,
  request: SipMessage,
  flow: Flow | undefined,
  dialogId: string,
): void {
  const raw = request.toString();
  session.deliver(
    `sip|application|${raw.length}|${flow?.protocol ?? 'udp'}|${flow?.localAddress ?? ''}|${flow?.localPort ?? ''}|` +
      `${stackTime()}|unsolicited|${dialogId}|\r\n${raw}`,
  );
}

/** `OK` to a request that the application asked to be sent, with the request as it went out. */
export function replySentRequest(
  session: ControlSession,
  messageId: string,
  request: SipMessage,
  flow: Flow,
  transactionId: string,
): void {
  const raw = request.toString();
  session.reply(
    messageId,
    `OK|application|${raw.length}|${flow.protocol}|${flow.localAddress}|${flow.localPort}|${stackTime()}|` +
      `${transactionId}|Msg sent:|\r\n${raw}`,
  );
}

/** `OK` to a response that the application asked to be sent. */
export function replySentResponse(
  session: ControlSession,
  messageId: string,
  response: SipMessage,
  flow: Flow,
  ids: { transactionId: string; dialogId: string },
): void {
  const raw = response.toString();
  session.reply(
    messageId,
    `OK|application|${raw.length}|${flow.protocol}|${flow.localAddress}|${flow.localPort}|${stackTime()}|` +
      `${ids.transactionId}|${ids.dialogId}||Msg sent:|\r\n${raw}`,
  );
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
