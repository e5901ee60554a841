import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Call, type CallEnd, type CallInfo, type CallState, newCallId } from '#core/call.ts';
import type { ParkedInfo } from '#core/call-parking.ts';
import type { CallTransferInfo } from '#core/call-transfer.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters, PromptName } from '#core/leg-media.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { callEnds, endOfDialog, factsOf, transferredEnd } from './call-ends.ts';
import { CallEntrance } from './call-entrance.ts';
import { hold } from './call-hold.ts';
import { CallMedia } from './call-media.ts';
import type { Admittance, SipCallOptions } from './call-options.ts';
import { CallPresence } from './call-presence.ts';
import { partyOf } from './call-texts.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';
import { pressDigits } from './digits-out.ts';
import type { CallSpeech } from './offer-answer.ts';
import { PeerRequests } from './peer-requests.ts';

const maxKeptDigits = 64;
const byeWaitMs = 500;
/** Of what is said before we hang up. */
const maxFarewellMs = 6_000;

interface Connected {
  readonly dialog: SipDialog;
  readonly media: CallMedia;
  readonly leg: Leg;
}

/**
 * One call: a dialog, a leg for its media, and the participant that it is in the room.
 *
 *   dialing | ringing ──answer──> asking ──PIN──> connected ──BYE, kick, time-out …──> ended
 *           │             └──────no PIN needed──────^  │                                 ^
 *           └───────────────────refused, cancelled, failed, no PIN───────────────────────┘
 */
export class SipCall extends Owned implements Call {
  readonly id = newCallId();
  /** Its state, mute or hold has changed; the phone asks to be transferred, which must be answered. */
  readonly events = new EventEmitter<{ changed: []; referred: [question: SipQuestion] }>();
  readonly #options: SipCallOptions;
  readonly #log: Logger;
  readonly #startedAtMs = Date.now();
  readonly #settled = Promise.withResolvers<void>();
  #state: CallState;
  #sipCallId: string | undefined;
  #answeredAtMs: number | undefined;
  #endedAtMs: number | undefined;
  #end: CallEnd | undefined;
  /** Once it is over. */
  #lastInfo: CallInfo | undefined;
  #digits = '';
  #media: CallMedia | undefined;
  readonly #requests: PeerRequests;
  #dialog: SipDialog | undefined;
  readonly #presence: CallPresence;
  readonly #entrance: CallEntrance;
  #transfer: CallTransferInfo | undefined;
  #limitTimer: NodeJS.Timeout | undefined;

  constructor(options: SipCallOptions) {
    super();
    this.#options = options;
    this.#state = options.direction === 'inbound' ? 'ringing' : 'dialing';
    this.#sipCallId = options.sipCallId;
    this.#log = options.log.child({ call: this.id, room: options.room.name, sipCallId: options.sipCallId });
    this.#requests = new PeerRequests(this, this.#log);
    this.#presence = new CallPresence({
      call: options,
      controls: this,
      onGone: (end, farewell) => this.finish(end, farewell),
      log: this.#log,
    });
    this.#entrance = new CallEntrance(this, options, this.#log);
  }

  get info(): CallInfo {
    if (this.#lastInfo) return this.#lastInfo;
    const { direction, from, to, displayName, trunk, account, diversions } = this.#options;
    const { participantId, parked } = this.#presence;
    // In a menu it is in no room yet.
    const room = this.#entrance.isChoosing ? undefined : this.#presence.room;
    const media = this.#media;
    const leg = media?.leg;
    return {
      ...{ id: this.id, direction, state: this.#state, from, to, displayName },
      ...{ roomId: room?.id, roomName: room?.name },
      sipCallId: this.#sipCallId,
      trunk: trunk && { id: trunk.id, name: trunk.name },
      account: account?.username,
      diversions,
      participantId,
      startedAtMs: this.#startedAtMs,
      answeredAtMs: this.#answeredAtMs,
      endedAtMs: this.#endedAtMs,
      end: this.#end,
      isMuted: this.isMuted,
      isHeld: leg?.isHeld ?? false,
      gainDb: this.gainDb,
      isHeldByPeer: !this.isClosed && (media?.isHeldByPeer ?? false),
      isEncrypted: media?.isEncrypted ?? false,
      codec: media?.codec,
      mediaServer: media?.server,
      digits: this.#digits,
      stats: leg?.stats,
      video: media?.video?.info,
      transfer: this.#transfer,
      parked,
      menu: this.#entrance.steps,
    };
  }

  /** Its leg and what is said of it; undefined until there is one. */
  get media(): CallMedia | undefined {
    return this.#media;
  }

  /** Once it is answered. */
  get dialog(): SipDialog | undefined {
    return this.#dialog;
  }

  get room(): SipCallOptions['room'] {
    return this.#presence.room;
  }

  /** Where its INVITE came from. */
  get sourceAddress(): string | undefined {
    return this.#options.sourceAddress;
  }

  /** No PIN is asked for, or it was typed, and nobody keeps it waiting. */
  get mayEnter(): boolean {
    return this.#entrance.isPastGate && !this.#options.mustWait;
  }

  get isMuted(): boolean {
    return this.#media?.leg.isMuted ?? false;
  }

  get gainDb(): number {
    return this.#media?.leg.gainDb ?? 0;
  }

  get isOver(): boolean {
    return this.isClosed || this.#end !== undefined;
  }

  get isInRoom(): boolean {
    return this.#presence.isInRoom;
  }

  async settled(timeoutMs: number): Promise<void> {
    await Promise.race([this.#settled.promise, delay(timeoutMs, undefined, { ref: false })]);
  }

  // ── Coming about ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Ports and a place in the room's mix.
   * @param peer its offer, or whether we are to offer it ICE and DTLS
   * @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed`, `invalid_sdp`
   */
  async prepare(remoteAddress: string, peer: { offer?: string; isWebRtc?: boolean } = {}): Promise<CallSpeech> {
    const { phones, bridges, freeSwitch, pictures, room, settings, language, hasVideo } = this.#options;
    const { offer = '', isWebRtc = false } = peer;
    const media = await CallMedia.open({
      ...{ phones, bridges, freeSwitch, pictures, room, settings, language, hasVideo },
      ...{ remoteAddress, offer, isWebRtc },
      ...{ signal: this.signal, log: this.#log, onLost: (error) => this.fail(error) },
    });
    this.#media = media;
    const { leg } = media;
    leg.events.on('dtmfReceived', (digit) => this.pressed(digit));
    leg.events.on('timedOut', () => this.finish(callEnds.silence));
    leg.events.on('closed', () => {
      if (this.room.isClosed) this.finish(callEnds.roomClosed);
      else this.fail(new GatewayError('media_lost', 'The media of the call was lost.'));
    });
    return media.speech;
  }

  /** Takes its place in the room. @throws GatewayError `room_full`, `forbidden`, `closed` */
  join(): void {
    if (this.isClosed) throw new GatewayError('closed', 'The call has ended.');
    this.#presence.join();
  }

  /** What was agreed holds from now on; the room is heard as soon as the call may be in it. */
  speak(parameters: LegParameters): void {
    if (this.isOver) return;
    this.#media?.negotiate(parameters).catch((error: unknown) => this.fail(toGatewayError(error)));
    this.#proceed();
  }

  /** Before the answer only where that was asked for, and past the gate. */
  #proceed(): void {
    const leg = this.#media?.leg;
    if (leg?.parameters && (this.#dialog || this.#options.hasEarlyMedia)) this.#entrance.proceed(leg);
  }

  /** For the entrance: it has to be let in. */
  waits(): void {
    this.#state = 'waiting';
    this.events.emit('changed');
  }

  /** For the entrance: it has chosen. */
  async takeTo({ room, language, hasPrompts }: Admittance, leg: Leg): Promise<void> {
    this.#presence.choose(room, hasPrompts);
    if (language) leg.setLanguage(language);
    await this.#options.phones.moveLeg(leg, room);
  }

  /** For the entrance. */
  wentOn(): void {
    if (!this.isOver) this.events.emit('changed');
  }

  /** For the entrance: it may. */
  goIn(leg: Leg): void {
    this.#presence.enter(leg);
    const dialog = this.#dialog;
    if (!dialog || this.#state === 'connected') return;
    this.#state = 'connected';
    this.#settled.resolve();
    this.events.emit('changed');
    const greeting = this.#entrance.wasKept ? 'joined' : 'welcome';
    this.#presence.attend(dialog, leg, this.#options.direction === 'outbound' ? [] : [greeting]);
  }

  /** To another room, at the same ports: the phone notices nothing. @throws GatewayError `closed`, `room_full`, `media_lost` */
  async moveTo(room: Room): Promise<void> {
    const { dialog, leg } = this.#inRoom();
    if (room === this.room && this.#state === 'connected') return;
    await this.#carry(room, leg);
    this.#presence.attend(dialog, leg, ['joined']);
  }

  /** Out of the room, to wait with music. @param lot whose mix its leg is in meanwhile @throws GatewayError as `moveTo()` */
  async park(lot: Room, parked: ParkedInfo): Promise<void> {
    const { leg } = this.#inRoom();
    await this.#carry(lot, leg, parked);
    // Until it is fetched or ends.
    void leg.play('hold_music', { isRepeated: true });
  }

  async #carry(room: Room, leg: Leg, parked?: ParkedInfo): Promise<void> {
    const carry = async () => {
      try {
        await this.#options.phones.moveLeg(leg, room);
      } catch (error) {
        // It has left where it was, and is nowhere now.
        this.fail(toGatewayError(error));
        throw error;
      }
    };
    await this.#presence.moveTo(room, { leg, parked, carry });
    if (this.isOver) throw new GatewayError('closed', 'The call has ended.');
    this.#state = parked ? 'parked' : 'connected';
    this.events.emit('changed');
  }

  #inRoom(): Connected {
    const connected = this.#connected();
    if (this.#state === 'connected' || this.#state === 'parked') return connected;
    throw new GatewayError('closed', 'The call is not in a room yet.');
  }

  ringing(): void {
    if (this.#state !== 'dialing') return;
    this.#state = 'ringing';
    this.events.emit('changed');
  }

  /** @param isOfferOpen the ACK is to bring the answer to our offer */
  attach(dialog: SipDialog, { isOfferOpen = false } = {}): void {
    this.#dialog = dialog;
    this.#sipCallId = dialog.callId;
    if (this.#media?.video) this.#media.video.ask = (method, options) => dialog.ask(method, options);
    dialog.events.on('ended', (by, reason) => this.#dialogEnded(by, reason));
    this.#requests.listen(dialog, isOfferOpen);
    if (this.isClosed) {
      void dialog.bye();
      return;
    }
    this.#answeredAtMs = Date.now();
    if (!this.#entrance.isPastGate) {
      this.#state = 'asking';
      this.events.emit('changed');
    }
    const { maxDurationMs } = this.#options.settings;
    this.#limitTimer = setTimeout(() => this.finish(callEnds.maxDuration, ['goodbye']), maxDurationMs).unref();
    this.#log.info({ from: this.#options.from, to: this.#options.to }, 'call answered');
    this.#proceed();
  }

  /**
   * Ends it, once; later reasons are of no account.
   * @param farewell heard before we hang up, where there is somebody to hear it
   */
  finish(end: CallEnd, farewell: readonly PromptName[] = []): void {
    if (this.#end) return;
    this.#end = end;
    void this.#takeLeave(end, farewell);
  }

  fail(error: GatewayError, sipStatus?: number, farewell: readonly PromptName[] = []): void {
    this.finish({ by: 'us', reason: error.code, message: error.message, code: error.code, sipStatus }, farewell);
  }

  async #takeLeave({ by }: CallEnd, farewell: readonly PromptName[]): Promise<void> {
    const reason: CloseReason = by === 'peer' ? 'peer_left' : 'requested';
    const leg = this.#media?.leg;
    const isHeard = this.#dialog && !this.#dialog.isEnded && leg?.parameters && !leg.isClosed;
    if (isHeard && this.#entrance.hasPrompts && farewell.length > 0) {
      void this.#presence.close(reason);
      leg.leave();
      await Promise.race([leg.play(farewell), delay(maxFarewellMs, undefined, { ref: false })]);
    }
    await this.close(reason);
  }

  // ── Asked by the API ─────────────────────────────────────────────────────────────────────────────────────────────

  setMuted(isMuted: boolean): void {
    const { leg } = this.#connected();
    if (leg.isMuted === isMuted) return;
    leg.setMuted(isMuted);
    this.events.emit('changed');
    this.#presence.say(isMuted ? 'muted' : 'unmuted');
  }

  setVideoMuted(isMuted: boolean): void {
    const { video } = this.#connected().media;
    if (!video?.info) throw new GatewayError('unprocessable', 'This call has no video.');
    video.setMuted(isMuted);
    this.events.emit('changed');
  }

  setGain(gainDb: number): void {
    this.#connected().leg.setGain(gainDb);
  }

  async setHeld(isHeld: boolean): Promise<void> {
    const { dialog, leg, media } = this.#connected();
    if (leg.isHeld === isHeld) return;
    this.speak(await hold(dialog, media, isHeld));
    this.events.emit('changed');
  }

  async sendDtmf(digits: string): Promise<void> {
    const { dialog, leg } = this.#connected();
    await pressDigits(digits, leg, dialog);
  }

  noteTransfer(info: CallTransferInfo): void {
    this.#transfer = info;
    if (!this.isOver) this.events.emit('changed');
  }

  async hangUp(): Promise<void> {
    this.finish(callEnds.byApi);
    await this.done;
  }

  #connected(): Connected {
    const dialog = this.#dialog;
    const media = this.#media;
    if (this.isClosed || this.#end || !dialog || !media) {
      throw new GatewayError('closed', this.#end ? 'The call has ended.' : 'The call is not answered yet.');
    }
    return { dialog, media, leg: media.leg };
  }

  // ── Asked by the peer ────────────────────────────────────────────────────────────────────────────────────────────

  /** An offer of the peer's, before the answer or in the call. */
  offered(question: SipQuestion): Promise<void> {
    return this.#requests.offered(question);
  }

  /** Whether a request outside of its dialog can be taken for this phone's. */
  isFrom(uri: string, address: string): boolean {
    const { from, direction, sourceAddress } = this.#options;
    const isSame = partyOf(from) !== '' && partyOf(from) === partyOf(uri);
    return direction === 'inbound' && this.#state === 'connected' && isSame && sourceAddress === address;
  }

  /** @throws GatewayError as `sayInRoom()` */
  hear(message: SipQuestion): void {
    this.#presence.hear(message);
  }

  referred(question: SipQuestion): void {
    if (!this.events.emit('referred', question)) question.respond(603);
  }

  /** A key, by RTP or by SIP INFO. */
  pressed(digit: string): void {
    if (this.#entrance.press(digit)) return;
    this.#digits = (this.#digits + digit).slice(-maxKeptDigits);
    this.#presence.tellKey(digit);
  }

  #dialogEnded(by: 'peer' | 'us' | 'server' | 'lost', reason: string): void {
    // In the middle of our goodbye: there is nobody to hear it any more.
    if (this.#end) void this.close('requested');
    else if (by === 'peer' && this.#transfer?.state === 'done') this.finish(transferredEnd(by, this.#transfer.to));
    else this.finish(endOfDialog(by, reason));
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#limitTimer);
    this.#end ??= callEnds.shutdown;
    this.#endedAtMs = Date.now();
    const { reason: why, message } = this.#end;
    this.#state = 'ended';
    const text = message.replaceAll(/[\p{C}"\\]/gu, ' ');
    const bye = this.#dialog?.bye({ Reason: `SIP;cause=200;text="${why}: ${text.slice(0, 120)}"` });
    this.#media?.closePath();
    await Promise.all([
      this.#media?.leg.close(reason),
      this.#presence.close(reason === 'peer_left' ? 'peer_left' : 'requested'),
      bye && Promise.race([bye, delay(byeWaitMs)]),
    ]);
    this.#settled.resolve();
    this.#lastInfo = this.info;
    this.#log.info(factsOf(this.#lastInfo), 'call ended');
    // It is remembered for a while; what it was made of, whole SIP messages, need not be.
    this.#dialog = this.#media = undefined;
  }
}
