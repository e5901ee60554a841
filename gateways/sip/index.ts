// Owns: the door of SIP: phones call rooms, and rooms call phones. May import: core, config.
import type { SipConfig } from '#config/schema.ts';
import { Bans } from '#core/bans.ts';
import { CallRecords } from '#core/call-records.ts';
import { DispatchRules } from '#core/dispatch-rules.ts';
import type { PromptLanguage } from '#core/leg-media.ts';
import type { Meetings } from '#core/meetings.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger, PhonePort } from '#core/ports.ts';
import type { RecordCall } from '#core/recorded-call.ts';
import { RoomPins } from '#core/room-pins.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SecretBox } from '#core/secret-box.ts';
import { SipAccounts } from '#core/sip-accounts.ts';
import { type AskHook, SipDoor } from '#core/sip-door.ts';
import type { StorePort } from '#core/store-port.ts';
import { isTrunkAddress } from '#core/trunk.ts';
import { Trunks } from '#core/trunks.ts';
import type { CallPictures } from './call-video.ts';
import { SipGateway } from './gateway.ts';

export type { SipGateway } from './gateway.ts';
export type { InboundCall } from './inbound-call.ts';
export { SipSignalling } from './signalling.ts';

/** What it is built from; it owns its rules and records. */
export interface SipGatewayOptions {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  /** Absent: voices alone. */
  readonly pictures?: CallPictures | undefined;
  /** For calls that are recorded without being asked for one by one. */
  readonly recordCall: RecordCall;
  readonly store: StorePort;
  readonly secrets: SecretBox;
  readonly config: SipConfig;
  /** For rules that leave it to a webhook. */
  readonly askHook?: AskHook | undefined;
  /** Names of the recordings that menus may play. */
  readonly prompts?: (() => Promise<ReadonlySet<string>>) | undefined;
  /** Of announcements, where neither rule nor room says. */
  readonly language: PromptLanguage;
  readonly log: Logger;
}

/** Its calls can be asked for at once; phones are answered from `listen()` on. */
export async function createSipGateway(options: SipGatewayOptions): Promise<SipGateway> {
  const { rooms, meetings, phones, bridges, pictures, store, secrets, config, language, log } = options;
  const pins = new RoomPins(secrets);
  const { prompts, recordCall } = options;
  const rules = await DispatchRules.create({ store, secrets, configured: config.rules, prompts });
  const defaults = { access: config.access, language };
  const door = new SipDoor({
    ...{ rooms, rules, pins, defaults, plan: config.numberPlan, askHook: options.askHook },
    flawOfDial: (dial) => gateway.flawOfDial(dial),
  });
  const records = new CallRecords({ store, ...config.records, log });
  const trunks = await Trunks.create({ store, secrets });
  const accounts = await SipAccounts.create({ store, secrets });
  const isExempt = (address: string) => isTrunkAddress(address, trunks.all);
  const bans = await Bans.create({ store, settings: config.bans, isExempt });
  const gateway = new SipGateway({
    ...{ rooms, meetings, phones, bridges, pictures, rules, pins, door, records },
    ...{ trunks, accounts, bans, store, defaults, config, recordCall, log },
  });
  return gateway;
}
