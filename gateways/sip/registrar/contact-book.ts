// Owns: which phones of which account are registered, and until when. Pure but for its memory.
import { EventEmitter } from 'node:events';
import type { AccountContact, AccountEvents, AccountRecord } from '#core/sip-account.ts';

export interface Binding extends AccountContact {
  /** Where requests to it go first (RFC 3327). */
  readonly path: string | undefined;
  /** What the phone calls itself, whatever address it has at the time (RFC 5626 §4.1). */
  readonly instance?: PhoneInstance | undefined;
  readonly callId: string;
  readonly cseq: number;
}

export interface PhoneInstance {
  /** `<urn:uuid:…>` */
  readonly id: string;
  /** Which of its ways to us, `1`; '' where it says none. */
  readonly regId: string;
}

/** What keeps a REGISTER from being done (RFC 3261 §10.3 steps 6 and 7). */
export type BookRefusal = 'out_of_order' | 'too_many';

export class ContactBook {
  readonly events = new EventEmitter<AccountEvents>();
  /** Each time, for whoever keeps them. */
  readonly changes = new EventEmitter<{ changed: [accountId: string, bindings: readonly Binding[]] }>();
  readonly #nowMs: () => number;
  readonly #accounts = new Map<string, { account: AccountRecord; bindings: readonly Binding[] }>();

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  /** Those that hold, the newest first. */
  of(accountId: string): readonly Binding[] {
    const nowMs = this.#nowMs();
    return (this.#accounts.get(accountId)?.bindings ?? []).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  }

  accountAt(contact: string): AccountRecord | undefined {
    for (const { account } of this.#accounts.values()) {
      if (this.of(account.id).some(({ uri }) => sameContact(uri, contact))) return account;
    }
    return undefined;
  }

  get onlineCount(): number {
    return [...this.#accounts.keys()].filter((id) => this.of(id).length > 0).length;
  }

  /**
   * All or nothing. A phone that comes back at another address takes the place of what it was: it is known by its
   * instance, or, where there are too many, by its name from the address that it comes from.
   * @param given those with no time left are taken out
   */
  update(account: AccountRecord, given: readonly Binding[]): BookRefusal | undefined {
    const nowMs = this.#nowMs();
    const known = this.of(account.id);
    for (const { uri, callId, cseq } of given) {
      const before = known.find((one) => sameContact(one.uri, uri));
      if (before && before.callId === callId && before.cseq >= cseq) return 'out_of_order';
    }
    const others = known.filter((one) => !given.some((now) => sameContact(now.uri, one.uri) || sameInstance(now, one)));
    const added = given.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    const kept = added.length === 0 ? others : withRoomFor(added, others, account.maxContacts);
    if (!kept) return 'too_many';
    this.#set(account, [...added, ...kept]);
    return undefined;
  }

  /** As they were before a restart; whoever has registered since counts more. */
  restore(account: AccountRecord, bindings: readonly Binding[]): void {
    if (this.#accounts.has(account.id)) return;
    const nowMs = this.#nowMs();
    const left = bindings.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    if (left.length === 0) return;
    // No change: whoever keeps them has them from there.
    this.#accounts.set(account.id, { account, bindings: left.slice(0, account.maxContacts) });
    this.events.emit('online', account);
  }

  /** Of all phones of the account: `Contact: *`, or it was deleted or disabled. */
  clear(account: AccountRecord): void {
    this.#set(account, []);
  }

  /** Tells of those whose time is over. */
  sweep(): void {
    for (const { account, bindings } of this.#accounts.values()) {
      const left = this.of(account.id);
      if (left.length < bindings.length) this.#set(account, left);
    }
  }

  #set(account: AccountRecord, bindings: readonly Binding[]): void {
    const wasOnline = (this.#accounts.get(account.id)?.bindings.length ?? 0) > 0;
    if (bindings.length === 0) this.#accounts.delete(account.id);
    else this.#accounts.set(account.id, { account, bindings });
    this.changes.emit('changed', account.id, bindings);
    const isOnline = bindings.length > 0;
    if (isOnline !== wasOnline) this.events.emit(isOnline ? 'online' : 'offline', account);
  }
}

/** @param others the newest first @returns undefined where more are there than may be */
function withRoomFor(added: readonly Binding[], others: readonly Binding[], most: number): Binding[] | undefined {
  const kept = [...others];
  while (added.length + kept.length > most) {
    const oldest = kept.findLastIndex((one) => added.some((now) => isPerhapsSame(now, one)));
    if (oldest < 0) return undefined;
    kept.splice(oldest, 1);
  }
  return kept;
}

/** RFC 5626 §6: the binding of the same instance by the same way is the same one. */
function sameInstance({ instance: one }: Binding, { instance: other }: Binding): boolean {
  return one !== undefined && other !== undefined && one.id === other.id && one.regId === other.regId;
}

/** A phone that was restarted, and tells of no instance: what it was before would keep it out until its time is over. */
function isPerhapsSame(one: Binding, other: Binding): boolean {
  if (one.instance !== undefined || other.instance !== undefined || one.userAgent === '') return false;
  return one.userAgent === other.userAgent && hostOf(one.source) === hostOf(other.source);
}

function hostOf(source: string): string {
  return source.replace(/:\d+$/, '');
}

/** As much of RFC 3261 §19.1.4 as tells two phones apart: user and host with port, without parameters. */
function sameContact(one: string, other: string): boolean {
  const bare = (uri: string) =>
    uri
      .replace(/^sips?:/i, '')
      .replace(/[;?].*$/s, '')
      .toLowerCase();
  return bare(one) === bare(other);
}
