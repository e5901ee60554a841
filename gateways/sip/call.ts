import { setTimeout as delay } from 'node:timers/promises';
import { type Call, type CallEnd, type CallInfo, type CallState, newCallId } from '#core/call.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Participant } from '#core/participant.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger, PhonePort } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';
import { digitsOf } from './info-digits.ts';
import { OfferAnswer, type OfferAnswerOptions, offeredToWebRtc } from './offer-answer.ts';
import { refuse, refusedBy } from './status.ts';
import { bridgedFormats, offeredByWebRtc } from './webrtc-lines.ts';
import { WebRtcPath } from './webrtc-path.ts';

export interface CallSettings {
  readonly srtp: OfferAnswerOptions['srtp'];
  readonly codecs: NonNullable<OfferAnswerOptions['codecs']>;
  readonly maxDurationMs: number;
}

export interface SipCallOptions {
  readonly direction: 'inbound' | 'outbound';
  readonly room: Room;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  readonly settings: CallSettings;
  readonly from: string;
  readonly to: string;
  /** Of the participant that it becomes. */
  readonly displayName: string;
  readonly user: string;
  readonly sipCallId?: string | undefined;
  readonly log: Logger;
}

const maxKeptDigits = 64;
const byeWaitMs = 500;
const kicked: CallEnd = { by: 'us', reason: 'kicked', message: 'A moderator removed the phone.' };
const roomClosed: CallEnd = { by: 'us', reason: 'room_closed', message: 'The room has closed.' };

/**
 * One call: a dialog, a leg for its media, and the participant that it is in the room.
 *
 *   dialing | ringing ──answer──> connected ──BYE, kick, time-out …──> ended
 *           └──────────refused, cancelled, failed─────────────────────────┘
 */
export class SipCall extends Owned implements Call {
  readonly id = newCallId();
  readonly #options: SipCallOptions;
  readonly #log: Logger;
  readonly #startedAtMs = Date.now();
  readonly #settled = Promise.withResolvers<void>();
  #state: CallState;
  #sipCallId: string | undefined;
  #answeredAtMs: number | undefined;
  #endedAtMs: number | undefined;
  #end: CallEnd | undefined;
  #digits = '';
  #leg: Leg | undefined;
  #speech: OfferAnswer | undefined;
  #path: WebRtcPath | undefined;
  #dialog: SipDialog | undefined;
  #participant: Participant | undefined;
  #isOfferOpen = false;
  #limitTimer: NodeJS.Timeout | undefined;

  constructor(options: SipCallOptions) {
    super();
    this.#options = options;
    this.#state = options.direction === 'inbound' ? 'ringing' : 'dialing';
    this.#sipCallId = options.sipCallId;
    this.#log = options.log.child({ call: this.id, room: options.room.name, sipCallId: options.sipCallId });
  }

  get info(): CallInfo {
    const { direction, room, from, to, displayName } = this.#options;
    const leg = this.#leg;
    const parameters = leg?.parameters;
    return {
      ...{ id: this.id, direction, state: this.#state, roomId: room.id, from, to, displayName },
      sipCallId: this.#sipCallId,
      participantId: this.#participant?.id,
      startedAtMs: this.#startedAtMs,
      answeredAtMs: this.#answeredAtMs,
      endedAtMs: this.#endedAtMs,
      end: this.#end,
      isMuted: leg?.isMuted ?? false,
      isHeld: leg?.isHeld ?? false,
      isHeldByPeer: !this.isClosed && parameters !== undefined && !/^send/.test(parameters.direction),
      isEncrypted: parameters?.srtp !== undefined || this.#path !== undefined,
      codec: leg?.stats?.codec ?? parameters?.send.codec,
      digits: this.#digits,
      stats: leg?.stats,
    };
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
  async prepare(remoteAddress: string, peer: { offer?: string; isWebRtc?: boolean } = {}): Promise<OfferAnswer> {
    const { phones, room, settings } = this.#options;
    const { offer = '', isWebRtc = false } = peer;
    const { codecs } = settings;
    const spoken = offer !== '' ? offeredByWebRtc(offer, codecs) : isWebRtc ? offeredToWebRtc(codecs) : undefined;
    const address = phones.addressFor(remoteAddress);
    const family = spoken ? 'loopback' : address.includes(':') ? 'IPv6' : 'IPv4';
    const leg = await phones.allocateLeg({ room, family, log: this.#log });
    if (this.isClosed) {
      await leg.close('requested');
      throw new GatewayError('closed', 'The call has ended.');
    }
    this.#leg = leg;
    leg.events.on('dtmfReceived', (digit) => this.#pressed(digit));
    leg.events.on('timedOut', () =>
      this.finish({ by: 'us', reason: 'rtp_timeout', message: 'Nothing was heard of the phone.', code: 'timeout' }),
    );
    leg.events.on('closed', () => {
      if (room.isClosed) this.finish(roomClosed);
      else this.fail(new GatewayError('media_lost', 'The media of the call was lost.'));
    });
    if (spoken) await this.#openPath(leg, bridgedFormats(spoken));
    this.#speech = new OfferAnswer({ address, port: leg.localPort, webRtc: this.#path?.bridge, ...settings });
    return this.#speech;
  }

  async #openPath(leg: Leg, formats: ReturnType<typeof bridgedFormats>): Promise<void> {
    const { bridges } = this.#options;
    const onLost = (error: GatewayError) => this.fail(error);
    const path = await WebRtcPath.open({ bridges, formats, leg, log: this.#log, onLost });
    if (this.isClosed) {
      path.close();
      throw new GatewayError('closed', 'The call has ended.');
    }
    this.#path = path;
  }

  /** Takes its place in the room. @throws GatewayError `room_full`, `forbidden`, `closed` */
  join(): Participant {
    if (this.#participant) return this.#participant;
    const { room, user, displayName, direction, from, to } = this.#options;
    const { roles } = room.record;
    const role = roles.some((one) => one.role === 'sip') ? 'sip' : (roles[0]?.role ?? 'sip');
    const attributes = { 'sip.direction': direction, 'sip.from': from.slice(0, 256), 'sip.to': to.slice(0, 256) };
    const participant = room.join({ kind: 'sip', user: user || 'phone', displayName, role, attributes });
    this.#participant = participant;
    participant.events.on('closed', (reason) => {
      this.finish(reason === 'kicked' ? kicked : roomClosed);
    });
    return participant;
  }

  /** What was agreed holds from now on, and the room is heard. */
  speak(parameters: LegParameters): void {
    if (this.isClosed) return;
    const leg = this.#leg;
    leg?.negotiate(parameters);
    const peer = this.#speech?.peer;
    if (peer) this.#path?.follow(peer).catch((error: unknown) => this.fail(toGatewayError(error)));
    const participant = this.join();
    if (leg && leg.participant !== participant) leg.enter(participant);
  }

  ringing(): void {
    if (this.#state === 'dialing') this.#state = 'ringing';
  }

  /** @param isOfferOpen the ACK is to bring the answer to our offer */
  attach(dialog: SipDialog, { isOfferOpen = false } = {}): void {
    this.#dialog = dialog;
    this.#isOfferOpen = isOfferOpen;
    this.#sipCallId = dialog.callId;
    dialog.events.on('ended', (by, reason) => this.#dialogEnded(by, reason));
    dialog.events.on('acknowledged', (sdp) => this.#acknowledged(sdp));
    dialog.events.on('offered', (question) => void this.offered(question));
    dialog.events.on('asked', (question) => this.#asked(question));
    if (this.isClosed) {
      void dialog.bye();
      return;
    }
    this.#state = 'connected';
    this.#answeredAtMs = Date.now();
    this.#settled.resolve();
    const { maxDurationMs } = this.#options.settings;
    this.#limitTimer = setTimeout(() => {
      this.finish({ by: 'us', reason: 'max_duration', message: 'The call was as long as calls may be.' });
    }, maxDurationMs).unref();
    this.#log.info({ from: this.#options.from, to: this.#options.to }, 'call answered');
  }

  /** Ends it, once; later reasons are of no account. */
  finish(end: CallEnd): void {
    if (this.#end) return;
    this.#end = end;
    void this.close(end.by === 'peer' ? 'peer_left' : 'requested');
  }

  fail(error: GatewayError, sipStatus?: number): void {
    this.finish({ by: 'us', reason: error.code, message: error.message, code: error.code, sipStatus });
  }

  // ── Asked by the API ─────────────────────────────────────────────────────────────────────────────────────────────

  setMuted(isMuted: boolean): void {
    this.#connected();
    this.#leg?.setMuted(isMuted);
  }

  async setHeld(isHeld: boolean): Promise<void> {
    const { dialog, leg, speech } = this.#connected();
    if (leg.isHeld === isHeld) return;
    speech.want(isHeld ? 'sendonly' : 'sendrecv');
    leg.setHold(isHeld);
    try {
      const answer = await dialog.reinvite(speech.offer());
      if (answer.status >= 300) throw refusedBy(answer);
      this.speak(speech.accept(answer.body));
    } catch (error) {
      speech.want(isHeld ? 'sendrecv' : 'sendonly');
      if (!leg.isClosed) leg.setHold(!isHeld);
      throw error;
    }
  }

  async sendDtmf(digits: string): Promise<void> {
    const { dialog, leg } = this.#connected();
    try {
      leg.sendDtmf(digits);
      return;
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'not_acceptable') throw error;
    }
    for (const digit of digits.toUpperCase()) {
      if (digit === ',') {
        await delay(500, undefined, { ref: false });
        continue;
      }
      const headers = { 'content-type': 'application/dtmf-relay' };
      const answer = await dialog.ask('INFO', { headers, body: `Signal=${digit}\r\nDuration=160\r\n` });
      if (answer.status >= 300) throw refusedBy(answer);
    }
  }

  async hangUp(): Promise<void> {
    this.finish({ by: 'us', reason: 'hung_up', message: 'Hung up by the API.' });
    await this.done;
  }

  #connected(): { dialog: SipDialog; leg: Leg; speech: OfferAnswer } {
    const dialog = this.#dialog;
    const leg = this.#leg;
    const speech = this.#speech;
    if (this.isClosed || !dialog || !leg || !speech) {
      throw new GatewayError('closed', this.isClosed ? 'The call has ended.' : 'The call is not answered yet.');
    }
    return { dialog, leg, speech };
  }

  // ── Asked by the peer ────────────────────────────────────────────────────────────────────────────────────────────

  #acknowledged(sdp: string): void {
    if (!this.#isOfferOpen || this.isClosed) return;
    this.#isOfferOpen = false;
    try {
      if (sdp === '') throw new GatewayError('invalid_sdp', 'The other side did not answer our offer.');
      if (this.#speech) this.speak(this.#speech.accept(sdp));
    } catch (error) {
      this.fail(toGatewayError(error));
    }
  }

  /** An offer of the peer's, before the answer or in the call. */
  async offered(question: SipQuestion): Promise<void> {
    const speech = this.#speech;
    if (!speech || this.isClosed) {
      question.respond(481);
      return;
    }
    if (question.body === '') {
      this.#isOfferOpen = question.method === 'INVITE';
      question.respond(200, this.#isOfferOpen ? { body: speech.offer() } : {});
      return;
    }
    try {
      await this.#path?.expect(question.body);
      const { sdp, parameters } = speech.answer(question.body);
      question.respond(200, { body: sdp });
      this.speak(parameters);
    } catch (error) {
      const refusal = toGatewayError(error);
      this.#log.warn({ err: refusal }, 'offer in a call refused');
      refuse(question, refusal);
    }
  }

  #asked(question: SipQuestion): void {
    const { method } = question;
    if (method === 'INFO') {
      for (const digit of digitsOf(question)) this.#pressed(digit);
      question.respond(200);
    } else if (method === 'MESSAGE') {
      this.#chat(question);
    } else if (method === 'REFER') {
      question.respond(603);
    } else {
      question.respond(200);
    }
  }

  #chat(question: SipQuestion): void {
    const participant = this.#participant;
    try {
      if (!/^text\/plain\b/i.test(question.contentType)) {
        throw new GatewayError('unsupported_media_type', 'Messages are text/plain.');
      }
      if (!participant || participant.isClosed) throw new GatewayError('closed', 'The phone is not in the room.');
      participant.room.sendChat(participant, 'all', question.body);
      question.respond(200);
    } catch (error) {
      refuse(question, toGatewayError(error));
    }
  }

  #pressed(digit: string): void {
    this.#digits = (this.#digits + digit).slice(-maxKeptDigits);
    const participant = this.#participant;
    // Not in the log: it may be a PIN.
    if (participant && !participant.isClosed) participant.room.events.emit('dtmfReceived', participant, digit);
  }

  #dialogEnded(by: 'peer' | 'us' | 'server' | 'lost', reason: string): void {
    if (by === 'peer') this.finish({ by, reason: 'hung_up', message: reason || 'The phone hung up.' });
    else if (by === 'lost') {
      this.finish({ by: 'server', reason: 'signalling_lost', message: reason, code: 'signalling_lost' });
    } else this.finish({ by: 'server', reason: 'signalling_timeout', message: reason, code: 'timeout' });
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#limitTimer);
    this.#end ??= { by: 'us', reason: 'shutdown', message: 'The gateway is shutting down.' };
    this.#endedAtMs = Date.now();
    const { reason: why, message } = this.#end;
    const info = this.info;
    this.#state = 'ended';
    const text = message.replaceAll(/[\p{C}"\\]/gu, ' ');
    const bye = this.#dialog?.bye({ Reason: `SIP;cause=200;text="${why}: ${text.slice(0, 120)}"` });
    this.#path?.close();
    await Promise.all([
      this.#leg?.close(reason),
      this.#participant?.close(reason === 'peer_left' ? 'peer_left' : 'requested'),
      bye && Promise.race([bye, delay(byeWaitMs)]),
    ]);
    this.#settled.resolve();
    this.#record(info);
  }

  #record({ direction, from, to, codec, answeredAtMs, stats, isEncrypted }: CallInfo): void {
    const { by, reason, message, code, sipStatus } = this.#end ?? {};
    const durationMs = answeredAtMs === undefined ? 0 : (this.#endedAtMs ?? answeredAtMs) - answeredAtMs;
    this.#log.info(
      { direction, from, to, codec, isEncrypted, durationMs, by, reason, message, code, sipStatus, stats },
      'call ended',
    );
  }
}
