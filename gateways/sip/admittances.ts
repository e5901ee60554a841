// Owns: what it takes to come into a room by phone, from what the door said: PIN, waiting room, language.
import type { SipConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { LockedOut } from '#core/guess-guard.ts';
import type { Meetings } from '#core/meetings.ts';
import { allowedNumber } from '#core/menu-dial.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Admission, CallerFacts, MenuAdmission, MenuChoice, SipDoor } from '#core/sip-door.ts';
import type { Admittance } from './call-options.ts';
import { phoneRoleIn } from './call-texts.ts';
import type { Defence } from './defence.ts';
import type { InboundCall } from './inbound-call.ts';
import type { MenuDials } from './menu-dials.ts';
import type { CallMenu } from './menu-run.ts';

export interface AdmittancesOptions {
  readonly door: SipDoor;
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly defence: Defence;
  readonly dials: MenuDials;
  readonly config: Pick<SipConfig, 'numberPlan'>;
}

/** Who calls, as far as doors ask. */
export interface Arrival {
  readonly inbound: InboundCall;
  readonly facts: CallerFacts & { readonly guesser: string };
  readonly displayName: string;
  readonly user: string;
}

export class Admittances {
  readonly #options: AdmittancesOptions;

  constructor(options: AdmittancesOptions) {
    this.#options = options;
  }

  /** What the door says; guesses that come with the call are held against it. @throws GatewayError as `door.arrive()` */
  async ask(uri: string, { inbound, facts }: Arrival, choice?: MenuChoice): ReturnType<SipDoor['arrive']> {
    const { door, defence } = this.#options;
    const arrived = door.arrive(uri, inbound.source.address, facts, choice);
    const admission = await arrived.catch((thrown: unknown) => this.#noteLockOut(thrown, inbound));
    if ('hadWrongPin' in admission && admission.hadWrongPin) defence.note('wrong_pin', inbound);
    return admission;
  }

  /** @throws GatewayError as the room and its meeting refuse */
  async into(admission: Admission, arrival: Arrival): Promise<Admittance> {
    const { rooms, meetings } = this.#options;
    const { room: found, pin, language, hasPrompts } = admission;
    const room = await rooms.open(found.id);
    const { displayName, user } = arrival;
    const party = { kind: 'sip', user: user || 'phone', displayName, role: phoneRoleIn(room.record) } as const;
    // Who stays hears that it is recorded.
    const entering = { room: found.id, party, hasConsented: true };
    const entrance = meetings.judge(room.record, entering);
    if (entrance.kind === 'refuse') throw new GatewayError(entrance.code, entrance.message);
    const lobby: Admittance['lobby'] = async (wait) => void (await meetings.enter({ ...entering, wait }));
    const guess = this.#guessAt(found, pin ?? '', arrival);
    return {
      ...{ room, language, hasPrompts, lobby, mustWait: entrance.kind === 'wait' },
      gate: pin === undefined ? undefined : { pin, guess },
    };
  }

  /** The menu of a rule, for this caller. */
  menuFor({ menu, rule }: MenuAdmission, arrival: Arrival): CallMenu {
    const { door, defence, dials } = this.#options;
    const { inbound, facts } = arrival;
    const enter: CallMenu['enter'] = async (room, access) => {
      const admission = await this.ask(inbound.uri, arrival, { rule, room, access });
      if ('menu' in admission) throw new GatewayError('internal', 'A menu leads to a menu.');
      return this.into(admission, arrival);
    };
    return {
      ...{ menu, language: rule.language, enter },
      findByNumber: async (typed) => {
        door.assertMayTry(facts.guesser);
        const admission = await this.ask(`sip:${typed}@menu`, arrival).catch(absent);
        const isRight = admission !== undefined && !('menu' in admission);
        door.noteNumber(facts.guesser, isRight);
        return isRight ? this.into(admission, arrival) : undefined;
      },
      findByPin: async (typed, rooms) => {
        const guess = door.findByPin(typed, { rule: rule.id, rooms }, facts.guesser);
        const found = await guess.catch((thrown: unknown) => this.#noteLockOut(thrown, inbound));
        if (found) return enter(found.id, 'open');
        defence.note('wrong_pin', inbound);
        return undefined;
      },
      dial: async ({ dial, typed, ...dialling }) => {
        const { from = '', trunk, account, guesser } = facts;
        // Anybody can say any number of himself: what he would cost is for those who are known.
        if ('numbers' in dial && !trunk && account === undefined) {
          return { kind: 'not_reached', reason: 'Only callers of a trunk or an account may type whom to call.' };
        }
        const to = 'to' in dial ? dial.to : this.#numberTyped(typed ?? '', dial.numbers, guesser);
        if (to === undefined) return undefined;
        const caller = { user: from, displayName: arrival.displayName, guesser };
        return dials.call({ ...dialling, dial, to, caller });
      },
    };
  }

  /** @throws GatewayError `rate_limited` once too many were none that may be called */
  #numberTyped(typed: string, numbers: readonly string[], guesser: string): string | undefined {
    const { door, config } = this.#options;
    door.assertMayTry(guesser);
    const number = allowedNumber(typed, numbers, config.numberPlan);
    door.noteNumber(guesser, number !== undefined);
    return number;
  }

  #noteLockOut(thrown: unknown, inbound: InboundCall): never {
    if (thrown instanceof LockedOut) this.#options.defence.note('locked_out', inbound);
    throw thrown;
  }

  #guessAt(room: Admission['room'], pin: string, { inbound, facts }: Arrival): (typed: string) => boolean {
    const { door, defence } = this.#options;
    return (typed) => {
      door.assertMayGuess(room.id, facts.guesser);
      const isRight = door.guess(typed, { room, pin }, facts.guesser);
      if (!isRight) defence.note('wrong_pin', inbound);
      return isRight;
    };
  }
}

/** No room of that number; anything else is a refusal of one that there is. */
function absent(error: unknown): undefined {
  if (error instanceof GatewayError && error.code === 'not_found') return undefined;
  throw error;
}
