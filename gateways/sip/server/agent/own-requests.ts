import { Dialog } from '../dialog/dialog.ts';
import type { SipMessage } from '../message/message.ts';
import type { ChallengeAnswer } from '../options.ts';
import type { Flow } from '../transport/flow.ts';
import { remoteEndOf } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { credentialsOf, repeatCredentials } from './invite-credentials.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import { copyOf, flowOf, wayTo } from './way.ts';

/** Of one request. */
const maxChallenges = 3;

/** What this server sends of its own accord, of which no application hears: refreshes, ACK and BYE of calls nobody wants. */
export class OwnRequests {
  readonly #context: AgentContext;

  constructor(context: AgentContext) {
    this.#context = context;
  }

  /**
   * A 2xx to an INVITE that had its answer: the same again is acknowledged again, one of another fork is acknowledged
   * and hung up, since drachtio-srf takes only the first (RFC 3261 §13.2.2.4).
   */
  onStrayResponse(response: SipMessage, flow: Flow): void {
    const dialog = this.#context.dialogs.byTag(response.callId, response.fromTag);
    if (!dialog || dialog.remote.tag === response.toTag) {
      const { lastAck } = dialog ?? {};
      if (lastAck && lastAck.cseq === response.cseq?.number) {
        this.#context.transactions.send(lastAck.flow, lastAck.bytes, undefined);
      }
      return;
    }
    const remote = remoteEndOf(response, flow);
    if (!remote) return;
    const fork = new Dialog(
      {
        id: `${dialog.id};fork=${remote.tag}`,
        role: 'uac',
        method: 'INVITE',
        session: dialog.session,
        callId: dialog.callId,
        localTag: dialog.localTag,
        localHeader: dialog.localHeader,
        localCSeq: response.cseq?.number ?? 1,
      },
      remote,
    );
    wayTo(this.#context, fork, (way) => {
      const forkFlow = flowOf(this.#context, way);
      if (!forkFlow) return;
      const ack = repeatCredentials(dialog.inviteCredentials, fork.newRequest('ACK', fork.localCSeq));
      this.#context.transactions.sendOutside(ack, forkFlow);
      this.send(fork, fork.newRequest('BYE'), () => undefined);
    });
  }

  /**
   * Sends a request of this server's own in a dialog, and again with the call's password where it is asked for one, by a
   * proxy and by who is behind it; the application hears nothing of its responses.
   * @param onResponse gets the final response, and the request that it is to
   */
  send(dialog: Dialog, request: SipMessage, onResponse: (response: SipMessage, request: SipMessage) => void): void {
    // A BYE is the last of its call: once it is answered nobody knows the password any more.
    const authority = this.#context.options.authorityOf?.(dialog);
    const ask = (asked: SipMessage, answered: number): void =>
      this.#transmit(dialog, asked, (response) => {
        const again = answered < maxChallenges ? withPassword(dialog, asked, response, authority) : undefined;
        if (again) ask(again, answered + 1);
        else onResponse(response, asked);
      });
    ask(request, 0);
  }

  /**
   * The same for a challenge to a request of the application's.
   * @returns false where it is none, or none that can be answered
   */
  answer(
    dialog: Dialog,
    request: SipMessage,
    challenge: SipMessage,
    onResponse: (response: SipMessage, request: SipMessage) => void,
  ): boolean {
    const again = withPassword(dialog, request, challenge, this.#context.options.authorityOf?.(dialog));
    // It has been on its way, and has a Via of its own: a response with that one as well would be for somebody else.
    if (again) this.send(dialog, again.remove('via'), onResponse);
    return again !== undefined;
  }

  #transmit(dialog: Dialog, request: SipMessage, onResponse: (response: SipMessage) => void): void {
    const { transactions, transports, locator, options } = this.#context;
    wayTo(this.#context, dialog, (way) => {
      const outgoing = new OutgoingRequest({
        transactions,
        transports,
        locator,
        failoverMs: options.failoverMs,
        maxUdpBytes: 0,
        way,
        build: () => copyOf(request),
        onResponse: (response) => {
          if (response.status >= 200) onResponse(response);
        },
      });
      if (outgoing.prepare()) outgoing.send();
    });
  }

  /** ACK of a re-INVITE that this server made. */
  acknowledge(dialog: Dialog, invite: SipMessage): void {
    const cseq = invite.cseq?.number ?? dialog.localCSeq;
    wayTo(this.#context, dialog, (way) => {
      const flow = flowOf(this.#context, way);
      if (!flow) return;
      const ack = repeatCredentials(credentialsOf(invite), dialog.newRequest('ACK', cseq));
      const bytes = this.#context.transactions.sendOutside(ack, flow);
      dialog.lastAck = { cseq, bytes, flow };
    });
  }
}

/** The same request again, the next in its dialog, with what its challenge asks for. */
function withPassword(
  dialog: Dialog,
  request: SipMessage,
  response: SipMessage,
  authority: ChallengeAnswer | undefined,
): SipMessage | undefined {
  const { status } = response;
  const { method, uri } = request;
  if ((status !== 401 && status !== 407) || (dialog.isEnded && method !== 'BYE')) return undefined;
  // Challenges may be lines of their own, one for each algorithm.
  const header = (name: string): string => response.all(name).join(',');
  const shown = authority?.({ status, header }, { method, uri, body: request.bodyText }, (name) => request.has(name));
  if (!shown) return undefined;
  const again = copyOf(request).set('cseq', `${++dialog.localCSeq} ${method}`);
  return again.set(shown.name, shown.value);
}
