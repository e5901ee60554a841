// Owns: how many calls of one caller may be in a state that costs us a place and lets it do nothing: one that is asked for a
// PIN, one whose ACK has not come. Each of them holds ports.
import { isAddressIn } from '#core/address-ranges.ts';
import { GatewayError } from '#core/errors.ts';
import { HeldCounts } from '#core/held-counts.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Defence } from './defence.ts';
import type { InboundRequest } from './inbound-call.ts';

export interface CallerPlacesOptions {
  readonly perAddress: number;
  readonly perTrunk: number;
  /** Not bound, unless they are trunks. */
  readonly exemptNetworks: readonly string[];
  readonly defence: Pick<Defence, 'note'>;
  /** Of those calls, after their number: `wait for their ACK`. */
  readonly what: string;
}

export type PlaceAsked = Pick<InboundRequest, 'source' | 'callId'>;

/** Who calls, where that is known: a carrier has many calls from one address, and several people may have one address. */
export interface PlaceOwner {
  readonly line?: { readonly trunk: { readonly id: string; readonly name: string } } | undefined;
  readonly account?: { readonly username: string } | undefined;
}

export const retryAfterMs = 5_000;

export class CallerPlaces {
  readonly #options: CallerPlacesOptions;
  readonly #counts = new HeldCounts();

  constructor(options: CallerPlacesOptions) {
    this.#options = options;
  }

  /** @throws GatewayError `rate_limited`, with the reason and when to try again */
  assertFree(asked: PlaceAsked, owner: PlaceOwner): void {
    const problem = this.problemOf(asked, owner);
    if (problem === undefined) return;
    if (!owner.line && !owner.account) this.#options.defence.note('flood', asked);
    throw new GatewayError('rate_limited', problem, { retryAfterMs });
  }

  /** @returns why it has to wait, for people; undefined where there is a place */
  problemOf({ source }: Pick<PlaceAsked, 'source'>, owner: PlaceOwner): string | undefined {
    const { perAddress, perTrunk, exemptNetworks, what } = this.#options;
    const { line, account } = owner;
    const count = this.#counts.of(keyOf(source, owner));
    if (count < (line ? perTrunk : perAddress)) return undefined;
    if (!line && !account && isAddressIn(source.address, exemptNetworks)) return undefined;
    const whose = line ? `the trunk "${line.trunk.name}"` : account ? `"${account.username}"` : 'this address';
    return `${count} calls of ${whose} ${what}, which is the most.`;
  }

  /** @returns gives it back; more than once does no harm */
  take(asked: PlaceAsked, owner: PlaceOwner): () => void {
    return this.#counts.take(keyOf(asked.source, owner));
  }
}

function keyOf(source: PlaceAsked['source'], { line, account }: PlaceOwner): string {
  if (line) return `trunk ${line.trunk.id}`;
  return account ? `account ${account.username}` : addressGroup(source.address);
}
