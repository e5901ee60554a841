import type { AppCommand, ControlSession, ProxyCommand } from '../control/control-session.ts';
import { type Dialog, ownRefresh } from '../dialog/dialog.ts';
import { applySessionTimer } from '../dialog/session-timer.ts';
import type { SipMessage } from '../message/message.ts';
import { type CdrEvent, tellCdr, tellUnsolicited } from './app-frames.ts';
import { isSdp } from './app-headers.ts';
import type { AgentContext } from './context.ts';
import { Inbound } from './inbound.ts';
import { Outbound } from './outbound.ts';
import { OwnRequests } from './own-requests.ts';

type Parts = Omit<AgentContext, 'own' | 'cdr' | 'hangUp' | 'sessionAgreed' | 'acknowledged'>;

/** Longer than the owner of a Call-ID waits after glare. */
const refreshRetryMs = 2_100;

/** Joins requests in and requests out, and does what concerns both: hanging up, session timers, lost applications. */
export class Agent implements AgentContext {
  readonly options: AgentContext['options'];
  readonly transactions: AgentContext['transactions'];
  readonly transports: AgentContext['transports'];
  readonly locator: AgentContext['locator'];
  readonly dialogs: AgentContext['dialogs'];
  readonly apps: AgentContext['apps'];
  readonly bindings: AgentContext['bindings'];
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly own: OwnRequests;

  constructor(parts: Parts) {
    this.options = parts.options;
    this.transactions = parts.transactions;
    this.transports = parts.transports;
    this.locator = parts.locator;
    this.dialogs = parts.dialogs;
    this.apps = parts.apps;
    this.bindings = parts.bindings;
    this.inbound = new Inbound(this);
    this.outbound = new Outbound(this);
    this.own = new OwnRequests(this);
  }

  command(session: ControlSession, command: AppCommand): void {
    if (command.message.isRequest) this.outbound.command(session, command);
    else this.inbound.respond(session, command.messageId, command.transactionId, command.message);
  }

  proxy(session: ControlSession, command: ProxyCommand): void {
    session.refuse(command.messageId, 'this server does not proxy');
  }

  cdr(event: CdrEvent, source: 'network' | 'application', message: SipMessage, detail = ''): void {
    const session = this.apps.pick(`cdr:${event}`);
    if (session) tellCdr(session, event, source, message, detail);
  }

  hangUp(dialog: Dialog, reason: string): void {
    if (dialog.isEnded) return;
    const bye = dialog.newRequest('BYE');
    bye.add('reason', reason);
    this.dialogs.remove(dialog);
    this.own.send(dialog, bye, () => undefined);
    tellUnsolicited(dialog.session, bye, dialog.remote.flow, dialog.id);
    this.cdr('stop', 'application', bye, reason.includes('Session timer') ? 'session-expired' : 'ackbye');
  }

  sessionAgreed(dialog: Dialog, response: SipMessage, isOurRequest: boolean): void {
    applySessionTimer(dialog, response, isOurRequest, {
      minSessionSec: this.options.minSessionSec,
      onRefresh: (due) => this.#refresh(due, response),
      onExpired: (due) => this.hangUp(due, 'SIP;cause=200;text="Session timer expired"'),
    });
  }

  acknowledged(dialog: Dialog): void {
    const next = dialog.whenAcknowledged;
    dialog.whenAcknowledged = undefined;
    next?.();
  }

  /** RFC 4028 §7.4: the same offer again, which changes nothing for the media. */
  #refresh(dialog: Dialog, agreed: SipMessage): void {
    if (dialog.isEnded) return;
    if (dialog.outgoingInvite !== '' || dialog.incomingInvite !== '') {
      // Where that one succeeds, the session begins anew by it; where it does not, this is still due.
      this.#refreshLater(dialog, agreed);
      return;
    }
    const invite = dialog.newRequest('INVITE');
    invite.add('contact', dialog.contact);
    invite.add('supported', 'timer');
    const seconds = (agreed.get('session-expires') ?? '').split(';')[0] ?? '';
    invite.add('session-expires', `${seconds};refresher=uac`);
    if (dialog.localSdp) {
      invite.add('content-type', 'application/sdp');
      invite.body = dialog.localSdp;
    }
    dialog.outgoingInvite = ownRefresh;
    this.own.send(dialog, invite, (response, sent) => {
      dialog.outgoingInvite = '';
      if (dialog.isEnded) return;
      if (response.status < 300) {
        dialog.refreshTarget(response.get('contact'));
        this.own.acknowledge(dialog, sent);
        if (isSdp(response)) this.options.onRefreshed?.(dialog, response.bodyText);
        // The peer may leave the header out; the session lasts as agreed all the same.
        if (!response.has('session-expires')) response.add('session-expires', `${seconds};refresher=uac`);
        this.sessionAgreed(dialog, response, true);
      } else if (response.status === 408 || response.status === 481) {
        this.hangUp(dialog, 'SIP;cause=200;text="Session timer expired"');
      } else this.#refreshLater(dialog, agreed);
    });
  }

  /** The call goes on as it was; what keeps it from ending is tried again, after glare as RFC 3261 §14.1 says. */
  #refreshLater(dialog: Dialog, agreed: SipMessage): void {
    const stop = () => clearTimeout(timer);
    const timer = setTimeout(() => {
      // Unless another request has begun the session anew meanwhile.
      if (dialog.cleanups.get('session timer') === stop) this.#refresh(dialog, agreed);
    }, refreshRetryMs);
    dialog.cleanups.set('session timer', stop);
  }

  /** Its calls have nobody who could hang them up: the peers are told, rather than left in silence. */
  sessionClosed(session: ControlSession): void {
    this.inbound.rejectAllOf(session);
    this.outbound.cancelAllOf(session);
    for (const dialog of this.dialogs.ofSession(session)) {
      if (dialog.isConfirmed && dialog.method === 'INVITE')
        this.hangUp(dialog, 'SIP;cause=503;text="Application lost"');
      else if (dialog.role === 'uas') this.dialogs.remove(dialog);
    }
  }
}
