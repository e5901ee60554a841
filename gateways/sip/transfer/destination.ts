// Owns: where a phone may hand its call to: accounts, numbers that the operator named, and back to where it comes from.
import type { SipConfig } from '#config/schema.ts';
import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import { isNumberIn } from '#core/trunk.ts';
import type { PhoneBook } from '../dial-plan.ts';
import type { Headers } from '../srf-shapes.ts';
import { type ReferTarget, replacesHeader } from './refer-words.ts';

export interface Destination {
  /** An address of ours that is none of a phone: `to` is what was dialled. */
  readonly isRoom?: true | undefined;
  /** As `DialOptions` has them. */
  readonly to: string;
  readonly trunk?: string | undefined;
  /** Of the INVITE, besides. */
  readonly headers: Headers;
}

export interface DestinationParts {
  readonly transfer: SipConfig['transfer'];
  readonly accounts: PhoneBook['accounts'];
  /** Username of the account one of whose phones is there. */
  readonly accountAt: (contact: string) => string | undefined;
  /** `host` or `host:port` of this gateway. */
  readonly isOurs: (host: string) => boolean;
}

/** The phone that asks. */
export interface Referrer {
  /** Where its INVITE came from. */
  readonly sourceAddress: string | undefined;
}

/** @throws GatewayError `forbidden` with the reason: whoever may be in a room may not call everywhere at our cost */
export function destinationOf(target: ReferTarget, from: Referrer, parts: DestinationParts): Destination {
  const { transfer } = parts;
  if (!transfer.isEnabled) throw new GatewayError('forbidden', 'Phones may not transfer calls here (sip.transfer).');
  return target.replaces ? attended(target, from, parts) : blind(target.uri, from, parts);
}

function blind(uri: string, from: Referrer, parts: DestinationParts): Destination {
  const { transfer, accounts, accountAt, isOurs } = parts;
  const allows = (what: (typeof transfer.to)[number]) => transfer.to.includes(what);
  const user = dialledOf(uri);
  const host = hostOf(uri);
  const account = isOurs(host) ? accounts.find(user)?.username : accountAt(uri);
  if (account !== undefined && allows('accounts')) return { to: account, headers: {} };
  if (transfer.trunk !== undefined && isNumberIn(user, transfer.numbers)) {
    return { to: user, trunk: transfer.trunk, headers: {} };
  }
  if (isOurs(host) && allows('rooms')) return { isRoom: true, to: uri, headers: {} };
  if (allows('peers') && isBack(uri, from)) return { to: uri, headers: {} };
  throw new GatewayError(
    'forbidden',
    `Calls are not transferred to "${`${user}@${host}`.slice(0, 96)}" here (sip.transfer).`,
  );
}

/** Of a call that the phone has already, elsewhere: whoever has it takes us for the phone, or takes nothing (RFC 3891 §6.1). */
function attended(
  { uri, replaces }: ReferTarget,
  from: Referrer,
  { transfer, accountAt, isOurs }: DestinationParts,
): Destination {
  if (isOurs(hostOf(uri))) {
    throw new GatewayError(
      'forbidden',
      'Both calls are with this gateway: rooms are not joined by a transfer; move the call instead.',
    );
  }
  const account = accountAt(uri);
  if (!transfer.to.includes('attended') || !(account !== undefined || isBack(uri, from))) {
    throw new GatewayError(
      'forbidden',
      'A call is handed only to where the phone that asks for it calls from, or to a phone that is registered here.',
    );
  }
  const headers: Headers = replaces ? { replaces: replacesHeader(replaces), require: 'replaces' } : {};
  return { to: uri, headers };
}

/** The address that the phone called from can be reached by it without us. */
function isBack(uri: string, { sourceAddress }: Referrer): boolean {
  return sourceAddress !== undefined && hostOf(uri).replace(/:\d+$/, '').replaceAll(/[[\]]/g, '') === sourceAddress;
}

/** `host:port` as it is written. */
function hostOf(uri: string): string {
  return (/^sips?:(?:[^@]*@)?(\[[^\]]*\](?::\d+)?|[^;>?]+)/i.exec(uri)?.[1] ?? '').toLowerCase();
}
