// Owns: a call as somebody in a room: the participant that it is there, what it is told, its chat, its way to another room.
import { setTimeout as delay } from 'node:timers/promises';
import type { CallEnd } from '#core/call.ts';
import type { ParkedInfo } from '#core/call-parking.ts';
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import { Announcer } from './announcer.ts';
import { CallChat, sayInRoom } from './call-chat.ts';
import { callEnds } from './call-ends.ts';
import type { Admittance, SipCallOptions } from './call-options.ts';
import { phoneRoleIn } from './call-texts.ts';
import { ConferenceKeys, type ConferenceKeysOptions } from './conference-keys.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';

/** Of what is said before we hang up. */
const maxFarewellMs = 6_000;

/** More than anybody presses or writes: each is told to all in the room, and kept as an event. */
const keysPerSecond = 20;
const textsPerSecond = 10;
const burstSeconds = 3;

export interface CallPresenceOptions {
  readonly call: SipCallOptions;
  /** For the keys that it presses. */
  readonly controls: ConferenceKeysOptions['call'];
  /** It was removed, or the room has closed. */
  readonly onGone: (end: CallEnd, farewell: readonly PromptName[]) => void;
  readonly log: Logger;
}

export interface Move {
  readonly leg: Leg;
  readonly parked?: ParkedInfo | undefined;
  /** Brings the leg there; when it fails, so does the call. */
  readonly carry: () => Promise<void>;
}

export class CallPresence {
  readonly #options: CallPresenceOptions;
  #room: Room;
  #participant: Participant | undefined;
  #participantId: Participant['id'] | undefined;
  #announcer: Announcer | undefined;
  #parked: ParkedInfo | undefined;
  #keys: ConferenceKeys | undefined;
  readonly #keyBucket = bucketOf(keysPerSecond);
  readonly #textBucket = bucketOf(textsPerSecond);
  #isMoving = false;
  #hasPrompts: boolean;
  /** false: called by a menu, or connected by it; the two talk at once. */
  #isGreeted: boolean;

  constructor(options: CallPresenceOptions) {
    this.#options = options;
    this.#room = options.call.room;
    this.#hasPrompts = options.call.hasPrompts ?? true;
    this.#isGreeted = options.call.calledFor === undefined;
  }

  get parked(): ParkedInfo | undefined {
    return this.#parked;
  }

  /** That it is in, is to come into, or was parked from. */
  get room(): Room {
    return this.#room;
  }

  get isInRoom(): boolean {
    return this.#participant !== undefined;
  }

  /** The last one that it was. */
  get participantId(): Participant['id'] | undefined {
    return this.#participantId;
  }

  /** The room that it has chosen, before it comes in. */
  choose({ room, hasPrompts = true, isGreeted = true }: Pick<Admittance, 'room' | 'hasPrompts' | 'isGreeted'>): void {
    this.#room = room;
    this.#hasPrompts = hasPrompts;
    this.#isGreeted = isGreeted;
  }

  /** Takes its place. @throws GatewayError `room_full`, `forbidden`, `closed` */
  join(): Participant {
    this.#participant ??= this.#joinIn(this.#room);
    return this.#participant;
  }

  /** Is heard and hears. */
  enter(leg: Leg): Participant {
    const participant = this.join();
    if (leg.participant !== participant) leg.enter(participant);
    return participant;
  }

  /** Once it is answered: announcements and chat. */
  attend(dialog: SipDialog, leg: Leg, greeting: readonly PromptName[]): void {
    const participant = this.#participant;
    if (!participant) return;
    const { call, controls, log } = this.#options;
    const say = (prompt: PromptName) => this.say(prompt);
    this.#keys = new ConferenceKeys({ keys: call.settings.keys, participant, call: controls, say });
    void new CallChat({ participant, dialog, log });
    if (!this.#hasPrompts) return;
    const asksConsent = participant.room.record.meeting?.asksConsent ?? false;
    const greets = this.#isGreeted ? greeting : [];
    const said = asksConsent ? [...greets, 'recording_on' as const] : greets;
    this.#announcer = new Announcer({ participant, leg, greeting: said, tellsAlone: this.#isGreeted });
    // In a room that it goes on to it is greeted as anybody is.
    this.#isGreeted = true;
  }

  say(prompt: PromptName): void {
    this.#announcer?.say(prompt);
  }

  /** @throws GatewayError as `sayInRoom()`; `rate_limited` */
  hear(message: SipQuestion): void {
    const waitMs = this.#textBucket.tryTake(performance.now());
    if (waitMs > 0) throw new GatewayError('rate_limited', 'Too many messages.', { retryAfterMs: waitMs });
    sayInRoom(this.#participant, message);
  }

  /** Told to the room, and done; passed over where they come faster than anybody presses. Not in the log: it may be a PIN. */
  tellKey(digit: string): void {
    if (this.#keyBucket.tryTake(performance.now()) > 0) return;
    const participant = this.#participant;
    if (participant && !participant.isClosed) participant.room.events.emit('dtmfReceived', participant, digit);
    this.#keys?.press(digit);
  }

  /**
   * Leaves, without an end to the call: for another room, or, parked, for the mix of `room` without being anybody there.
   * @throws GatewayError `conflict`, `room_full`, `forbidden`, `closed`: then it stays where it is; `media_lost`
   */
  async moveTo(room: Room, { leg, parked, carry }: Move): Promise<void> {
    if (this.#isMoving) throw new GatewayError('conflict', 'The call is on its way to another room.');
    const next = parked ? undefined : this.#joinIn(room);
    const before = this.#participant;
    this.#isMoving = true;
    this.#participant = next;
    this.#parked = parked;
    if (next) this.#room = room;
    this.#announcer = this.#keys = undefined;
    leg.leave();
    try {
      await before?.close('requested');
      await carry();
      if (next && !leg.isClosed) leg.enter(next);
    } catch (error) {
      await this.close('requested');
      throw error;
    } finally {
      this.#isMoving = false;
    }
  }

  /** Out of the room, to somebody who is hung up after it. */
  async sayFarewell(leg: Leg | undefined, farewell: readonly PromptName[], reason: CloseReason): Promise<void> {
    if (!leg?.parameters || leg.isClosed || farewell.length === 0) return;
    void this.close(reason);
    leg.leave();
    await Promise.race([leg.play(farewell), delay(maxFarewellMs, undefined, { ref: false })]);
  }

  async close(reason: CloseReason): Promise<void> {
    const participant = this.#participant;
    this.#participant = this.#announcer = this.#keys = undefined;
    await participant?.close(reason);
  }

  #joinIn(room: Room): Participant {
    const { user, displayName, direction, from, to, attributes: own, takesPlaceOf } = this.#options.call;
    if (room.isClosed) throw new GatewayError('closed', 'The room has closed.');
    const attributes = {
      ...own,
      ...{ 'sip.direction': direction, 'sip.from': from.slice(0, 256), 'sip.to': to.slice(0, 256) },
    };
    const role = phoneRoleIn(room.record);
    const participant = room.join({
      ...{ kind: 'sip', user: user || 'phone', displayName, role, attributes, takesPlaceOf },
    });
    this.#participantId = participant.id;
    participant.events.on('closed', (reason) => {
      // It has left for another room, or the call is over.
      if (this.#participant !== participant) return;
      if (reason === 'kicked') this.#options.onGone(callEnds.kicked, ['removed', 'goodbye']);
      else this.#options.onGone(callEnds.roomClosed, ['room_closed', 'goodbye']);
    });
    return participant;
  }
}

function bucketOf(perSecond: number): TokenBucket {
  return new TokenBucket(perSecond, perSecond * burstSeconds, performance.now());
}
