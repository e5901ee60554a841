import { PassingMap } from '#core/passing-map.ts';
import type { AppCommand, ControlSession } from '../control/control-session.ts';
import { nextId } from '../control/frames.ts';
import { Dialog, ownRefresh } from '../dialog/dialog.ts';
import { watchSubscription } from '../dialog/subscription.ts';
import { isToken } from '../message/grammar.ts';
import { SipMessage } from '../message/message.ts';
import { parseUri } from '../message/uri.ts';
import { synthesized } from '../transaction/responses.ts';
import { giveUpMs } from '../transaction/timers.ts';
import type { Flow } from '../transport/flow.ts';
import { replySentRequest, tellNetwork } from './app-frames.ts';
import { addAppHeaders, completeContentType, isSdp } from './app-headers.ts';
import { contactFor, remoteEndOf } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { credentialsOf, repeatCredentials } from './invite-credentials.ts';
import { OutgoingRequest, type Way } from './outgoing-request.ts';
import { hopsOf, preloaded } from './preloaded-route.ts';
import { RequestIdentity } from './request-identity.ts';
import { copyOf, flowOf, wayTo } from './way.ts';

/** A request of the application that has no final response, or an INVITE whose further 2xx may still come. */
interface OutboundRequest {
  readonly id: string;
  readonly session: ControlSession;
  readonly method: string;
  readonly outgoing: OutgoingRequest;
  /** Set by the first response that makes one, or by the request. */
  dialog: Dialog | undefined;
  isAnswered: boolean;
  /** A challenge to it has been answered: what comes of that is final. */
  hasShown?: boolean;
}

const withContact = new Set(['INVITE', 'SUBSCRIBE', 'REFER', 'UPDATE']);
const dialogMakers = new Set(['INVITE', 'SUBSCRIBE']);
/** In a dialog the routing and the Contact are the dialog's. */
const notInDialog = new Set(['max-forwards']);

/** Requests of the application to the network, and the answers back. */
export class Outbound {
  readonly #context: AgentContext;
  readonly #requests = new PassingMap<string, OutboundRequest>();

  constructor(context: AgentContext) {
    this.#context = context;
  }

  get pendingCount(): number {
    return this.#requests.size;
  }

  command(session: ControlSession, command: AppCommand): void {
    const { message, messageId, dialogId } = command;
    if (!isToken(message.method)) {
      session.refuse(messageId, 'invalid method');
      return;
    }
    if (message.method === 'CANCEL') {
      this.#cancel(session, command);
      return;
    }
    if (dialogId === '') {
      this.#outside(session, command);
      return;
    }
    const dialog = this.#context.dialogs.byId(dialogId);
    if (!dialog || dialog.session !== session) {
      session.refuse(messageId, 'unable to find dialog for dialog id provided');
      return;
    }
    if (message.method === 'ACK') this.#acknowledge(session, command, dialog);
    else this.#inside(session, command, dialog);
  }

  // ── outside a dialog ────────────────────────────────────────────────────────────────────────────────────────────

  #outside(session: ControlSession, { message, messageId, proxyUri }: AppCommand): void {
    const { locator, transports } = this.#context;
    const uri = parseUri(message.uri);
    const hops = hopsOf(proxyUri);
    const hop = proxyUri === '' ? uri : parseUri(hops[0] ?? '');
    if (!uri || !hop || (hop.scheme !== 'sip' && hop.scheme !== 'sips')) {
      session.refuse(messageId, `invalid request-uri: ${message.method} ${message.uri}`);
      return;
    }
    if (proxyUri === '' && transports.isOwn(hop.host, hop.port)) {
      session.refuse(messageId, 'can not send request to myself');
      return;
    }
    if (message.method === 'ACK') {
      session.refuse(messageId, 'ACK outside a dialog');
      return;
    }
    if (!completeContentType(message)) {
      session.refuse(messageId, 'missing content-type');
      return;
    }
    const identity = new RequestIdentity(message, uri, this.#context.options.product);
    const begin = (way: Way): void => {
      if (!session.isClosed)
        this.#begin(session, messageId, way, (flow) => preloaded(identity.build(flow), hops), undefined);
    };
    const bound = this.#context.bindings.flowFor(hop);
    if (bound) {
      begin({ flow: bound });
      return;
    }
    const now = locator.locateNow(hop);
    if (now) begin({ targets: now });
    else void locator.locate(hop).then((targets) => begin({ targets }));
  }

  // ── inside a dialog ─────────────────────────────────────────────────────────────────────────────────────────────

  #inside(session: ControlSession, { message, messageId }: AppCommand, dialog: Dialog): void {
    const { method } = message;
    if (!completeContentType(message)) {
      session.refuse(messageId, 'missing content-type');
      return;
    }
    if (method === 'PRACK' && !message.has('rack')) {
      session.refuse(messageId, 'PRACK without RAck');
      return;
    }
    if (method === 'BYE') {
      const open = this.#requests.get(dialog.outgoingInvite);
      if (open) open.outgoing.cancel();
      this.#context.cdr('stop', 'application', message, 'normal-release');
    }
    if (method === 'INVITE' && dialog.outgoingInvite === ownRefresh) {
      this.#crossed(session, messageId, message, dialog);
      return;
    }
    const template = dialog.newRequest(method);
    if (isSdp(message) && (method === 'INVITE' || method === 'UPDATE')) dialog.localSdp = message.body;
    const build = (flow: Flow): SipMessage => {
      const request = copyOf(template);
      addAppHeaders(message, request, flow, notInDialog);
      if (withContact.has(method) && !request.has('contact'))
        request.add('contact', dialog.contact || contactFor(flow));
      return request;
    };
    wayTo(this.#context, dialog, (way) => {
      if (session.isClosed) return;
      // RFC 3261 §15: the callee's BYE waits for the ACK of its 2xx.
      const mustWait = method === 'BYE' && dialog.awaitedAck >= 0;
      this.#begin(session, messageId, way, build, dialog, mustWait);
    });
  }

  /** Our session refresh is under way, and two at once are none (RFC 3261 §14.1): as after glare, it comes again. */
  #crossed(session: ControlSession, messageId: string, message: SipMessage, dialog: Dialog): void {
    const unsent = dialog.newRequest(message.method);
    const flow = dialog.remote.flow ?? nowhere;
    const id = nextId('t');
    replySentRequest(session, messageId, unsent, flow, id);
    const answer = synthesized(unsent, 491, 'Request Pending');
    tellNetwork(session, answer, flow, { transactionId: id, dialogId: dialog.id, isOutside: false });
  }

  #begin(
    session: ControlSession,
    messageId: string,
    way: Way,
    build: (flow: Flow) => SipMessage,
    dialog: Dialog | undefined,
    mustWait = false,
  ): void {
    const { transactions, transports, locator, options } = this.#context;
    const id = nextId('t');
    const outgoing = new OutgoingRequest({
      transactions,
      transports,
      locator,
      failoverMs: options.failoverMs,
      maxUdpBytes: options.maxUdpBytes,
      way,
      build,
      onResponse: (response, flow) => this.#receive(record, response, flow),
    });
    if (!outgoing.prepare()) {
      // As drachtio-server has it: the request counts as sent, and what comes back is that nobody was found.
      const unsent = build(nowhere);
      const lost: OutboundRequest = { id, session, method: unsent.method, outgoing, dialog, isAnswered: false };
      replySentRequest(session, messageId, unsent, nowhere, id);
      this.#receive(lost, synthesized(unsent, 503, 'No Route To Destination'), nowhere);
      return;
    }
    const { request, flow } = outgoing;
    if (!request || !flow) return;
    const record: OutboundRequest = { id, session, method: request.method, outgoing, dialog, isAnswered: false };
    this.#requests.set(id, record);
    if (dialog && request.method === 'INVITE') dialog.outgoingInvite = id;
    if (!dialog && request.method === 'INVITE') this.#context.cdr('attempt', 'application', request);
    if (mustWait && dialog) {
      replySentRequest(session, messageId, request, flow, id);
      const send = (): void => outgoing.send();
      dialog.whenAcknowledged = send;
      return;
    }
    outgoing.send();
    replySentRequest(session, messageId, outgoing.request ?? request, outgoing.flow ?? flow, id);
  }

  /** ACK of a 2xx; those of other finals are the transaction's. */
  #acknowledge(session: ControlSession, { message, messageId }: AppCommand, dialog: Dialog): void {
    if (dialog.acceptedCSeq < 0) {
      const reason = 'ACK for non-success final response to INVITE is automatically generated by the server';
      session.refuse(messageId, reason);
      return;
    }
    if (!completeContentType(message)) {
      session.refuse(messageId, 'missing content-type');
      return;
    }
    const ack = dialog.newRequest('ACK', dialog.acceptedCSeq);
    if (isSdp(message)) dialog.localSdp = message.body;
    wayTo(this.#context, dialog, (way) => {
      const flow = flowOf(this.#context, way);
      if (!flow) return session.refuse(messageId, 'unable to find a route to the destination');
      addAppHeaders(message, ack, flow, notInDialog);
      repeatCredentials(dialog.inviteCredentials, ack);
      const bytes = this.#context.transactions.sendOutside(ack, flow);
      dialog.lastAck = { cseq: dialog.acceptedCSeq, bytes, flow };
      replySentRequest(session, messageId, ack, flow, nextId('t'));
      if (dialog.endsAfterAck) {
        this.#context.hangUp(dialog, 'SIP;cause=200;text="ACK-BYE due to cancel race condition"');
      }
    });
  }

  #cancel(session: ControlSession, { message, messageId, transactionId }: AppCommand): void {
    const record = this.#requests.get(transactionId);
    const { request, flow } = record?.outgoing ?? {};
    if (!record || record.session !== session || record.method !== 'INVITE' || !request || !flow) {
      session.refuse(messageId, `unable to cancel unknown transaction id: ${transactionId}`);
      return;
    }
    if (!record.outgoing.cancel(message)) {
      session.refuse(messageId, `unable to cancel unknown transaction id: ${transactionId}`);
      return;
    }
    const cancel = SipMessage.request('CANCEL', request.uri);
    for (const name of ['via', 'from', 'to', 'call-id']) cancel.add(name, request.get(name) ?? '');
    cancel.add('cseq', `${request.cseq?.number ?? 1} CANCEL`);
    replySentRequest(session, messageId, cancel, flow, nextId('t'));
  }

  // ── responses ───────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(record: OutboundRequest, response: SipMessage, flow: Flow): void {
    const { status } = response;
    if (record.isAnswered) {
      if (record.method === 'INVITE' && status >= 200 && status < 300)
        this.#context.own.onStrayResponse(response, flow);
      return;
    }
    // Hop by hop, and no news to an application: drachtio-server keeps it too.
    if (status === 100) return;
    if (record.method === 'PRACK' && this.#isAskedAgain(record, response, flow)) return;
    if (dialogMakers.has(record.method)) this.#followDialog(record, response, flow);
    if (status >= 200) {
      record.isAnswered = true;
      this.#requests.delete(record.id);
      this.#settle(record, response);
    }
    // Drachtio-srf takes no other success of an INVITE, and would leave the call up at the other side.
    if (record.method === 'INVITE' && status > 200 && status < 300) response.status = 200;
    tellNetwork(record.session, response, flow, {
      transactionId: record.id,
      dialogId: record.dialog?.id ?? dialogIdOf(record, response),
      isOutside: false,
    });
    if (status >= 200 && record.session.isClosed && record.dialog) this.#context.hangUp(record.dialog, 'SIP;cause=503');
  }

  /** Drachtio-srf makes PRACKs itself, and does not look at what becomes of them: the call would go on without. */
  #isAskedAgain(record: OutboundRequest, response: SipMessage, flow: Flow): boolean {
    const { dialog, outgoing } = record;
    if (response.status < 300 || record.hasShown || !dialog || !outgoing.request) return false;
    record.hasShown = this.#context.own.answer(dialog, outgoing.request, response, (final) =>
      this.#receive(record, final, flow),
    );
    return record.hasShown;
  }

  /** Creates the dialog, or keeps what the newest answer says of its remote end. */
  #followDialog(record: OutboundRequest, response: SipMessage, flow: Flow): void {
    const { status } = response;
    const { request } = record.outgoing;
    if (status <= 100 || status >= 300 || response.toTag === '' || !request) return;
    const remote = remoteEndOf(response, flow);
    const { dialog } = record;
    if (dialog?.isConfirmed) {
      if (status >= 200) dialog.refreshTarget(response.get('contact'));
    } else if (dialog) {
      dialog.remote = remote ?? { ...dialog.remote, tag: response.toTag, header: response.get('to') ?? '' };
    } else if (remote || status < 200) {
      // A provisional may come without Contact (RFC 3261 §12.1 wants it, peers do not): its own URI must do.
      const end = remote ?? {
        tag: response.toTag,
        header: response.get('to') ?? '',
        target: request.uri,
        routeSet: [],
        flow,
      };
      const created = new Dialog(
        {
          id: `${request.callId};from-tag=${request.fromTag}`,
          role: 'uac',
          method: record.method,
          session: record.session,
          callId: request.callId,
          localTag: request.fromTag,
          localHeader: request.get('from') ?? '',
          localCSeq: request.cseq?.number ?? 0,
        },
        end,
      );
      created.contact = request.get('contact') ?? '';
      if (isSdp(request)) created.localSdp = request.body;
      record.dialog = created;
      this.#context.dialogs.add(created);
    }
    if (record.dialog && record.method === 'INVITE' && !record.dialog.isConfirmed)
      record.dialog.outgoingInvite = record.id;
  }

  /** What a final response changes. */
  #settle(record: OutboundRequest, response: SipMessage): void {
    const { dialog, method, outgoing } = record;
    const { status } = response;
    const isSuccess = status < 300;
    const { request } = outgoing;
    if (!dialog || !request) {
      if (method === 'INVITE') this.#context.cdr('stop', 'network', response, 'call-rejected');
      return;
    }
    if (method === 'INVITE') this.#settleInvite(record, dialog, response, request);
    else if (method === 'BYE') {
      if (status !== 401 && status !== 407) this.#context.dialogs.remove(dialog);
      else this.#awaitSecondBye(dialog);
    } else if (isSuccess) {
      if (method === 'UPDATE') {
        dialog.refreshTarget(response.get('contact'));
        this.#context.sessionAgreed(dialog, response, true);
      }
      if (method === dialog.method) dialog.isConfirmed = true;
      watchSubscription(this.#context.dialogs, dialog, request, response);
    } else if (!dialog.isConfirmed && method === dialog.method) this.#context.dialogs.remove(dialog);
  }

  /** The application answers a challenge by another BYE, where it has a password to show. */
  #awaitSecondBye(dialog: Dialog): void {
    const { dialogs, options } = this.#context;
    const timer = setTimeout(() => dialogs.remove(dialog), giveUpMs(options.timers));
    dialog.cleanups.set('challenged BYE', () => clearTimeout(timer));
  }

  #settleInvite(record: OutboundRequest, dialog: Dialog, response: SipMessage, request: SipMessage): void {
    if (dialog.outgoingInvite === record.id) dialog.outgoingInvite = '';
    if (response.status >= 300) {
      // Its ACK is the transaction's; drachtio-srf asks for one of its own, which would be of the INVITE before.
      dialog.acceptedCSeq = -1;
      if (dialog.isConfirmed) return;
      this.#context.cdr('stop', 'network', response, response.status === 487 ? 'call-canceled' : 'call-rejected');
      this.#context.dialogs.remove(dialog);
      return;
    }
    if (!dialog.isConfirmed) this.#context.cdr('start', 'network', response, 'uac');
    dialog.isConfirmed = true;
    dialog.acceptedCSeq = request.cseq?.number ?? -1;
    dialog.inviteCredentials = credentialsOf(request);
    if (record.outgoing.isCancelled) dialog.endsAfterAck = true;
    this.#context.sessionAgreed(dialog, response, true);
  }

  /** The application is gone: what rings on its behalf stops ringing. */
  cancelAllOf(session: ControlSession): void {
    for (const record of [...this.#requests.values()]) {
      if (record.session === session && record.method === 'INVITE' && !record.dialog?.isConfirmed)
        record.outgoing.cancel();
    }
  }
}

/** Stands where a flow would, for a request that had no way to go. */
const nowhere: Flow = {
  protocol: 'udp',
  remoteAddress: '0.0.0.0',
  remotePort: 0,
  localAddress: '0.0.0.0',
  localPort: 0,
  isReliable: false,
  isOpen: false,
  send: () => undefined,
  whenClosed: () => () => undefined,
};

function dialogIdOf(record: OutboundRequest, response: SipMessage): string {
  return record.method === 'INVITE' || record.method === 'SUBSCRIBE'
    ? `${response.callId};from-tag=${response.fromTag}`
    : '';
}
