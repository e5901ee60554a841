// Owns: transfers that a phone in a room asks for: whom it names is called into the room, and the phone is told of it.
import { setTimeout as delay } from 'node:timers/promises';
import type { SipConfig } from '#config/schema.ts';
import type { DialOptions } from '#core/call.ts';
import type { CallTransferState } from '#core/call-transfer.ts';
import { withoutPin } from '#core/dispatch.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { SipCall } from '../call.ts';
import { transferredEnd } from '../call-ends.ts';
import type { SipQuestion } from '../dialog.ts';
import type { Headers } from '../srf-shapes.ts';
import { refuse, statusOf } from '../status.ts';
import { type Destination, type DestinationParts, destinationOf } from './destination.ts';
import { ReferReport } from './refer-report.ts';
import { readReferTo } from './refer-words.ts';

export interface PhoneTransfersOptions extends Omit<DestinationParts, 'transfer'> {
  readonly config: SipConfig;
  readonly dial: (options: DialOptions, own: Headers) => Promise<SipCall>;
  readonly sendToRoom: (call: SipCall, uri: string) => Promise<void>;
  readonly log: Logger;
}

/** A phone that was told that it is done hangs up; one that does not is hung up. */
const leaveMs = 5_000;

export class PhoneTransfers {
  readonly #options: PhoneTransfersOptions;
  /** Those that are under way, and the calls that have asked before. */
  readonly #busy = new WeakSet<SipCall>();
  readonly #asked = new WeakSet<SipCall>();

  constructor(options: PhoneTransfersOptions) {
    this.#options = options;
  }

  /** A REFER within a call: answered here. */
  take(call: SipCall, question: SipQuestion): void {
    const { config, log, ...parts } = this.#options;
    const { dialog } = call;
    try {
      if (!dialog || call.info.state !== 'connected') {
        throw new GatewayError('closed', 'Only a phone that is in the room may have others called into it.');
      }
      if (this.#busy.has(call)) throw new GatewayError('conflict', 'A transfer of this call is under way.');
      const target = readReferTo(question.header('refer-to'));
      const destination = destinationOf(target, call, { ...parts, transfer: config.transfer });
      const report = new ReferReport(dialog, question, !this.#asked.has(call));
      this.#asked.add(call);
      this.#busy.add(call);
      void this.#carryOut(call, destination, report).finally(() => this.#busy.delete(call));
    } catch (thrown) {
      const error = toGatewayError(thrown);
      log.warn({ call: call.id, code: error.code, reason: error.message }, 'transfer refused');
      refuse(question, error);
    }
  }

  /** Never rejects. */
  async #carryOut(call: SipCall, destination: Destination, report: ReferReport): Promise<void> {
    const { log } = this.#options;
    const kind = destination.headers.replaces === undefined ? 'blind' : 'attended';
    // A PIN that was dialled along is in no record.
    const shown = withoutPin(destination.to);
    const note = (state: CallTransferState, sipStatus: number, message: string) =>
      call.noteTransfer({ by: 'phone', kind, to: shown, state, sipStatus, message });
    note('trying', 100, 'Being called.');
    report.tell(100, 'Trying');
    const isRoom = destination.isRoom === true;
    const { status, reason } = await (isRoom
      ? this.#send(call, destination.to)
      : this.#call(call, destination, () => {
          note('ringing', 180, 'Ringing.');
          report.tell(180, 'Ringing');
        }));
    const isDone = status < 300;
    note(isDone ? 'done' : 'failed', status, reason);
    report.tell(status, reason);
    log.info({ call: call.id, to: shown, status, reason }, 'transfer ended');
    if (!isDone) return;
    await report.delivered;
    await Promise.race([call.done, delay(leaveMs, undefined, { ref: false })]);
    if (!call.isOver) call.finish(transferredEnd('us', shown));
  }

  async #send(call: SipCall, uri: string): Promise<{ status: number; reason: string }> {
    try {
      await this.#options.sendToRoom(call, uri);
      return { status: 200, reason: 'OK' };
    } catch (thrown) {
      const error = toGatewayError(thrown);
      return { status: statusOf(error), reason: wordsOf(error.message) };
    }
  }

  /** @returns what is told of it: 200, or why not */
  async #call(
    { room, info }: SipCall,
    { to, trunk, headers }: Destination,
    onRinging: () => void,
  ): Promise<{ status: number; reason: string }> {
    const { config, dial } = this.#options;
    const { ringTimeoutMs } = config.transfer;
    try {
      const referredBy = `<sip:${encodeURIComponent(info.account ?? room.name)}@localhost>`;
      const call = await dial(
        { room: room.record.id, to, trunk, ringTimeoutMs },
        { ...headers, 'referred-by': referredBy },
      );
      call.events.on('changed', () => call.info.state === 'ringing' && onRinging());
      await Promise.race([call.settled(ringTimeoutMs), call.done]);
      const { state, end } = call.info;
      if (state === 'connected') return { status: 200, reason: 'OK' };
      if (!end) call.fail(new GatewayError('timeout', 'Nobody answered.'));
      return { status: end?.sipStatus ?? 480, reason: end ? wordsOf(end.message) : 'Nobody answered' };
    } catch (thrown) {
      const error = toGatewayError(thrown);
      return { status: statusOf(error), reason: wordsOf(error.message) };
    }
  }
}

/** For a status line. */
function wordsOf(message: string): string {
  return message.replaceAll(/[\p{C}|]/gu, ' ').slice(0, 120);
}
