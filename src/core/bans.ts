// Owns: addresses that are not listened to: those that did wrong too often, for longer each time, and those that somebody named.
import { EventEmitter } from 'node:events';
import { flawOfRange, isAddressIn, RangeIndex } from './address-ranges.ts';
import { GatewayError } from './errors.ts';
import { randomText } from './ids.ts';
import { MadeAt } from './made-at.ts';
import { addressGroup } from './net-policy.ts';
import type { StorePort } from './store-port.ts';
import { TokenBucket } from './token-bucket.ts';

export interface Ban {
  readonly id: string;
  /** One address, or a range where somebody named it. */
  readonly address: string;
  readonly source: 'auto' | 'api';
  readonly reason: string;
  readonly createdAtMs: number;
  /** Absent: until it is deleted. */
  readonly untilMs: number | undefined;
}

export interface BanInput {
  readonly address: string;
  readonly durationSec?: number | undefined;
  readonly reason?: string | undefined;
}

export interface BanSettings {
  readonly isEnabled: boolean;
  /** Offences that are borne, one more each minute. */
  readonly tolerance: number;
  readonly firstBanMs: number;
  readonly maxBanMs: number;
  /** Ranges that are never banned by themselves. */
  readonly exemptNetworks: readonly string[];
}

export interface BansOptions {
  readonly store: StorePort;
  readonly settings: BanSettings;
  /** Others that are never banned by themselves: addresses of trunks. */
  readonly isExempt?: (address: string) => boolean;
  readonly nowMs?: () => number;
}

interface Offender {
  readonly bucket: TokenBucket;
  banCount: number;
}

const collection = 'sip-bans';
const maxKept = 10_000;
const maxOffenders = 50_000;
const growth = 4;

export class Bans {
  readonly events = new EventEmitter<{ banned: [ban: Ban] }>();
  readonly #options: BansOptions;
  readonly #nowMs: () => number;
  readonly #madeAt = new MadeAt();
  readonly #offenders = new Map<string, Offender>();
  /** By group of addresses. */
  readonly #auto = new Map<string, Ban>();
  #manual: readonly Ban[] = [];
  #manualRanges = new RangeIndex<Ban>();

  static async create(options: BansOptions): Promise<Bans> {
    const bans = new Bans(options);
    await bans.#refresh();
    return bans;
  }

  private constructor(options: BansOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Those that hold, the newest first. */
  get all(): readonly Ban[] {
    const holding = [...this.#auto.values(), ...this.#manual].filter((ban) => this.#holds(ban));
    return holding.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** Asked for each packet. */
  isBanned(address: string): boolean {
    const auto = this.#auto.size === 0 ? undefined : this.#auto.get(addressGroup(address));
    if (auto && this.#holds(auto)) return true;
    return this.#manualRanges.some(address, (ban) => this.#holds(ban));
  }

  /**
   * It did wrong: more than is borne, and it is banned for longer than the last time.
   * @param weight of it; 1 for a wrong password
   */
  note(address: string, reason: string, weight = 1): void {
    const { settings, isExempt } = this.#options;
    if (!settings.isEnabled || isExempt?.(address) || isAddressIn(address, settings.exemptNetworks)) return;
    const nowMs = this.#nowMs();
    const group = addressGroup(address);
    const offender = this.#offenderOf(group, nowMs);
    if (offender.bucket.take(nowMs, weight) === 0 || this.isBanned(address)) return;
    const banMs = Math.min(settings.maxBanMs, settings.firstBanMs * growth ** Math.min(10, offender.banCount));
    offender.banCount += 1;
    const ban: Ban = {
      id: `SB_${randomText(12)}`,
      address,
      source: 'auto',
      reason,
      createdAtMs: this.#madeAt.next(nowMs),
      untilMs: nowMs + banMs,
    };
    this.#auto.delete(group);
    this.#auto.set(group, ban);
    dropOldest(this.#auto, maxKept);
    this.events.emit('banned', ban);
  }

  /** @throws GatewayError `invalid_request` (no address), `limit_reached` */
  async create({ address, durationSec, reason = 'Banned by hand.' }: BanInput): Promise<Ban> {
    const flaw = flawOfRange(address);
    if (flaw)
      throw new GatewayError('invalid_request', `"address": ${flaw}`, { fields: [{ path: 'address', message: flaw }] });
    if (this.#manual.length >= maxKept) throw new GatewayError('limit_reached', `There are ${maxKept} bans already.`);
    const createdAtMs = this.#madeAt.next(this.#nowMs());
    const untilMs = durationSec === undefined ? undefined : createdAtMs + durationSec * 1_000;
    const ban: Ban = { id: `SB_${randomText(12)}`, address, source: 'api', reason, createdAtMs, untilMs };
    await this.#options.store.put(collection, ban.id, ban, 0);
    await this.#refresh();
    this.events.emit('banned', ban);
    return ban;
  }

  /** @throws GatewayError `not_found` */
  get(id: string): Ban {
    const found = this.all.find((ban) => ban.id === id);
    if (!found) throw new GatewayError('not_found', 'There is no such ban, or it is over.');
    return found;
  }

  /** Listens to it again, and forgets what it did. @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    const { source, address } = this.get(id);
    if (source === 'auto') {
      this.#auto.delete(addressGroup(address));
      this.#offenders.delete(addressGroup(address));
      return;
    }
    await this.#options.store.delete(collection, id);
    await this.#refresh();
  }

  #holds({ untilMs }: Ban): boolean {
    return untilMs === undefined || untilMs > this.#nowMs();
  }

  #offenderOf(group: string, nowMs: number): Offender {
    const { tolerance } = this.#options.settings;
    const known = this.#offenders.get(group) ?? { bucket: new TokenBucket(1 / 60, tolerance, nowMs), banCount: 0 };
    // Put in again, so that those who did nothing for longest are forgotten first.
    this.#offenders.delete(group);
    this.#offenders.set(group, known);
    dropOldest(this.#offenders, maxOffenders);
    return known;
  }

  async #refresh(): Promise<void> {
    const { store } = this.#options;
    const stored = await store.list<Ban>(collection, { limit: maxKept });
    for (const { value } of stored) if (!this.#holds(value)) await store.delete(collection, value.id);
    this.#manual = stored.map(({ value }) => value).filter((ban) => this.#holds(ban));
    this.#manualRanges = new RangeIndex(this.#manual.map((ban) => [ban.address, ban]));
  }
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  const [oldest] = map.size > max ? map.keys() : [];
  if (oldest !== undefined) map.delete(oldest);
}
