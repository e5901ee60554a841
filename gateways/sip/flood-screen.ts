// Owns: what becomes of a request outside any call before anything is made of it: in a flood, or where there is no room for
// calls, most are refused by the server itself. The rest go their whole way, and tell the log and the records why.
import { dialledOf } from '#core/dispatch.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import { isTrunkAddress, matchTrunk } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import type { CallTable } from './call-table.ts';
import { retryAfterMs as placeRetryMs } from './caller-places.ts';
import type { Defence } from './defence.ts';
import type { PasswordCheck } from './password-check.ts';
import { contactsIn } from './trunks/register-words.ts';
import type { TrunkLines } from './trunks/trunk-lines.ts';
import type { Unacknowledged } from './unacknowledged.ts';

export interface FloodScreenOptions {
  readonly calls: Pick<CallTable, 'problemOfNew'>;
  readonly defence: Pick<Defence, 'callWaitMs' | 'askWaitMs' | 'otherWaitMs' | 'countFlood'>;
  readonly unacknowledged: Pick<Unacknowledged, 'problemOf'>;
  readonly trunks: Pick<Trunks, 'all'>;
  readonly lines: Pick<TrunkLines, 'all'>;
  readonly accounts: Pick<SipAccounts, 'find'>;
  readonly passwords: Pick<PasswordCheck, 'claimedIn' | 'isAnswer'>;
  /** Whether whoever calls is asked for a password. */
  readonly callers: 'anyone' | 'known';
}

/** An INVITE that begins a call, or another request outside of any, as far as this goes. */
export interface ScreenedRequest {
  readonly method: string;
  readonly source: { readonly address: string; readonly port: number; readonly protocol: string };
  readonly uri: string;
  header(name: string): string | undefined;
}

/** 503 with the reason in Warning. */
export interface ScreenVerdict {
  readonly reason: string;
  readonly retryAfterMs: number;
}

/** So many a second of those that are refused leave a record and a line of the log, each at a thousand times the work. */
const recordedPerSecond = 10;
const flooded = 'There are too many new calls; try again later.';
const unasked = 'There are too many requests without a password.';
const tooMany = 'There are too many requests from this address.';

type Verdict = ScreenVerdict & { readonly isFlood: boolean; readonly isRecorded?: false };

export class FloodScreen {
  readonly #options: FloodScreenOptions;
  readonly #recorded = new TokenBucket(recordedPerSecond, recordedPerSecond * 2, performance.now());

  constructor(options: FloodScreenOptions) {
    this.#options = options;
  }

  /** @returns undefined for one that goes its whole way, also where it will be refused there */
  judge(request: ScreenedRequest): ScreenVerdict | undefined {
    const verdict = this.#verdictOn(request);
    if (!verdict) return undefined;
    const nowMs = performance.now();
    if (verdict.isRecorded !== false) {
      if (this.#recorded.take(nowMs) === 0) return undefined;
      this.#recorded.take(nowMs, -1);
    }
    if (verdict.isFlood) this.#options.defence.countFlood(request.source.address);
    return verdict;
  }

  #verdictOn(request: ScreenedRequest): Verdict | undefined {
    if (request.method === 'INVITE') return this.#ofCall(request);
    return request.method === 'REGISTER' ? this.#ofRegister(request) : this.#ofOther(request);
  }

  /** Who answers our challenge, or may still get one, is heard. */
  #ofRegister({ source: { address }, header }: ScreenedRequest): Verdict | undefined {
    const { defence, passwords } = this.#options;
    const waitMs = defence.askWaitMs(address);
    if (waitMs === 0 || passwords.isAnswer({ header }, address)) return undefined;
    return { reason: unasked, retryAfterMs: Math.max(1_000, waitMs), isFlood: true };
  }

  /** OPTIONS, MESSAGE and their like, which the application would answer as ever, without a word to the log. */
  #ofOther({ source: { address } }: ScreenedRequest): Verdict | undefined {
    const { defence, trunks } = this.#options;
    const waitMs = defence.otherWaitMs(address);
    if (waitMs === 0 || isTrunkAddress(address, trunks.all)) return undefined;
    return { reason: tooMany, retryAfterMs: Math.max(1_000, waitMs), isFlood: true, isRecorded: false };
  }

  #ofCall(call: ScreenedRequest): Verdict | undefined {
    const { calls, defence, unacknowledged } = this.#options;
    const { source } = call;
    const problem = calls.problemOfNew();
    if (problem) return { reason: problem.message, retryAfterMs: problem.retryAfterMs ?? placeRetryMs, isFlood: false };
    const waitMs = defence.callWaitMs(source.address);
    const places = waitMs > 0 ? undefined : unacknowledged.problemOf(source);
    if ((waitMs === 0 && places === undefined) || this.#isSomebody(call)) return undefined;
    if (places !== undefined) return { reason: places, retryAfterMs: placeRetryMs, isFlood: true };
    return { reason: flooded, retryAfterMs: Math.max(1_000, waitMs), isFlood: true };
  }

  /**
   * A trunk, or one that is asked for a password: where it answers that, or may still be asked. Anybody can write an
   * Authorization, so that one which nobody asked for says nothing.
   */
  #isSomebody({ source: { address }, uri, header }: ScreenedRequest): boolean {
    const { trunks, lines, defence, passwords } = this.#options;
    if (isTrunkAddress(address, trunks.all)) return true;
    const dialled = dialledOf(uri);
    if ([...lines.all].some((line) => line.isCalledBy(dialled))) return true;
    const claimed = passwords.claimedIn({ header }) ?? dialledOf(contactsIn(header('from') ?? '')[0]?.uri ?? '');
    if (!this.#isAsked(claimed, { address, dialled })) return false;
    return passwords.isAnswer({ header }, address) || defence.askWaitMs(address) === 0;
  }

  #isAsked(claimed: string, call: { readonly address: string; readonly dialled: string }): boolean {
    const { trunks, accounts, callers } = this.#options;
    if (callers === 'known' || accounts.find(claimed)?.isEnabled) return true;
    if (!trunks.all.some(({ inbound }) => inbound?.username !== undefined && inbound.username === claimed))
      return false;
    return matchTrunk(trunks.all, { ...call, username: claimed }).needsDigest;
  }
}
