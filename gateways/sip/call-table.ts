// Owns: the calls that are on and the last that were; how a call begins, and the record that it leaves.
import { EventEmitter } from 'node:events';
import type { SipConfig } from '#config/schema.ts';
import type { CallEvents, CallInfo } from '#core/call.ts';
import type { CallRecords } from '#core/call-records.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import { PassingMap } from '#core/passing-map.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger, PhonePort } from '#core/ports.ts';
import type { RecordCall } from '#core/recorded-call.ts';
import { phoneCodecsIn } from '#core/room-media.ts';
import type { TrunkMedia } from '#core/trunk.ts';
import { SipCall } from './call.ts';
import { callEnds } from './call-ends.ts';
import type { SipCallOptions } from './call-options.ts';
import { recordOnceIn } from './call-recorder.ts';
import type { CallPictures } from './call-video.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';
import { PastCall } from './past-call.ts';

const maxPastCalls = 500;

export interface CallTableOptions {
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  readonly freeSwitch: SipCallOptions['freeSwitch'];
  readonly pictures?: CallPictures | undefined;
  readonly records: CallRecords;
  /** Whether this machine takes anybody. */
  readonly meetings: Pick<Meetings, 'assertTakesPeople'>;
  readonly config: SipConfig;
  readonly recordCall: RecordCall;
  /** A phone in a call asks for a transfer: to be answered. */
  readonly onReferred: (call: SipCall, question: SipQuestion) => void;
  readonly log: Logger;
}

export type NewCall = Omit<SipCallOptions, 'phones' | 'bridges' | 'freeSwitch' | 'pictures' | 'settings' | 'log'>;

export class CallTable extends Owned {
  readonly events = new EventEmitter<CallEvents>();
  readonly #options: CallTableOptions;
  readonly #live = new PassingMap<string, SipCall>();
  readonly #past: PastCall[] = [];
  #isDraining = false;

  constructor(options: CallTableOptions) {
    super();
    this.#options = options;
  }

  get live(): Iterable<SipCall> {
    return this.#live.values();
  }

  /** Those that are on and the last that were, oldest first. */
  of(room: RoomId): readonly (SipCall | PastCall)[] {
    const known = [...this.#past, ...this.#live.values()].filter(({ info }) => info.roomId === room);
    return known.sort((a, b) => a.info.startedAtMs - b.info.startedAtMs);
  }

  find(id: string): SipCall | undefined {
    return this.#live.get(id);
  }

  /** The call of a dialog, which the other end names by its own tag last. */
  ofDialog({ callId, localTag, remoteTag }: Pick<SipDialog, 'callId' | 'localTag' | 'remoteTag'>): SipCall | undefined {
    for (const call of this.#live.values()) {
      const { dialog } = call;
      if (dialog?.callId === callId && dialog.localTag === localTag && dialog.remoteTag === remoteTag) return call;
    }
    return undefined;
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** Also those that are in no room: at the PIN, in a menu, ringing. */
  evict(): void {
    for (const call of [...this.#live.values()]) call.finish(callEnds.drained);
  }

  /** @throws GatewayError `draining`, `overloaded` */
  assertRoomForCalls(): void {
    const problem = this.problemOfNew();
    if (problem) throw problem;
  }

  /** Why no new call is taken, whoever's it is; undefined where one is. */
  problemOfNew(): GatewayError | undefined {
    if (this.#isDraining || this.isClosed) {
      return new GatewayError('draining', 'This gateway takes no new calls.', { retryAfterMs: 5_000 });
    }
    if (this.#live.size >= this.#options.config.maxCalls) {
      return new GatewayError('overloaded', `There are ${this.#live.size} calls, the most that sip.maxCalls allows.`);
    }
    try {
      this.#options.meetings.assertTakesPeople();
      return undefined;
    } catch (thrown) {
      return toGatewayError(thrown);
    }
  }

  /** @throws GatewayError `draining`, `overloaded`, `no_common_codec` (with what the room takes and gives) */
  begin(options: NewCall, media: TrunkMedia = {}): SipCall {
    this.assertRoomForCalls();
    const { phones, bridges, freeSwitch, pictures, config, log } = this.#options;
    const { server = config.media, srtp = config.srtp, codecs = config.codecs } = media;
    const { maxDurationMs, keys, menus, video } = config;
    const spoken = phoneCodecsIn(options.room.record, codecs);
    const call = this.own(
      new SipCall({
        ...{ ...options, phones, bridges, freeSwitch, pictures, log },
        settings: { server, srtp, codecs: spoken, maxDurationMs, keys, maxMenuMs: menus.maxDurationMs, video },
      }),
    );
    this.#live.set(call.id, call);
    this.events.emit('started', call.info);
    const { onReferred, recordCall } = this.#options;
    call.events.on('referred', (question) => onReferred(call, question));
    if (options.record) recordOnceIn(call, options.record, { recordCall, log });
    call.events.on('changed', () => this.events.emit('updated', call.info));
    void call.done.then(() => {
      this.#live.delete(call.id);
      const { info } = call;
      this.record(info);
      this.#past.push(new PastCall(info));
      if (this.#past.length > maxPastCalls) this.#past.shift();
    });
    return call;
  }

  /** Of one that has ended, or never began. */
  record(info: CallInfo): void {
    this.#options.records.add(info);
    this.events.emit('ended', info);
  }

  protected override onClose(_reason: CloseReason): void {
    this.#live.clear();
  }
}
