import { Dialog } from '../dialog/dialog.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { remoteEndOf } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import { copyOf, flowOf, wayTo } from './way.ts';

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
      this.#context.transactions.sendOutside(fork.newRequest('ACK', fork.localCSeq), forkFlow);
      this.send(fork, fork.newRequest('BYE'), () => undefined);
    });
  }

  /** Sends a request of this server's own in a dialog; the application hears nothing of its responses. */
  send(dialog: Dialog, request: SipMessage, onResponse: (response: SipMessage) => void): void {
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
  acknowledge(dialog: Dialog, cseq: number): void {
    wayTo(this.#context, dialog, (way) => {
      const flow = flowOf(this.#context, way);
      if (!flow) return;
      const bytes = this.#context.transactions.sendOutside(dialog.newRequest('ACK', cseq), flow);
      dialog.lastAck = { cseq, bytes, flow };
    });
  }
}
