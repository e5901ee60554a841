// Owns: transfers that the API asks for: the phone is asked to call somebody else, and leaves the room once it does.
import { setTimeout as delay } from 'node:timers/promises';
import type { SipConfig } from '#config/schema.ts';
import type { CallTransferState, CallTransferTarget } from '#core/call-transfer.ts';
import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { SipCall } from '../call.ts';
import { transferredEnd } from '../call-ends.ts';
import type { PhoneBook } from '../dial-plan.ts';
import { assertDialable } from '../dial-request.ts';
import type { SipDialog } from '../dialog.ts';
import type { TrunkLines } from '../trunks/trunk-lines.ts';
import { type ReferralOptions, type ReferralProgress, refer } from './referral.ts';

export interface ApiTransfersOptions {
  readonly config: SipConfig;
  readonly phones: PhoneBook;
  readonly lines: Pick<TrunkLines, 'find'>;
  readonly find: (id: string) => SipCall | undefined;
  readonly log: Logger;
}

type Way = Pick<ReferralOptions, 'uri' | 'replaces'> & { readonly shown: string };

export class ApiTransfers {
  readonly #options: ApiTransfersOptions;
  readonly #busy = new WeakSet<SipCall>();

  constructor(options: ApiTransfersOptions) {
    this.#options = options;
  }

  /**
   * @returns when it is known what came of it, or after `waitMs`
   * @throws GatewayError `closed`, `conflict`, `not_found`, `invalid_request`, `unprocessable`
   */
  async begin(call: SipCall, target: CallTransferTarget, waitMs: number): Promise<void> {
    const dialog = answered(call, 'The call');
    if (this.#busy.has(call)) throw new GatewayError('conflict', 'A transfer of this call is under way.');
    const way = target.kind === 'blind' ? this.#wayTo(target.to, call) : this.#wayToCall(target.with, call);
    this.#busy.add(call);
    const done = this.#carryOut(call, dialog, target.kind, way).finally(() => this.#busy.delete(call));
    await Promise.race([done, delay(waitMs, undefined, { ref: false })]);
  }

  /** Never rejects. */
  async #carryOut(call: SipCall, dialog: SipDialog, kind: CallTransferTarget['kind'], way: Way): Promise<void> {
    const { config, log } = this.#options;
    const { uri, replaces, shown } = way;
    const note = (progress: ReferralProgress) => call.noteTransfer({ by: 'api', kind, to: shown, ...progress });
    const begun: CallTransferState = 'trying';
    note({ state: begun, sipStatus: undefined, message: 'The phone is asked to call.' });
    const timeoutMs = config.transfer.ringTimeoutMs;
    const outcome = await refer({ dialog, uri, replaces, timeoutMs, onProgress: note });
    note(outcome);
    log.info({ call: call.id, to: shown, ...outcome }, 'transfer ended');
    if (outcome.state === 'done') call.finish(transferredEnd('us', shown));
    await (call.isOver ? call.done : undefined);
  }

  #wayTo(to: string, call: SipCall): Way {
    const { phones, lines } = this.#options;
    const account = phones.accounts.find(to);
    if (account) {
      const [phone] = phones.phonesOf(account.id);
      if (phone) return { uri: phone.uri, shown: account.username };
      throw new GatewayError('unprocessable', `No phone of the account "${account.username}" is registered now.`);
    }
    const { trunk } = call.info;
    const outbound = trunk && lines.find(trunk.id)?.trunk.outbound;
    if (outbound && /^\+?[\d().\s-]{2,32}$/.test(to)) {
      const domain = outbound.domain ?? outbound.hosts[0] ?? '';
      return { uri: `sip:${dialledOf(`tel:${to}`)}@${domain}`, shown: to };
    }
    assertDialable(to);
    return { uri: to, shown: to };
  }

  #wayToCall(id: string, call: SipCall): Way {
    const other = this.#options.find(id);
    if (!other || other === call) throw new GatewayError('not_found', 'There is no such other call.');
    const { callId, localTag: fromTag, remoteTag: toTag, remoteUri } = answered(other, 'The other call');
    const { direction, from, to } = other.info;
    return { uri: remoteUri, replaces: { callId, toTag, fromTag }, shown: direction === 'inbound' ? from : to };
  }
}

/** @throws GatewayError `closed` */
function answered(call: SipCall, what: string): SipDialog {
  const { dialog } = call;
  if (!dialog || call.isOver) throw new GatewayError('closed', `${what} is not answered yet, or over.`);
  return dialog;
}
