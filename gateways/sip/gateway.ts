import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SipConfig } from '#config/schema.ts';
import type { Bans } from '#core/bans.ts';
import { type CallEvents, type CallInfo, type CallsPort, type DialOptions, newCallId } from '#core/call.ts';
import type { CallRecords } from '#core/call-records.ts';
import { dialledOf, withoutPin } from '#core/dispatch.ts';
import type { DispatchRules } from '#core/dispatch-rules.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Gateway, Logger, PhonePort } from '#core/ports.ts';
import type { RoomPins } from '#core/room-pins.ts';
import { effectiveSip, type SipDefaults } from '#core/room-sip.ts';
import type { Rooms } from '#core/rooms.ts';
import type { AccountContact } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import type { SipDoor } from '#core/sip-door.ts';
import type { TrunkMedia } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import { SipCall } from './call.ts';
import { callEnds } from './call-ends.ts';
import type { SipCallOptions } from './call-options.ts';
import { addressesOf, attributesOf, hostAddressOf, phoneRoleIn, withoutKeys } from './call-texts.ts';
import { type Caller, callerOf } from './caller.ts';
import { CallerCheck, type Identity } from './caller-check.ts';
import { Defence } from './defence.ts';
import { dialOut } from './dial-out.ts';
import { planOf } from './dial-plan.ts';
import { DigestServer } from './digest-server.ts';
import type { InboundCall, InboundRequest } from './inbound-call.ts';
import type { SipLink } from './link.ts';
import { PasswordCheck } from './password-check.ts';
import { Registrar } from './registrar/registrar.ts';
import type { Certificate } from './server/index.ts';
import { SipSignalling } from './signalling.ts';
import { allow, refuse, statusOf, supported } from './status.ts';
import { TrunkLines } from './trunks/trunk-lines.ts';

export interface SipGatewayPorts {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  readonly rules: DispatchRules;
  readonly pins: RoomPins;
  readonly door: SipDoor;
  readonly records: CallRecords;
  readonly trunks: Trunks;
  readonly accounts: SipAccounts;
  readonly bans: Bans;
  /** Of rooms that say nothing of phones. */
  readonly defaults: SipDefaults;
  readonly config: SipConfig;
  readonly log: Logger;
}

const maxPastCalls = 500;

interface RefusedCall {
  readonly inbound: InboundCall;
  readonly caller: Caller;
  readonly to: string;
  readonly call: SipCall | undefined;
  readonly error: GatewayError;
}

/** Calls that come in become participants of rooms; the API makes others that go out. */
export class SipGateway extends Owned implements Gateway, CallsPort {
  readonly name = 'sip';
  readonly events = new EventEmitter<CallEvents>();
  readonly rules: DispatchRules;
  readonly pins: RoomPins;
  readonly door: SipDoor;
  readonly records: CallRecords;
  readonly defaults: SipDefaults;
  readonly trunks: Trunks;
  readonly lines: TrunkLines;
  readonly accounts: SipAccounts;
  readonly registrar: Registrar;
  readonly bans: Bans;
  readonly #defence: Defence;
  readonly #callers: CallerCheck;
  readonly #ports: SipGatewayPorts;
  readonly #log: Logger;
  readonly #live = new Set<SipCall>();
  readonly #past: SipCall[] = [];
  #signalling: SipSignalling | undefined;
  #isDraining = false;

  constructor(ports: SipGatewayPorts) {
    super();
    this.#ports = ports;
    this.rules = ports.rules;
    this.pins = ports.pins;
    this.door = ports.door;
    this.records = ports.records;
    this.defaults = ports.defaults;
    this.#log = ports.log.child({ gateway: 'sip' });
    this.trunks = ports.trunks;
    this.lines = this.own(new TrunkLines({ trunks: ports.trunks, log: this.#log }));
    const { trunks, accounts, config } = ports;
    const { realm, digestAlgorithms: algorithms, callers, registrar } = config;
    this.accounts = accounts;
    this.bans = ports.bans;
    this.#defence = new Defence({
      ...{ bans: ports.bans, ...config.limits, exemptNetworks: config.bans.exemptNetworks, log: this.#log },
    });
    const passwords = new PasswordCheck(new DigestServer({ realm, algorithms }), this.#defence);
    this.registrar = this.own(new Registrar({ accounts, passwords, ...registrar, log: this.#log }));
    this.#callers = new CallerCheck({ trunks, lines: this.lines, accounts, passwords, callers });
  }

  /** Takes calls from now on. @throws GatewayError `conflict` (port taken), `invalid_request`, `unauthorized`, `timeout` */
  async listen(certificate: Certificate | undefined): Promise<void> {
    const { config } = this.#ports;
    const signalling = this.own(
      await SipSignalling.create({
        ...{ config, certificate, log: this.#log },
        isBanned: (address) => this.bans.isBanned(address),
      }),
    );
    this.#signalling = signalling;
    signalling.link.onCall((call) => void this.#take(call));
    signalling.link.onRequest((request) => this.#asked(request));
    this.lines.start(signalling.link);
    this.#log.info({ at: signalling.link.hostPorts }, 'SIP listens');
  }

  get listenPoints(): SipSignalling['listenPoints'] {
    return this.#signalling?.listenPoints ?? [];
  }

  /** Counts of the embedded server; undefined with another. */
  get serverStats(): SipSignalling['stats'] {
    return this.#signalling?.stats;
  }

  /** `udp/192.0.2.1:5060,…` of whichever server it is. */
  get hostPorts(): string {
    return this.#signalling?.link.hostPorts ?? '';
  }

  /** For the path `/sip` of the HTTP servers. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (this.#signalling && this.#ports.config.hasWebSocket) this.#signalling.handleUpgrade(request, socket, head);
    else socket.destroy();
  };

  /** Of an account, those that are registered now, the newest first. */
  readonly phonesOf = (account: string): readonly (AccountContact & { readonly path: string | undefined })[] =>
    this.registrar.book.of(account);

  callsOf(room: RoomId): readonly SipCall[] {
    const known = [...this.#past, ...this.#live].filter(({ info }) => info.roomId === room);
    return known.sort((a, b) => a.info.startedAtMs - b.info.startedAtMs);
  }

  get live(): Iterable<SipCall> {
    return this.#live;
  }

  messagesOf({ sipCallId }: CallInfo): ReturnType<CallsPort['messagesOf']> {
    const ladder = sipCallId === undefined ? undefined : this.#signalling?.ladderForCall(sipCallId);
    return ladder && { ...ladder, messages: ladder.messages.map((one) => ({ ...one, text: withoutKeys(one.text) })) };
  }

  addressesOf({ name }: { readonly name: string }, host: string): readonly string[] {
    return addressesOf(name, host, this.listenPoints, this.#ports.config);
  }

  drain(): void {
    this.#isDraining = true;
  }

  /** The call is on its way when this returns. */
  async dial(options: DialOptions): Promise<SipCall> {
    const link = this.#link();
    const { rooms, config, log } = this.#ports;
    const room = await rooms.open(options.room);
    const { name: roomName } = room;
    const plan = planOf(options, { lines: this.lines, phones: this, roomName, allowedHeaders: config.headers });
    const over = Promise.withResolvers<void>();
    plan.line?.admit('outbound', over.promise);
    const number = dialledOf(plan.to);
    const sip = effectiveSip(room.record.sip, this.defaults);
    let call: SipCall | undefined;
    try {
      call = this.#begin(
        {
          ...{ direction: 'outbound', room, to: plan.to, hasPrompts: sip.hasPrompts },
          user: plan.account?.username ?? number,
          from: plan.from,
          displayName: (plan.displayName ?? (number === '' ? plan.to : number)).slice(0, 128),
          language: options.language ?? sip.language,
          hasEarlyMedia: options.hasEarlyMedia,
          trunk: plan.line?.trunk,
          account: plan.account,
        },
        plan.media,
      );
      void call.done.then(() => over.resolve());
      // Who is reached by WebSocket is a browser, or is to be spoken to like one (RFC 7118 §7).
      const [{ uri, proxy }] = plan.hunt.targets as [{ uri: string; proxy?: string }];
      const isWebRtc = /;transport=wss?\b/i.test(uri);
      const speech = await call.prepare(hostAddressOf(proxy ?? uri), { isWebRtc });
      const headers = { ...plan.headers, allow, supported };
      const ringTimeoutMs = options.ringTimeoutMs ?? config.ringTimeoutMs;
      void dialOut({ link, call, speech, headers, plan, digits: options.digits, ringTimeoutMs, log });
    } catch (error) {
      over.resolve();
      call?.fail(toGatewayError(error));
      throw error;
    }
    return call;
  }

  /** An INVITE: who is it from, who is it for, is there room for it, what can it hear; then 200. */
  async #take(inbound: InboundCall): Promise<void> {
    const caller = callerOf((name) => inbound.header(name));
    const over = Promise.withResolvers<void>();
    let call: SipCall | undefined;
    let uri = inbound.uri;
    try {
      if (this.#defence.isScanner(inbound)) throw new GatewayError('forbidden', 'Not here.');
      const identity = this.#callers.check(inbound);
      if (!identity) return;
      uri = identity.uri;
      // Trunks have limits of their own.
      if (!identity.line) this.#defence.assertMayCall(inbound);
      this.#assertRoomForCalls();
      identity.line?.admit('inbound', over.promise);
      call = await this.#admit(inbound, identity, caller);
      void call.done.then(() => over.resolve());
      await this.#answer(call, inbound);
    } catch (thrown) {
      over.resolve();
      this.#refused({ inbound, caller, to: withoutPin(uri), call, error: toGatewayError(thrown) });
    }
  }

  async #admit(inbound: InboundCall, { line, account, uri }: Identity, caller: Caller): Promise<SipCall> {
    const { door, rooms, meetings, config } = this.#ports;
    const { source, callId } = inbound;
    const admission = await door.admit(uri, source.address, {
      ...{ from: account?.username ?? caller.user, trunk: line?.trunk, account: account?.username },
      header: (name) => inbound.header(name),
    });
    const { room: found, pin, language, hasPrompts } = admission;
    const room = await rooms.open(found.id);
    const { displayName, user } = account
      ? { displayName: account.displayName ?? account.username, user: account.username }
      : caller;
    const party = { kind: 'sip', user: user || 'phone', displayName, role: phoneRoleIn(room.record) } as const;
    // Who stays hears that it is recorded.
    const arrival = { room: found.id, party, hasConsented: true };
    const entrance = meetings.judge(room.record, arrival);
    if (entrance.kind === 'refuse') throw new GatewayError(entrance.code, entrance.message);
    const lobby: SipCallOptions['lobby'] = async (wait) => void (await meetings.enter({ ...arrival, wait }));
    const guess = (typed: string) => {
      door.assertMayGuess(found.id, source.address);
      const isRight = door.guess(typed, { room: found, pin: pin ?? '' }, source.address);
      if (!isRight) this.#defence.note('wrong_pin', inbound);
      return isRight;
    };
    const attributeHeaders = [...config.attributeHeaders, ...(line?.trunk.headers?.attributes ?? [])];
    return this.#begin(
      {
        ...{ direction: 'inbound', room, from: caller.uri, to: withoutPin(uri), displayName, user, sipCallId: callId },
        ...{ language, hasPrompts, gate: pin === undefined ? undefined : { pin, guess } },
        ...{ lobby, mustWait: entrance.kind === 'wait' },
        attributes: {
          ...attributesOf(inbound, attributeHeaders),
          ...(line && { 'sip.trunk': line.trunk.name }),
          ...(account && { 'sip.account': account.username }),
        },
        sourceAddress: source.address,
        trunk: line?.trunk,
        account,
      },
      line?.trunk.media,
    );
  }

  #refused({ inbound, caller, to, call, error }: RefusedCall): void {
    const { source, callId } = inbound;
    const fields = { from: caller.uri, to, source: source.address, sipCallId: callId, code: error.code };
    const level = error.code === 'internal' ? 'error' : 'warn';
    this.#log[level]({ ...fields, reason: error.message, ...(level === 'error' && { err: error }) }, 'call refused');
    if (error.code === 'not_found') this.#defence.note('nowhere', inbound);
    refuse(inbound, error);
    if (call) call.fail(error, statusOf(error));
    else this.#noteRefused(inbound, caller, error);
  }

  /** A call that found no room leaves a record too: somebody will ask why. */
  #noteRefused({ uri, callId }: InboundCall, { uri: from, displayName }: Caller, error: GatewayError): void {
    const atMs = Date.now();
    const { code, message } = error;
    this.#record({
      ...{ id: newCallId(atMs), direction: 'inbound', state: 'ended', roomId: undefined, roomName: undefined },
      ...{ from, to: withoutPin(uri), displayName, sipCallId: callId, participantId: undefined },
      ...{ startedAtMs: atMs, answeredAtMs: undefined, endedAtMs: atMs },
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

  async #answer(call: SipCall, inbound: InboundCall): Promise<void> {
    inbound.events.on('cancelled', () => call.finish(callEnds.cancelled));
    // CANCEL may have been faster than we could listen.
    if (inbound.isCancelled) call.finish(callEnds.cancelled);
    inbound.respond(180);
    const speech = await call.prepare(inbound.source.address, { offer: inbound.body });
    const answered = inbound.body === '' ? undefined : speech.answer(inbound.body);
    // A full room is busy; whoever is asked for a PIN hears of it after that.
    if (call.mayEnter) call.join();
    await inbound.answer(
      answered?.sdp ?? speech.offer(),
      (dialog) => {
        call.attach(dialog, { isOfferOpen: answered === undefined });
        if (answered) call.speak(answered.parameters);
      },
      { allow, supported },
    );
  }

  #begin(options: Omit<SipCallOptions, 'phones' | 'bridges' | 'settings' | 'log'>, media: TrunkMedia = {}): SipCall {
    this.#assertRoomForCalls();
    const { phones, bridges, config } = this.#ports;
    const { srtp = config.srtp, codecs = config.codecs } = media;
    const { maxDurationMs } = config;
    const call = this.own(
      new SipCall({ ...options, phones, bridges, settings: { srtp, codecs, maxDurationMs }, log: this.#log }),
    );
    this.#live.add(call);
    this.events.emit('started', call.info);
    call.events.on('changed', () => this.events.emit('updated', call.info));
    void call.done.then(() => {
      this.#live.delete(call);
      this.#record(call.info);
      this.#past.push(call);
      if (this.#past.length > maxPastCalls) this.#past.shift();
    });
    return call;
  }

  #assertRoomForCalls(): void {
    if (this.#isDraining || this.isClosed) {
      throw new GatewayError('draining', 'This gateway takes no new calls.', { retryAfterMs: 5_000 });
    }
    if (this.#live.size >= this.#ports.config.maxCalls) {
      throw new GatewayError('overloaded', `There are ${this.#live.size} calls, the most that sip.maxCalls allows.`);
    }
    this.#ports.meetings.assertTakesPeople();
  }

  #record(info: CallInfo): void {
    this.records.add(info);
    this.events.emit('ended', info);
  }

  #asked(request: InboundRequest): void {
    if (request.method === 'MESSAGE') {
      this.#said(request);
      return;
    }
    if (this.#defence.isScanner(request)) {
      request.respond(403);
      return;
    }
    if (request.method === 'REGISTER') {
      this.registrar.take(request);
      return;
    }
    if (request.method !== 'OPTIONS') {
      request.respond(405, { headers: { allow } });
      return;
    }
    try {
      this.#assertRoomForCalls();
      request.respond(200, { headers: { allow, supported, accept: 'application/sdp, text/plain' } });
    } catch (error) {
      refuse(request, toGatewayError(error));
    }
  }

  /** Outside of any dialog: taken from a phone that is in the room, by the address and the place that it called from. */
  #said(request: InboundRequest): void {
    try {
      const { uri: from } = callerOf((name) => request.header(name));
      const dialled = dialledOf(request.uri).toLowerCase();
      const calls = [...this.#live].filter((call) => call.isFrom(from, request.source.address));
      const call = calls.find(({ info: { roomName = '', to } }) =>
        [roomName, dialledOf(to)].some((name) => name.toLowerCase() === dialled),
      );
      if (!call)
        throw new GatewayError('forbidden', 'Only a phone that is in the room may write to it; call it first.');
      call.hear(request);
      request.respond(200);
    } catch (error) {
      refuse(request, toGatewayError(error));
    }
  }

  #link(): SipLink {
    const { config } = this.#ports;
    if (!config.isEnabled) throw new GatewayError('unprocessable', 'SIP is turned off here (sip.isEnabled).');
    this.#assertRoomForCalls();
    if (!this.#signalling?.link.isUp) {
      throw new GatewayError('signalling_lost', 'There is no link to the SIP server.', { retryAfterMs: 1_000 });
    }
    return this.#signalling.link;
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    this.#live.clear();
    // Last: each call that ends leaves one.
    await this.records.close();
  }
}
