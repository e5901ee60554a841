// Owns: who it is that calls: a trunk by its address, its password or the Contact that we registered; or nobody known.

import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import { GuessGuard } from '#core/guess-guard.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { TrunkCandidate, TrunkRecord } from '#core/trunk.ts';
import { matchTrunk } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import type { DigestServer } from './digest-server.ts';
import type { InboundCall } from './inbound-call.ts';
import type { TrunkLine } from './trunks/trunk-line.ts';
import type { TrunkLines } from './trunks/trunk-lines.ts';

export interface CallerCheckOptions {
  readonly trunks: Trunks;
  readonly lines: TrunkLines;
  readonly digest: DigestServer;
  /** `known`: who is neither a trunk nor an account is asked for a password, whatever it says of itself. */
  readonly callers: 'anyone' | 'known';
}

export interface Identity {
  readonly line: TrunkLine | undefined;
  /** What was called: the To of a call to our registered Contact, else the Request-URI. */
  readonly uri: string;
  /** Trunks that it is not from, and why. */
  readonly rejected: readonly TrunkCandidate[];
}

const minuteMs = 60_000;

export class CallerCheck {
  readonly #options: CallerCheckOptions;
  readonly #guard: GuessGuard;

  constructor(options: CallerCheckOptions) {
    this.#options = options;
    const limits = { free: 5, firstWaitMs: minuteMs / 2, maxWaitMs: 60 * minuteMs, forgetMs: 24 * 60 * minuteMs };
    this.#guard = new GuessGuard({ ...limits, what: 'wrong passwords from this address' });
  }

  /**
   * @returns undefined for one that was asked for a password: it comes again
   * @throws GatewayError `forbidden` (wrong password), `rate_limited` (too many of them)
   */
  check(call: InboundCall): Identity | undefined {
    const { trunks, lines, digest } = this.#options;
    const { source, uri } = call;
    const dialled = dialledOf(uri);
    const registered = [...lines.all].find(({ contactUser, trunk }) => trunk.isEnabled && contactUser === dialled);
    if (registered) return { line: registered, uri: calledIn(call) ?? uri, rejected: [] };
    const username = digest.usernameIn(call.header('authorization'));
    const match = matchTrunk(trunks.all, { address: source.address, username, dialled });
    const { trunk, rejected } = match;
    if (!trunk) {
      if (this.#options.callers === 'anyone') return { line: undefined, uri, rejected };
      return this.#prove(call, () => undefined) ? { line: undefined, uri, rejected } : undefined;
    }
    const passwordOf = (name: string) => (name === trunk.inbound?.username ? this.#passwordOf(trunk) : undefined);
    if (match.needsDigest && !this.#prove(call, passwordOf)) return undefined;
    return { line: lines.find(trunk.id), uri, rejected };
  }

  #passwordOf(trunk: TrunkRecord): string | undefined {
    return this.#options.trunks.passwordOf(trunk.inbound);
  }

  /** @returns false when it was asked */
  #prove(call: InboundCall, passwordOf: (username: string) => string | undefined): boolean {
    const { digest } = this.#options;
    const { address } = call.source;
    this.#guard.check(addressGroup(address));
    const verdict = digest.verify(call.header('authorization'), call, passwordOf);
    if (verdict.kind === 'right') {
      this.#guard.noteRight(addressGroup(address));
      return true;
    }
    if (verdict.kind === 'wrong') {
      this.#guard.noteWrong(addressGroup(address));
      throw new GatewayError('forbidden', 'The name or the password is wrong.');
    }
    call.respond(401, { headers: { 'www-authenticate': digest.challenge(verdict.isStale) } });
    return false;
  }
}

/** Address of To: carriers that call a registered Contact say there which number it was. */
function calledIn(call: Pick<InboundCall, 'header'>): string | undefined {
  const [, uri] =
    /<\s*((?:sips?|tel):[^>]{1,512})>|^\s*((?:sips?|tel):[^;>\s]{1,512})/i.exec(call.header('to') ?? '') ?? [];
  return uri;
}
