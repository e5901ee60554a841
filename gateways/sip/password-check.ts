// Owns: proof that a request is from who it says: asks for a password, and counts the wrong ones.
import { GatewayError } from '#core/errors.ts';
import { GuessGuard, LockedOut } from '#core/guess-guard.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Defence } from './defence.ts';
import type { DigestServer } from './digest-server.ts';
import type { InboundRequest } from './inbound-call.ts';

const minuteMs = 60_000;
const maxKnownPlaces = 50_000;

export class PasswordCheck {
  readonly #digest: DigestServer;
  readonly #defence: Defence;
  readonly #guard: GuessGuard;
  readonly #byUser: GuessGuard;
  /** Of an account: addresses that have shown its password; what others guess at it does not hold them up. */
  readonly #knownPlaces = new Set<string>();

  constructor(digest: DigestServer, defence: Defence) {
    this.#digest = digest;
    this.#defence = defence;
    const limits = { free: 5, firstWaitMs: minuteMs / 2, maxWaitMs: 60 * minuteMs, forgetMs: 24 * 60 * minuteMs };
    this.#guard = new GuessGuard({ ...limits, what: 'wrong passwords from this address' });
    // Many addresses guessing at one account: slowed down, but not so that its owner stays out for long.
    const forUser = { free: 30, firstWaitMs: 5_000, maxWaitMs: 5 * minuteMs, forgetMs: 60 * minuteMs };
    this.#byUser = new GuessGuard({ ...forUser, what: 'wrong passwords for this account' });
  }

  /** Who it says it is, without proof. */
  claimedIn(request: Pick<InboundRequest, 'header'>): string | undefined {
    return this.#digest.usernameIn(request.header('authorization'));
  }

  /** Whether it answers a challenge of ours that is still taken: it was asked, and heard that. No proof of anything else. */
  isAnswer(request: Pick<InboundRequest, 'header'>, address: string): boolean {
    return this.#digest.isAnswer(request.header('authorization'), address);
  }

  /**
   * @returns who it is; undefined when it was asked for a password, and comes again
   * @throws GatewayError `forbidden` (wrong), `rate_limited` (too many wrong ones, or asked too often without showing any)
   */
  prove(request: InboundRequest, passwordOf: (username: string) => string | undefined): string | undefined {
    const group = addressGroup(request.source.address);
    const user = (this.claimedIn(request) ?? '').toLowerCase();
    const place = `${group} ${user}`;
    this.#assertMayTry(request, group, this.#knownPlaces.has(place) ? '' : user);
    const verdict = this.#digest.verify(request.header('authorization'), request, passwordOf);
    if (verdict.kind === 'right') {
      this.#guard.noteRight(group);
      this.#remember(place);
      return verdict.username;
    }
    if (verdict.kind === 'wrong') {
      this.#guard.noteWrong(group);
      this.#byUser.noteWrong(user);
      this.#defence.note('wrong_password', request);
      throw new GatewayError('forbidden', 'The name or the password is wrong.');
    }
    this.#defence.assertMayAsk(request);
    request.respond(401, {
      headers: { 'www-authenticate': this.#digest.challenge(request.source.address, verdict.isStale) },
    });
    return undefined;
  }

  /** @throws LockedOut */
  #assertMayTry(request: InboundRequest, group: string, user: string): void {
    try {
      this.#guard.check(group);
      if (user !== '') this.#byUser.check(user);
    } catch (thrown) {
      if (thrown instanceof LockedOut) this.#defence.note('locked_out', request);
      throw thrown;
    }
  }

  #remember(place: string): void {
    this.#knownPlaces.delete(place);
    this.#knownPlaces.add(place);
    const [oldest] = this.#knownPlaces.size > maxKnownPlaces ? this.#knownPlaces : [];
    if (oldest !== undefined) this.#knownPlaces.delete(oldest);
  }
}
