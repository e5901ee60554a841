// Owns: calls that choices of menus make: a room of their own for the two, how the second one goes, and that neither is left
// alone in it.
import type { SipConfig } from '#config/schema.ts';
import type { CallEnd, CallInfo, DialOptions } from '#core/call.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { HeldCounts } from '#core/held-counts.ts';
import { randomText } from '#core/ids.ts';
import { defaultRingTimeoutMs, type MenuDial, type MenuTypedDial } from '#core/menu-dial.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SipCall } from './call.ts';
import { callEnds } from './call-ends.ts';
import type { CallTable } from './call-table.ts';
import type { MenuDialling, MenuDialOutcome, Undo } from './menu-run.ts';

export interface MenuDialsOptions {
  readonly calls: Pick<CallTable, 'events' | 'live' | 'find'>;
  readonly rooms: Pick<Rooms, 'create' | 'open' | 'delete'>;
  readonly config: Pick<SipConfig, 'menus'>;
  readonly dial: (options: DialOptions) => Promise<SipCall>;
  readonly log: Logger;
}

export interface MenuDialRequest extends Omit<MenuDialling, 'dial' | 'typed'> {
  readonly dial: MenuDial | MenuTypedDial;
  /** Whom it allows. */
  readonly to: string;
  readonly caller: { readonly user: string; readonly displayName: string; readonly guesser: string };
}

interface Pair {
  readonly room: Room;
  readonly callerId: string;
}

/** Setting up and saying no take a while beside the ringing. */
const spareMs = 15_000;

export class MenuDials {
  readonly #options: MenuDialsOptions;
  readonly #pairs = new Set<Pair>();
  /** How many each caller has, being called or answered. */
  readonly #counts = new HeldCounts();

  constructor(options: MenuDialsOptions) {
    this.#options = options;
    options.calls.events.on('ended', (info) => this.#review(info));
  }

  /** Until it is answered or is not, or `signal` aborts. Never rejects. */
  async call(request: MenuDialRequest): Promise<MenuDialOutcome> {
    const { log } = this.#options;
    const { to, caller, callId } = request;
    let room: Room | undefined;
    let isAnswered = false;
    let heard: Promise<Undo> | undefined;
    const giveBack = this.#take(addressGroup(caller.guesser));
    try {
      if (!giveBack)
        throw new GatewayError('limit_reached', 'Menus have called as many as they may at once (sip.menus).');
      room = await this.#makeRoom(request);
      const meeting = room;
      const callee = await this.#ring(room, request, () => {
        heard ??= request.onEarlyMedia(meeting);
      });
      // On its way into the room it cannot be taken anywhere else.
      await heard;
      const failure = failureOf(callee, request.signal);
      if (failure) {
        log.info({ call: callee.id, calledFor: callId, ...failure }, 'nobody reached by a menu');
        return failure;
      }
      isAnswered = true;
      const pair = { room, callerId: callId };
      this.#pairs.add(pair);
      room.events.on('closed', () => {
        this.#pairs.delete(pair);
        giveBack();
      });
      // It may have hung up at once, before it was one of two.
      if (callee.isOver) this.#review(callee.info);
      return { kind: 'answered', admittance: { room, isGreeted: false } };
    } catch (thrown) {
      const { code, message } = toGatewayError(thrown);
      log.warn(
        { calledFor: callId, to, code, reason: message, ...(code === 'internal' && { err: thrown }) },
        'menu could not call',
      );
      return { kind: 'not_reached', reason: message };
    } finally {
      if (!isAnswered) {
        giveBack?.();
        const comeBack = await heard;
        await comeBack?.();
        if (room) await this.#forget(room);
      }
    }
  }

  /** A room that nobody finds by phone, forgotten once both are out of it. */
  async #makeRoom({ dial: { ringTimeoutMs = defaultRingTimeoutMs }, caller, to }: MenuDialRequest): Promise<Room> {
    const { rooms } = this.#options;
    const { record } = await rooms.create({
      name: `call-${randomText(12).toLowerCase()}`,
      displayName: `${caller.displayName} – ${to}`.slice(0, 128),
      // Nobody is in it while it rings.
      emptyTimeoutMs: ringTimeoutMs + spareMs,
      sip: { access: 'closed' },
      meeting: { isTemporary: true },
      views: [],
    });
    return rooms.open(record.id);
  }

  /**
   * @param onHeard something is heard of it before it is answered; 183 alone may be all that there ever is
   * @returns answered, or over
   */
  async #ring(room: Room, request: MenuDialRequest, onHeard: () => void): Promise<SipCall> {
    const { dial, to, caller, callId, signal, onCalling } = request;
    const { trunk, ringTimeoutMs = defaultRingTimeoutMs, showsCaller = trunk === undefined } = dial;
    const from = showsCaller ? { from: caller.user, displayName: caller.displayName } : {};
    const options = { room: room.id, to, trunk, ringTimeoutMs, calledFor: callId, hasEarlyMedia: true, ...from };
    const callee = await this.#options.dial(options);
    onCalling(to, callee.id);
    callee.media?.leg.events.on('latched', () => {
      if (callee.info.answeredAtMs === undefined && !callee.isOver && !signal.aborted) onHeard();
    });
    const stop = () => callee.finish(callEnds.notWaitedFor);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    await callee.settled(ringTimeoutMs + spareMs);
    signal.removeEventListener('abort', stop);
    if (callee.info.state !== 'connected' && !callee.isOver) {
      callee.fail(new GatewayError('timeout', 'It came to nothing in time.'));
    }
    if (callee.isOver) await callee.done;
    return callee;
  }

  /** @returns gives it back, once; undefined where there are too many */
  #take(who: string): (() => void) | undefined {
    const { maxDialled, maxDialledPerCaller } = this.#options.config.menus;
    const isFull = this.#counts.total >= maxDialled || this.#counts.of(who) >= maxDialledPerCaller;
    return isFull ? undefined : this.#counts.take(who);
  }

  /** Whoever is left alone by the end of a call is hung up: there is nobody to hear him. */
  #review({ id, roomId }: CallInfo): void {
    for (const pair of this.#pairs) if (pair.callerId === id || pair.room.id === roomId) this.#part(pair);
  }

  #part({ room, callerId }: Pair): void {
    const { calls } = this.#options;
    const caller = calls.find(callerId);
    // On its way there, it is in no room yet.
    const isComing = caller?.info.state === 'asking' && !caller.isOver;
    const phones = [...calls.live].filter((one) => one.room === room && !one.isOver);
    const others = room.visibleParticipants.filter(({ kind }) => kind !== 'sip');
    if (phones.length + others.length + (isComing ? 1 : 0) > 1) return;
    if (isComing) caller.finish(callEnds.otherLeft);
    for (const phone of phones) phone.finish(callEnds.otherLeft);
    if (phones.length + others.length > 0) return;
    void this.#forget(room);
  }

  /** Never rejects: it is temporary, and goes by itself where it cannot be deleted now. */
  async #forget(room: Room): Promise<void> {
    const { rooms, log } = this.#options;
    try {
      await rooms.delete(room.id);
    } catch (err) {
      log.debug({ room: room.id, err }, 'room of a call not deleted');
    }
  }
}

/** Undefined for one that is answered. */
function failureOf(callee: SipCall, signal: AbortSignal): Exclude<MenuDialOutcome, { kind: 'answered' }> | undefined {
  const { end, answeredAtMs } = callee.info;
  if (!end || (answeredAtMs !== undefined && end.by === 'peer')) return undefined;
  if (signal.aborted) return { kind: 'given_up', reason: end.message };
  return { kind: kindOf(end), reason: end.message };
}

function kindOf({ reason, code, sipStatus }: CallEnd): 'busy' | 'no_answer' | 'not_reached' {
  if (sipStatus === 486 || sipStatus === 600 || sipStatus === 603) return 'busy';
  const isUnanswered =
    sipStatus === 480 || sipStatus === 408 || sipStatus === 487 || (reason === 'timeout' && code === 'timeout');
  return isUnanswered ? 'no_answer' : 'not_reached';
}
