import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Call, CallEnd, CallInfo } from '#core/call.ts';
import type { ParkedInfo } from '#core/call-parking.ts';
import type { CallTransferInfo } from '#core/call-transfer.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters, PromptName } from '#core/leg-media.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { RecordedCall } from '#core/recorded-call.ts';
import type { Room } from '#core/room.ts';
import { CallChanges } from './call-changes.ts';
import { callEnds, endOfDialog, factsOf, transferredEnd } from './call-ends.ts';
import { CallEntrance } from './call-entrance.ts';
import { CallFacts, infoOf } from './call-info.ts';
import { CallMedia } from './call-media.ts';
import { carryLeg, listenIn, type Traveller, type Trip } from './call-move.ts';
import type { Admittance, SipCallOptions } from './call-options.ts';
import { CallPresence } from './call-presence.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';
import { pressDigits } from './digits-out.ts';
import { KeyEcho, type KeyWay } from './key-echo.ts';
import type { Undo } from './menu-run.ts';
import type { CallSpeech } from './offer-answer.ts';
import { PeerRequests } from './peer-requests.ts';

const byeWaitMs = 500;

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
  readonly id: string;
  /** Its state, mute or hold has changed; the phone asks to be transferred, which must be answered. */
  readonly events = new EventEmitter<{ changed: []; referred: [question: SipQuestion] }>();
  readonly #options: SipCallOptions;
  readonly #facts: CallFacts;
  readonly #log: Logger;
  readonly #settled = Promise.withResolvers<void>();
  /** Once it is over. */
  #lastInfo: CallInfo | undefined;
  #media: CallMedia | undefined;
  readonly #requests: PeerRequests;
  readonly #changes = new CallChanges(this);
  readonly #echo = new KeyEcho();
  #dialog: SipDialog | undefined;
  readonly #presence: CallPresence;
  readonly #entrance: CallEntrance;
  #limitTimer: NodeJS.Timeout | undefined;
  /** A caller whose ACK has not come hears nothing yet, and is not asked for anything. */
  #isAcknowledged: boolean;

  constructor(options: SipCallOptions) {
    super();
    this.#options = options;
    this.#facts = new CallFacts(options);
    this.id = this.#facts.id;
    this.#isAcknowledged = options.direction === 'outbound';
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
    const parts = { options: this.#options, presence: this.#presence, entrance: this.#entrance, media: this.#media };
    return this.#lastInfo ?? infoOf(this.#facts, { ...parts, isClosed: this.isClosed });
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
    return this.isClosed || this.#facts.end !== undefined;
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
  async prepare(
    remoteAddresses: readonly string[],
    peer: { offer?: string; isWebRtc?: boolean } = {},
  ): Promise<CallSpeech> {
    const { phones, bridges, freeSwitch, pictures, room, settings, language, hasVideo } = this.#options;
    const { offer = '', isWebRtc = false } = peer;
    const media = await CallMedia.open({
      ...{ phones, bridges, freeSwitch, pictures, room, settings, language, hasVideo },
      ...{ remoteAddresses, offer, isWebRtc },
      ...{ call: this, log: this.#log, onLost: (error) => this.fail(error), onGone: () => this.#comeBack() },
    });
    this.#media = media;
    const { leg } = media;
    leg.events.on('dtmfReceived', (digit) => this.#press(digit, 'rtp'));
    leg.events.on('timedOut', () => this.finish(callEnds.silence));
    leg.events.on('closed', () => {
      if (this.isOver) return;
      if (this.room.isClosed) this.finish(callEnds.roomClosed);
      else this.fail(mediaLost());
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
    const isAnswered = this.#dialog !== undefined && this.#isAcknowledged;
    if (leg?.parameters && (isAnswered || this.#options.hasEarlyMedia)) this.#entrance.proceed(leg);
  }

  /** For the entrance: it has to be let in. */
  waits(): void {
    this.#facts.state = 'waiting';
    this.events.emit('changed');
  }

  /** For the entrance: it has chosen. */
  async takeTo(admittance: Admittance, leg: Leg): Promise<void> {
    const { room, language } = admittance;
    this.#presence.choose(admittance);
    if (language) leg.setLanguage(language);
    await this.#options.phones.moveLeg(leg, room);
  }

  /** For the entrance: somebody whom its menu calls is heard before he answers. */
  listenIn(room: Room, leg: Leg): Promise<Undo> {
    return listenIn({ room, leg }, this.#traveller(), this.#options);
  }

  /** For the entrance. */
  wentOn(): void {
    if (!this.isOver) this.events.emit('changed');
  }

  /** For the entrance: it may. */
  goIn(leg: Leg): void {
    this.#presence.enter(leg);
    const dialog = this.#dialog;
    if (!dialog || this.#facts.state === 'connected') return;
    this.#facts.state = 'connected';
    this.#settled.resolve();
    this.events.emit('changed');
    const greeting = this.#entrance.wasKept ? 'joined' : 'welcome';
    this.#presence.attend(dialog, leg, this.#options.direction === 'outbound' ? [] : [greeting]);
  }

  /** To another room, at the same ports: the phone notices nothing. @throws GatewayError `closed`, `room_full`, `media_lost` */
  async moveTo(room: Room): Promise<void> {
    const { dialog, leg } = this.#inRoom();
    if (room === this.room && this.#facts.state === 'connected') return;
    await this.#carry({ room, leg });
    this.#presence.attend(dialog, leg, ['joined']);
  }

  /** Out of the room, to wait with music. @param lot whose mix its leg is in meanwhile @throws GatewayError as `moveTo()` */
  async park(lot: Room, parked: ParkedInfo): Promise<void> {
    const { leg } = this.#inRoom();
    await this.#carry({ room: lot, leg, parked });
    // Until it is fetched or ends.
    void leg.play('hold_music', { isRepeated: true });
  }

  async #carry(trip: Trip): Promise<void> {
    await carryLeg(trip, this.#traveller());
    this.#facts.state = trip.parked ? 'parked' : 'connected';
    this.events.emit('changed');
  }

  #traveller(): Traveller {
    return { call: this, presence: this.#presence, phones: this.#options.phones };
  }

  #inRoom(): Connected {
    const connected = this.#connected();
    if (this.#facts.state === 'connected' || this.#facts.state === 'parked') return connected;
    throw new GatewayError('closed', 'The call is not in a room yet.');
  }

  ringing(): void {
    if (this.#facts.state !== 'dialing') return;
    this.#facts.state = 'ringing';
    this.events.emit('changed');
  }

  /** @param isOfferOpen the ACK is to bring the answer to our offer */
  attach(dialog: SipDialog, { isOfferOpen = false } = {}): void {
    this.#dialog = dialog;
    this.#facts.sipCallId = dialog.callId;
    if (this.#media?.video) this.#media.video.ask = (method, options) => dialog.ask(method, options);
    dialog.events.on('ended', (by, reason) => this.#dialogEnded(by, reason));
    this.#requests.listen(dialog, isOfferOpen);
    dialog.events.once('acknowledged', () => {
      this.#isAcknowledged = true;
      if (this.#media?.isComingBack) this.#comeBack();
      this.#proceed();
    });
    if (this.isClosed) {
      void dialog.bye();
      return;
    }
    this.#facts.answeredAtMs = Date.now();
    if (!this.#entrance.isPastGate) {
      this.#facts.state = 'asking';
      this.events.emit('changed');
    }
    const { maxDurationMs } = this.#options.settings;
    this.#limitTimer = setTimeout(() => this.finish(callEnds.maxDuration, ['goodbye']), maxDurationMs).unref();
    this.#log.info({ from: this.#options.from, to: this.#options.to }, 'call answered');
    this.#proceed();
  }

  /** Who has no answer yet calls again sooner than it could be asked over; who has not acknowledged it is asked after that. */
  #comeBack(): void {
    const dialog = this.#dialog;
    const media = this.#media;
    if (!dialog || !media) this.fail(mediaLost());
    else if (this.#isAcknowledged) {
      this.#changes.comeBack(dialog, media).catch((error: unknown) => this.fail(toGatewayError(error)));
    }
  }

  /**
   * Ends it, once; later reasons are of no account.
   * @param farewell heard before we hang up, where there is somebody to hear it
   */
  finish(end: CallEnd, farewell: readonly PromptName[] = []): void {
    if (this.#facts.end) return;
    this.#facts.end = end;
    void this.#takeLeave(end, farewell);
  }

  fail(error: GatewayError, sipStatus?: number, farewell: readonly PromptName[] = []): void {
    this.finish({ by: 'us', reason: error.code, message: error.message, code: error.code, sipStatus }, farewell);
  }

  async #takeLeave({ by }: CallEnd, farewell: readonly PromptName[]): Promise<void> {
    const reason: CloseReason = by === 'peer' ? 'peer_left' : 'requested';
    const hears = this.#dialog && !this.#dialog.isEnded && this.#entrance.hasPrompts;
    if (hears) await this.#presence.sayFarewell(this.#media?.leg, farewell, reason);
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
    await this.#changes.hold(dialog, media, isHeld);
    this.events.emit('changed');
  }

  async setVideo(hasVideo: boolean): Promise<void> {
    const { dialog, media } = this.#connected();
    await this.#changes.setVideo(dialog, media, hasVideo);
    this.events.emit('changed');
  }

  async sendDtmf(digits: string): Promise<void> {
    const { dialog, leg } = this.#connected();
    await pressDigits(digits, leg, dialog);
  }

  forRecording(): RecordedCall {
    const { leg } = this.#connected();
    const noteRecorded = (isRecorded: boolean, recordingId: string) => {
      this.#facts.noteRecorded(isRecorded, recordingId);
      if (this.isOver) return;
      this.#presence.say(isRecorded ? 'recording_on' : 'recording_off');
      this.events.emit('changed');
    };
    return { id: this.id, displayName: this.#options.displayName, leg, noteRecorded };
  }

  /** It was to be recorded, and is not. */
  noteRecordingFailed(problem: string): void {
    this.#facts.recordingProblem = problem;
    if (!this.isOver) this.events.emit('changed');
  }

  noteTransfer(info: CallTransferInfo): void {
    this.#facts.transfer = info;
    if (!this.isOver) this.events.emit('changed');
  }

  async hangUp(): Promise<void> {
    this.finish(callEnds.byApi);
    await this.done;
  }

  #connected(): Connected {
    const dialog = this.#dialog;
    const media = this.#media;
    if (this.isClosed || this.#facts.end || !dialog || !media) {
      throw new GatewayError('closed', this.#facts.end ? 'The call has ended.' : 'The call is not answered yet.');
    }
    return { dialog, media, leg: media.leg };
  }

  // ── Asked by the peer ────────────────────────────────────────────────────────────────────────────────────────────

  /** An offer of the peer's, before the answer or in the call. */
  offered(question: SipQuestion): Promise<void> {
    return this.#requests.offered(question);
  }

  /** @throws GatewayError as `sayInRoom()` */
  hear(message: SipQuestion): void {
    this.#presence.hear(message);
  }

  referred(question: SipQuestion): void {
    if (!this.events.emit('referred', question)) question.respond(603);
  }

  /** A key, by SIP INFO. */
  pressed(digit: string): void {
    this.#press(digit, 'info');
  }

  #press(digit: string, way: KeyWay): void {
    if (this.#echo.isEcho(digit, way, performance.now())) return;
    if (this.#entrance.press(digit)) return;
    this.#facts.noteDigit(digit);
    this.#presence.tellKey(digit);
  }

  #dialogEnded(by: 'peer' | 'us' | 'server' | 'lost', reason: string): void {
    // In the middle of our goodbye: there is nobody to hear it any more.
    if (this.#facts.end) void this.close('requested');
    else if (by === 'peer' && this.#facts.transfer?.state === 'done')
      this.finish(transferredEnd(by, this.#facts.transfer.to));
    else if (by === 'server' && !this.#isAcknowledged) this.finish(callEnds.noAck);
    else this.finish(endOfDialog(by, reason));
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#limitTimer);
    this.#facts.end ??= callEnds.shutdown;
    this.#facts.endedAtMs = Date.now();
    this.#facts.state = 'ended';
    const said = this.#sayBye(this.#facts.end);
    this.#media?.closePath();
    await Promise.all([
      this.#media?.leg.close(reason),
      this.#presence.close(reason === 'peer_left' ? 'peer_left' : 'requested'),
      said,
    ]);
    this.#settled.resolve();
    this.#lastInfo = this.info;
    this.#log.info(factsOf(this.#lastInfo), 'call ended');
    // It is remembered for a while; what it was made of, whole SIP messages, need not be.
    this.#dialog = this.#media = undefined;
  }

  /** Where the phone has not said it: it gets a moment to answer. */
  async #sayBye({ reason, message }: CallEnd): Promise<void> {
    const dialog = this.#dialog;
    if (!dialog || dialog.isEnded) return;
    const text = message.replaceAll(/[\p{C}"\\]/gu, ' ').slice(0, 120);
    const bye = dialog.bye({ Reason: `SIP;cause=200;text="${reason}: ${text}"` });
    await Promise.race([bye, delay(byeWaitMs)]);
  }
}

function mediaLost(): GatewayError {
  return new GatewayError('media_lost', 'The media of the call was lost.');
}
