import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SipConfig } from '#config/schema.ts';
import type { Bans } from '#core/bans.ts';
import type { Call, CallEvents, CallInfo, CallsPort, DialOptions } from '#core/call.ts';
import type { CallRecords } from '#core/call-records.ts';
import type { CallTransferTarget } from '#core/call-transfer.ts';
import type { DispatchRules } from '#core/dispatch-rules.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import type { MenuDial, MenuTypedDial } from '#core/menu-dial.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Gateway, Logger, PhonePort } from '#core/ports.ts';
import type { RecordCall } from '#core/recorded-call.ts';
import type { RoomPins } from '#core/room-pins.ts';
import type { SipDefaults } from '#core/room-sip.ts';
import type { Rooms } from '#core/rooms.ts';
import type { AccountContact } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import type { SipDoor } from '#core/sip-door.ts';
import type { StorePort } from '#core/store-port.ts';
import type { Trunks } from '#core/trunks.ts';
import { Arrivals } from './arrivals.ts';
import type { SipCall } from './call.ts';
import { CallTable } from './call-table.ts';
import { addressesOf, isOurHost, withoutKeys } from './call-texts.ts';
import type { CallPictures } from './call-video.ts';
import { CallerCheck } from './caller-check.ts';
import { Defence } from './defence.ts';
import { Departures } from './departures.ts';
import { planOf } from './dial-plan.ts';
import { DigestServer } from './digest-server.ts';
import { FloodScreen } from './flood-screen.ts';
import { FreeSwitch, problemOfMedia } from './freeswitch/free-switch.ts';
import type { SipLink } from './link.ts';
import { MenuDials } from './menu-dials.ts';
import { OutsideRequests } from './outside-requests.ts';
import { Parking } from './parking.ts';
import { PasswordCheck } from './password-check.ts';
import type { PastCall } from './past-call.ts';
import { Registrar } from './registrar/registrar.ts';
import type { Certificate } from './server/index.ts';
import { SipSignalling } from './signalling.ts';
import { ApiTransfers } from './transfer/api-transfers.ts';
import { PhoneTransfers } from './transfer/phone-transfers.ts';
import { RoomTransfers } from './transfer/room-transfers.ts';
import { TrunkLines } from './trunks/trunk-lines.ts';

export interface SipGatewayPorts {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  readonly pictures?: CallPictures | undefined;
  readonly recordCall: RecordCall;
  readonly rules: DispatchRules;
  readonly pins: RoomPins;
  readonly door: SipDoor;
  readonly records: CallRecords;
  readonly trunks: Trunks;
  readonly accounts: SipAccounts;
  readonly bans: Bans;
  readonly store: StorePort;
  /** Of rooms that say nothing of phones. */
  readonly defaults: SipDefaults;
  readonly config: SipConfig;
  readonly log: Logger;
}

/** Calls that come in become participants of rooms; the API makes others that go out. */
export class SipGateway extends Owned implements Gateway, CallsPort {
  readonly name = 'sip';
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
  /** Where `sip.freeswitch` names one. */
  readonly freeSwitch: FreeSwitch | undefined;
  readonly #outside: OutsideRequests;
  readonly #ports: SipGatewayPorts;
  readonly #log: Logger;
  readonly #calls: CallTable;
  readonly #arrivals: Arrivals;
  readonly #screen: FloodScreen;
  readonly #departures: Departures;
  readonly #transfers: PhoneTransfers;
  readonly #apiTransfers: ApiTransfers;
  readonly #parking: Parking;
  #signalling: SipSignalling | undefined;

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
    const { trunks, accounts, config } = ports;
    const { freeswitch: settings } = config;
    const freeSwitch = settings && this.own(new FreeSwitch({ settings, log: this.#log }));
    this.freeSwitch = freeSwitch;
    const mediaProblemOf = problemOfMedia(config.media, freeSwitch);
    this.lines = this.own(new TrunkLines({ trunks, mediaProblemOf, log: this.#log }));
    for (const state of ['up', 'down'] as const) freeSwitch?.events.on(state, () => this.lines.noteMedia());
    const { realm, digestAlgorithms: algorithms, callers, registrar } = config;
    this.accounts = accounts;
    this.bans = ports.bans;
    const log = this.#log;
    const defence = new Defence({
      ...{ bans: ports.bans, ...config.limits, exemptNetworks: config.bans.exemptNetworks, log },
    });
    const passwords = new PasswordCheck(new DigestServer({ realm, algorithms }), defence);
    this.registrar = this.own(new Registrar({ accounts, passwords, store: ports.store, ...registrar, log }));
    const calls = this.own(
      new CallTable({
        ...ports,
        freeSwitch,
        log,
        onReferred: (call, question) => this.#transfers.take(call, question),
      }),
    );
    this.#calls = calls;
    const check = new CallerCheck({ trunks, lines: this.lines, accounts, passwords, callers });
    this.#parking = new Parking({ rooms: ports.rooms, settings: config.parking, log });
    const dials = new MenuDials({ ...ports, calls, dial: (options) => this.dial(options), log });
    this.#arrivals = new Arrivals({ ...ports, calls, parking: this.#parking, dials, callers: check, defence, log });
    const { unacknowledged } = this.#arrivals;
    this.#screen = new FloodScreen({
      ...{ calls, defence, unacknowledged, trunks, lines: this.lines, accounts, passwords, callers },
    });
    this.#departures = new Departures({ ...ports, calls, lines: this.lines, phones: this, log });
    const roomTransfers = new RoomTransfers({ ...ports, calls });
    this.#transfers = new PhoneTransfers({
      ...{ config, accounts, log },
      sendToRoom: (call, uri) => roomTransfers.send(call, uri),
      accountAt: (contact) => this.registrar.accountAt(contact),
      isOurs: (host) => isOurHost(host, this.hostPorts, config),
      dial: (options, own) => this.#departures.dial(this.#link(), options, own),
    });
    const find = (id: string) => calls.find(id);
    this.#apiTransfers = new ApiTransfers({ config, phones: this, lines: this.lines, find, log });
    this.#outside = new OutsideRequests({ calls, defence, registrar: this.registrar });
  }

  /** Takes calls from now on. @throws GatewayError `conflict` (port taken), `invalid_request`, `unauthorized`, `timeout` */
  async listen(certificate: Certificate | undefined): Promise<void> {
    const { config } = this.#ports;
    const signalling = this.own(
      await SipSignalling.create({
        ...{ config, certificate, log: this.#log },
        isBanned: (address) => this.bans.isBanned(address),
        screen: (request) => this.#screen.judge(request),
      }),
    );
    this.#signalling = signalling;
    signalling.link.onCall((call) => void this.#arrivals.take(call));
    signalling.link.onRequest((request) => this.#outside.take(request));
    await this.registrar.restore();
    this.freeSwitch?.start(signalling.control);
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

  /** Why a choice of a menu could call nobody now; undefined where it could, as far as can be told without calling. */
  flawOfDial(dial: MenuDial | MenuTypedDial): string | undefined {
    const { lines } = this;
    try {
      if ('to' in dial)
        planOf(
          { room: '', to: dial.to, trunk: dial.trunk },
          { lines, phones: this, roomName: 'menu', allowedHeaders: [] },
        );
      else lines.outbound(dial.trunk);
      return undefined;
    } catch (error) {
      return toGatewayError(error).message;
    }
  }

  callsOf(room: RoomId): readonly (SipCall | PastCall)[] {
    return this.#calls.of(room);
  }

  get events(): EventEmitter<CallEvents> {
    return this.#calls.events;
  }

  get live(): Iterable<SipCall> {
    return this.#calls.live;
  }

  messagesOf({ sipCallId }: CallInfo): ReturnType<CallsPort['messagesOf']> {
    const ladder = sipCallId === undefined ? undefined : this.#signalling?.ladderForCall(sipCallId);
    return ladder && { ...ladder, messages: ladder.messages.map((one) => ({ ...one, text: withoutKeys(one.text) })) };
  }

  addressesOf({ name }: { readonly name: string }, host: string): readonly string[] {
    return addressesOf(name, host, this.listenPoints, this.#ports.config);
  }

  drain(): void {
    this.#calls.drain();
  }

  undrain(): void {
    this.#calls.undrain();
  }

  evict(): void {
    this.#calls.evict();
  }

  async dial(options: DialOptions): Promise<SipCall> {
    return this.#departures.dial(this.#link(), options);
  }

  async transfer(call: Call, target: CallTransferTarget, waitMs: number): Promise<void> {
    await this.#apiTransfers.begin(this.#liveOf(call), target, waitMs);
  }

  async move(call: Call, room: string): Promise<void> {
    await this.#liveOf(call).moveTo(await this.#ports.rooms.open(room));
  }

  async park(call: Call): Promise<void> {
    await this.#parking.park(this.#liveOf(call));
  }

  #liveOf({ info: { id } }: Call): SipCall {
    const found = this.#calls.find(id);
    if (!found) throw new GatewayError('closed', 'The call has ended.');
    return found;
  }

  #link(): SipLink {
    const { config } = this.#ports;
    if (!config.isEnabled) throw new GatewayError('unprocessable', 'SIP is turned off here (sip.isEnabled).');
    this.#calls.assertRoomForCalls();
    if (!this.#signalling?.link.isUp) {
      throw new GatewayError('signalling_lost', 'There is no link to the SIP server.', { retryAfterMs: 1_000 });
    }
    return this.#signalling.link;
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    // Last: each call that ends leaves one.
    await this.records.close();
  }
}
