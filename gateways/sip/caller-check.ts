// Owns: who it is that calls: a trunk by its address, its password or the Contact that we registered; an account; or nobody known.
import { dialledOf } from '#core/dispatch.ts';
import type { AccountRecord } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import { matchTrunk, type TrunkCandidate } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import type { InboundCall } from './inbound-call.ts';
import type { PasswordCheck } from './password-check.ts';
import { contactsIn } from './trunks/register-words.ts';
import type { TrunkLine } from './trunks/trunk-line.ts';
import type { TrunkLines } from './trunks/trunk-lines.ts';

export interface CallerCheckOptions {
  readonly trunks: Trunks;
  readonly lines: TrunkLines;
  readonly accounts: SipAccounts;
  readonly passwords: PasswordCheck;
  /** `known`: who is neither a trunk nor an account is asked for a password, whatever it says of itself. */
  readonly callers: 'anyone' | 'known';
}

export interface Identity {
  readonly line?: TrunkLine | undefined;
  readonly account?: AccountRecord | undefined;
  /** What was called: the To of a call to our registered Contact, or of a trunk that says it there; else the Request-URI. */
  readonly uri: string;
  /** Trunks that it is not from, and why. */
  readonly rejected: readonly TrunkCandidate[];
}

export class CallerCheck {
  readonly #options: CallerCheckOptions;

  constructor(options: CallerCheckOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined for one that was asked for a password: it comes again
   * @throws GatewayError `forbidden` (wrong password), `rate_limited` (too many of them)
   */
  check(call: InboundCall): Identity | undefined {
    const { trunks, lines, passwords } = this.#options;
    const { source, uri } = call;
    const dialled = dialledOf(uri);
    const registered = [...lines.all].find((line) => line.isCalledBy(dialled));
    // Carriers that call a registered Contact say in To which number it was.
    if (registered) return { line: registered, uri: addressIn(call, 'to') ?? uri, rejected: [] };
    const claimed = passwords.claimedIn(call) ?? dialledOf(addressIn(call, 'from') ?? '');
    const { trunk, needsDigest, rejected } = matchTrunk(trunks.all, {
      ...{ address: source.address, username: claimed, dialled },
      dialledInTo: dialledOf(addressIn(call, 'to') ?? '') || undefined,
    });
    if (!trunk) return this.#checkAccount(call, claimed, rejected);
    if (needsDigest) {
      const passwordOf = (name: string) =>
        name === trunk.inbound?.username ? trunks.passwordOf(trunk.inbound) : undefined;
      if (passwords.prove(call, passwordOf) === undefined) return undefined;
    }
    const called = trunk.inbound?.numberIn === 'to' ? (addressIn(call, 'to') ?? uri) : uri;
    return { line: lines.find(trunk.id), uri: called, rejected };
  }

  /** Whoever says it is an account has to show it: otherwise anybody could call under its name. */
  #checkAccount(call: InboundCall, claimed: string, rejected: readonly TrunkCandidate[]): Identity | undefined {
    const { accounts, passwords, callers } = this.#options;
    const { uri } = call;
    if (callers === 'anyone' && !accounts.find(claimed)?.isEnabled) return { uri, rejected };
    const username = passwords.prove(call, (name) => accounts.passwordOf(name));
    return username === undefined ? undefined : { account: accounts.find(username), uri, rejected };
  }
}

function addressIn(call: Pick<InboundCall, 'header'>, header: 'to' | 'from'): string | undefined {
  return contactsIn(call.header(header) ?? '')[0]?.uri;
}
