import type { ControlServer } from '../control/control-server.ts';
import type { Dialog } from '../dialog/dialog.ts';
import type { DialogTable } from '../dialog/dialog-table.ts';
import type { Locator } from '../locate/locator.ts';
import type { SipMessage } from '../message/message.ts';
import type { SipServerOptions } from '../options.ts';
import type { TimerSettings } from '../transaction/timers.ts';
import type { TransactionLayer } from '../transaction/transaction-layer.ts';
import type { TransportLayer } from '../transport/transport-layer.ts';
import type { CdrEvent } from './app-frames.ts';
import type { Bindings } from './bindings.ts';
import type { OwnRequests } from './own-requests.ts';

export interface AgentOptions extends Pick<SipServerOptions, 'authorityOf' | 'onRefreshed'> {
  readonly timers: TimerSettings;
  /** How long the application may leave an INVITE without any response; then 480. */
  readonly appTimeoutMs: number;
  /** While more targets are left: how long one may stay silent. */
  readonly failoverMs: number;
  /** Requests over UDP that are longer go by TCP where the peer takes it (RFC 3261 §18.1.1); 0 turns it off. */
  readonly maxUdpBytes: number;
  /** Who refreshes when the peer asks for a session timer without saying who. */
  readonly defaultRefresher: 'none' | 'uac' | 'uas';
  /** The shortest session timer that is agreed to (RFC 4028 §5). */
  readonly minSessionSec: number;
  /** User-Agent and Server of messages where the application names none; '' for none. */
  readonly product: string;
}

/** What the two halves of the agent share. */
export interface AgentContext {
  readonly options: AgentOptions;
  readonly transactions: TransactionLayer;
  readonly transports: TransportLayer;
  readonly locator: Locator;
  readonly dialogs: DialogTable;
  readonly apps: ControlServer;
  readonly bindings: Bindings;
  readonly own: OwnRequests;
  cdr(event: CdrEvent, source: 'network' | 'application', message: SipMessage, detail?: string): void;
  /** Ends a call of our own accord: BYE to the peer, and the same BYE told to the application as unsolicited. */
  hangUp(dialog: Dialog, reason: string): void;
  /** A 2xx to INVITE or UPDATE went by. */
  sessionAgreed(dialog: Dialog, response: SipMessage, isOurRequest: boolean): void;
  /** The ACK that a BYE was waiting for has come, or is not coming. */
  acknowledged(dialog: Dialog): void;
}
