// Owns: calls that come in, from the INVITE to the 200 or the refusal: who is it from, where does it go, what can it hear.
import type { SipConfig } from '#config/schema.ts';
import { newCallId } from '#core/call.ts';
import { type CallDiversion, diversionsOf } from '#core/call-diversion.ts';
import { CallRejected } from '#core/call-rejected.ts';
import { dialledOf, withoutPin } from '#core/dispatch.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Logger } from '#core/ports.ts';
import { recordingOrder } from '#core/recorded-call.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Admission, MenuAdmission, SipDoor } from '#core/sip-door.ts';
import { Admittances, type Arrival } from './admittances.ts';
import type { SipCall } from './call.ts';
import { callEnds } from './call-ends.ts';
import type { Admittance } from './call-options.ts';
import type { CallTable } from './call-table.ts';
import { attributesOf } from './call-texts.ts';
import { type Caller, callerOf } from './caller.ts';
import type { CallerCheck, Identity } from './caller-check.ts';
import { CallerPlaces } from './caller-places.ts';
import type { Defence } from './defence.ts';
import type { InboundCall } from './inbound-call.ts';
import type { MenuDials } from './menu-dials.ts';
import type { CallMenu } from './menu-run.ts';
import type { Parking } from './parking.ts';
import { allow, refuse, statusOf, supported } from './status.ts';
import { readReplaces } from './transfer/refer-words.ts';
import { Unacknowledged } from './unacknowledged.ts';

/** An answer that comes sooner needs no ringing before it: that would be a third of the work of a short call. */
const ringAfterMs = 100;

export interface ArrivalsOptions {
  readonly calls: CallTable;
  readonly callers: CallerCheck;
  readonly defence: Defence;
  readonly parking: Parking;
  readonly dials: MenuDials;
  readonly door: SipDoor;
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly config: SipConfig;
  readonly log: Logger;
}

/** One that needs no leave to come in. */
interface EnteringCall {
  readonly room: Room;
  readonly replaced: SipCall | undefined;
  readonly inbound: InboundCall;
  readonly identity: Identity;
  readonly caller: Caller;
}

type Way = Admittance & { readonly menu?: CallMenu };

interface RefusedCall {
  readonly inbound: InboundCall;
  readonly caller: Caller;
  readonly to: string;
  readonly call: SipCall | undefined;
  readonly error: GatewayError;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #admittances: Admittances;
  readonly unacknowledged: Unacknowledged;
  /** At a PIN, in a menu, waiting to be let in. */
  readonly #asking: CallerPlaces;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#admittances = new Admittances(options);
    const { defence, config } = options;
    const { limits } = config;
    const { askingPerAddress: perAddress, askingPerTrunk: perTrunk, exemptNetworks } = limits;
    this.unacknowledged = new Unacknowledged({ ...limits, defence });
    const what = 'are at a PIN, in a menu or waiting to be let in';
    this.#asking = new CallerPlaces({ perAddress, perTrunk, exemptNetworks, defence, what });
  }

  /** An INVITE: who is it from, who is it for, is there room for it, what can it hear; then 200. Never rejects. */
  async take(inbound: InboundCall): Promise<void> {
    const { calls, callers, defence } = this.#options;
    const caller = callerOf((name) => inbound.header(name));
    const over = Promise.withResolvers<void>();
    let call: SipCall | undefined;
    let uri = inbound.uri;
    try {
      if (defence.isScanner(inbound)) throw new GatewayError('forbidden', 'Not here.');
      const identity = callers.check(inbound);
      if (!identity) return;
      uri = identity.uri;
      // Trunks have limits of their own.
      if (!identity.line) defence.assertMayCall(inbound);
      this.unacknowledged.assertMayCall(inbound, identity.line);
      calls.assertRoomForCalls();
      identity.line?.admit('inbound', over.promise);
      const replaced = this.#replacedBy(inbound);
      const fetched = replaced ? undefined : this.#fetchedBy(identity);
      const room = replaced?.room ?? fetched?.room;
      call = room
        ? this.#enter({ room: await this.#options.rooms.open(room.record.id), replaced, inbound, identity, caller })
        : await this.#admit(inbound, identity, caller);
      void call.done.then(() => over.resolve());
      await this.#answer(call, inbound, identity.line);
      replaced?.finish(callEnds.replaced);
      if (fetched) await fetched.call.moveTo(call.room);
    } catch (thrown) {
      over.resolve();
      this.#refused({ inbound, caller, to: withoutPin(uri), call, error: toGatewayError(thrown) });
    }
  }

  /** The parked call that it dialled, with the room that both come into. */
  #fetchedBy({ account, line, uri }: Identity): ReturnType<Parking['at']> {
    const { callers } = this.#options.config.parking;
    const isAllowed = callers !== 'nobody' && (account !== undefined || (callers === 'known' && line !== undefined));
    return isAllowed ? this.#options.parking.at(dialledOf(uri)) : undefined;
  }

  /**
   * The call whose place this one takes (RFC 3891 §3).
   * @throws CallRejected 481 for none that is known; 486 for one that was to ring and is answered
   */
  #replacedBy(inbound: InboundCall): SipCall | undefined {
    const header = inbound.header('replaces');
    if (header === undefined) return undefined;
    const { callId, toTag: localTag, fromTag: remoteTag, isEarlyOnly } = readReplaces(header);
    const found = this.#options.calls.ofDialog({ callId, localTag, remoteTag });
    if (!found) throw new CallRejected(481, 'closed', 'The call that was to be taken over is not there.');
    if (found.isOver) throw new CallRejected(603, 'closed', 'The call that was to be taken over has ended.');
    if (isEarlyOnly) throw new CallRejected(486, 'conflict', 'The call that was to be taken over is answered.');
    if (found.info.state !== 'connected') {
      throw new CallRejected(403, 'forbidden', 'The call that was to be taken over is not in its room yet.');
    }
    return found;
  }

  /** Without a PIN: whoever knows both tags of a call was told them by one of its ends; who may fetch a call is known here. */
  #enter({ room, replaced, inbound, identity, caller }: EnteringCall): SipCall {
    const { calls } = this.#options;
    const { line, account } = identity;
    const { displayName, user } = nameOf(caller, account);
    return calls.begin(
      {
        ...{
          direction: 'inbound',
          room,
          from: caller.uri,
          to: withoutPin(inbound.uri),
          displayName,
          user,
        },
        ...{ sipCallId: inbound.callId, attributes: this.#attributesOf(inbound, line, account) },
        takesPlaceOf: replaced?.info.participantId,
        ...{ sourceAddress: inbound.source.address, diversions: pastOf(inbound), trunk: line?.trunk, account },
        record: recordingOrder(undefined, line?.trunk.inbound)?.wish,
      },
      line?.trunk.media,
    );
  }

  #attributesOf(inbound: InboundCall, line: Identity['line'], account: Identity['account']): Record<string, string> {
    const names = [...this.#options.config.attributeHeaders, ...(line?.trunk.headers?.attributes ?? [])];
    return {
      ...attributesOf(inbound, names),
      ...(line && { 'sip.trunk': line.trunk.name }),
      ...(account && { 'sip.account': account.username }),
    };
  }

  async #admit(inbound: InboundCall, { line, account, uri }: Identity, caller: Caller): Promise<SipCall> {
    const { source } = inbound;
    const facts = {
      ...{ from: account?.username ?? caller.user, trunk: line?.trunk, account: account?.username },
      // All callers of a carrier come from its address.
      guesser: line ? `${line.trunk.id}/${caller.user}` : source.address,
      header: (name: string) => inbound.header(name),
    };
    const { displayName, user } = nameOf(caller, account);
    const arrival = { inbound, facts, displayName, user };
    const admission = await this.#admittances.ask(uri, arrival);
    const owner = { line, account };
    // Before anything is built for it.
    if ('menu' in admission || admission.pin !== undefined) this.#asking.assertFree(inbound, owner);
    const way = await this.#wayOf(admission, arrival);
    const isKept = way.menu !== undefined || way.gate !== undefined || way.mustWait === true;
    if (isKept) this.#asking.assertFree(inbound, owner);
    const call = this.#options.calls.begin(
      {
        ...{ direction: 'inbound', from: caller.uri, to: withoutPin(uri), displayName, user },
        ...{ ...way, sipCallId: inbound.callId },
        attributes: this.#attributesOf(inbound, line, account),
        sourceAddress: source.address,
        diversions: pastOf(inbound),
        trunk: line?.trunk,
        account,
        record: recordingOrder(admission.rule, line?.trunk.inbound)?.wish,
      },
      line?.trunk.media,
    );
    if (isKept) {
      const leave = this.#asking.take(inbound, owner);
      call.events.on('changed', () => call.info.state === 'connected' && leave());
      void call.done.then(leave);
    }
    return call;
  }

  async #wayOf(admission: Admission | MenuAdmission, arrival: Arrival): Promise<Way> {
    if (!('menu' in admission)) return this.#admittances.into(admission, arrival);
    const { rooms, config } = this.#options;
    return {
      room: await rooms.open(config.menus.room, { mayCreate: true }),
      menu: this.#admittances.menuFor(admission, arrival),
      language: admission.language,
    };
  }

  #refused({ inbound, caller, to, call, error }: RefusedCall): void {
    const { log, defence } = this.#options;
    const { source, callId } = inbound;
    const fields = { from: caller.uri, to, source: source.address, sipCallId: callId, code: error.code };
    const level = error.code === 'internal' ? 'error' : 'warn';
    log[level]({ ...fields, reason: error.message, ...(level === 'error' && { err: error }) }, 'call refused');
    if (error.code === 'not_found') defence.note('nowhere', inbound);
    refuse(inbound, error);
    if (call) call.fail(error, statusOf(error));
    else this.#noteRefused(inbound, caller, error);
  }

  /** A call that found no room leaves a record too: somebody will ask why. */
  #noteRefused(inbound: InboundCall, { uri: from, displayName }: Caller, error: GatewayError): void {
    const { uri, callId } = inbound;
    const atMs = Date.now();
    const { code, message } = error;
    this.#options.calls.record({
      ...{ id: newCallId(atMs), direction: 'inbound', state: 'ended', roomId: undefined, roomName: undefined },
      ...{ from, to: withoutPin(uri), displayName, sipCallId: callId, participantId: undefined },
      ...{ startedAtMs: atMs, answeredAtMs: undefined, endedAtMs: atMs, diversions: pastOf(inbound) },
      end: { by: 'us', reason: code, message, code, sipStatus: statusOf(error) },
      ...{
        isMuted: false,
        isHeld: false,
        gainDb: 0,
        isHeldByPeer: false,
        isEncrypted: false,
        codec: undefined,
        digits: '',
      },
      stats: undefined,
    });
  }

  async #answer(call: SipCall, inbound: InboundCall, line: Identity['line']): Promise<void> {
    inbound.events.on('cancelled', () => call.finish(callEnds.cancelled));
    // CANCEL may have been faster than we could listen.
    if (inbound.isCancelled) call.finish(callEnds.cancelled);
    const { requiresReliable } = inbound;
    if (requiresReliable) inbound.respond(180);
    const ringing = requiresReliable ? undefined : setTimeout(() => inbound.respond(180), ringAfterMs);
    const preparing = call.prepare([inbound.source.address], { offer: inbound.body });
    const speech = await preparing.finally(() => clearTimeout(ringing));
    const answered = inbound.body === '' ? undefined : speech.answer(inbound.body);
    // A full room is busy; whoever is asked for a PIN hears of it after that.
    if (call.mayEnter) call.join();
    await inbound.answer(
      answered?.sdp ?? speech.offer(),
      (dialog) => {
        this.unacknowledged.watch(inbound, line, dialog);
        dialog.useCredentials(line?.credentials);
        call.attach(dialog, { isOfferOpen: answered === undefined });
        if (answered) call.speak(answered.parameters);
      },
      { allow, supported },
    );
  }
}

function pastOf(inbound: InboundCall): readonly CallDiversion[] | undefined {
  const diversions = diversionsOf((name) => inbound.header(name));
  return diversions.length > 0 ? diversions : undefined;
}

function nameOf(caller: Caller, account: Identity['account']): Pick<Caller, 'displayName' | 'user'> {
  if (!account) return caller;
  return { displayName: account.displayName ?? account.username, user: account.username };
}
