// Owns: what the server tells the application of a SIP message, as it is and in the words of drachtio's protocol. May import:
// message/.
import type { SipMessage } from '../message/message.ts';

export interface MessageFrame {
  /** Id of the application's frame that this one answers; undefined where the server speaks first. */
  readonly repliesTo: string | undefined;
  readonly source: 'network' | 'application';
  readonly protocol: string;
  /** Of the peer, or ours where the message is. */
  readonly address: string;
  /** '' where there is no address. */
  readonly port: number | '';
  /** `HH:MM:SS.uuuuuu`, UTC. */
  readonly time: string;
  readonly transactionId: string;
  /** '' where there is none. */
  readonly dialogId: string;
  /** `address|port` of ours, for what came outside of dialogs; '' for the rest. */
  readonly receivedOn: string;
  readonly message: SipMessage;
}

/** What follows the id of the frame. */
export function wordsOf({ message, repliesTo, ...frame }: MessageFrame): string {
  const { source, protocol, address, port, time, transactionId, dialogId, receivedOn } = frame;
  const raw = message.toString();
  const facts = `${source}|${raw.length}|${protocol}|${address}|${port}|${time}|${transactionId}|`;
  if (repliesTo === undefined) {
    return `sip|${facts}${dialogId}|${receivedOn === '' ? '' : `${receivedOn}|`}\r\n${raw}`;
  }
  const sent = message.isRequest ? 'Msg sent:|' : `${dialogId}||Msg sent:|`;
  return `response|${repliesTo}|OK|${facts}${sent}\r\n${raw}`;
}

/** A response of the application's, as drachtio-srf has it. */
export interface AppMessageFrame {
  readonly messageId: string;
  readonly transactionId: string;
  readonly dialogId: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
