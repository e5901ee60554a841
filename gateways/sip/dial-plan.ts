// Owns: where a call of ours goes and as whom: straight to an address, or through a trunk. May import: core, its siblings.
import type { DialOptions } from '#core/call.ts';
import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import type { AccountContact, AccountRecord } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import { type IdentityHeader, isNumberIn, type TrunkMedia, type TrunkOutbound } from '#core/trunk.ts';
import { anonymous, hidesCaller } from './caller.ts';
import { assertDialable, inviteHeaders } from './dial-request.ts';
import type { SipCredentials } from './digest.ts';
import type { HuntOptions, HuntTarget } from './hunt.ts';
import type { Headers } from './srf-shapes.ts';
import { defaultNoAnswerMs, type TrunkLine } from './trunks/trunk-line.ts';
import type { TrunkLines } from './trunks/trunk-lines.ts';

export interface DialPlan {
  /** Shown in lists: the address, or the number that goes through the trunk. */
  readonly to: string;
  readonly from: string;
  readonly headers: Headers;
  readonly credentials: SipCredentials | undefined;
  readonly hunt: HuntOptions;
  readonly line: TrunkLine | undefined;
  readonly account: AccountRecord | undefined;
  /** In the room, instead of the number. */
  readonly displayName: string | undefined;
  readonly media: TrunkMedia | undefined;
}

export interface PhoneBook {
  readonly accounts: Pick<SipAccounts, 'find'>;
  readonly phonesOf: (
    account: string,
  ) => readonly (Pick<AccountContact, 'uri' | 'source'> & { readonly path: string | undefined })[];
}

export interface DialPlanParts {
  readonly phones: PhoneBook;
  readonly lines: Pick<TrunkLines, 'outbound'>;
  readonly roomName: string;
  /** Headers that calls may bring besides the usual ones. */
  readonly allowedHeaders: readonly string[];
}

const numberPattern = /^[+\w.!~*'()&=$,#-]{1,128}$/;

/** @throws GatewayError `invalid_request`, `not_found` (trunk), `unprocessable` (trunk that is disabled) */
export function planOf(options: DialOptions, parts: DialPlanParts): DialPlan {
  if (options.trunk !== undefined) return planByTrunk(options, parts.lines.outbound(options.trunk), parts);
  if (/^[\w.+~-]{1,64}$/.test(options.to)) return planToAccount(options, parts);
  assertDialable(options.to);
  if (options.proxy !== undefined) assertDialable(options.proxy, 'proxy');
  return {
    ...{ to: options.to, from: options.from ?? parts.roomName, credentials: options.credentials },
    headers: inviteHeaders(options, parts.roomName, parts.allowedHeaders),
    hunt: { targets: [{ uri: options.to, proxy: options.proxy }] },
    ...{ line: undefined, account: undefined, displayName: undefined, media: undefined },
  };
}

/** All its phones ring; the first that answers has the call. */
function planToAccount(options: DialOptions, { phones, roomName, allowedHeaders }: DialPlanParts): DialPlan {
  const account = phones.accounts.find(options.to);
  if (!account) {
    const message =
      'is no SIP address, and no account has that name; write sip:user@host, or name a trunk for a number.';
    throw new GatewayError('invalid_request', `"to" ${message}`, { fields: [{ path: 'to', message }] });
  }
  const found = phones.phonesOf(account.id);
  if (found.length === 0) {
    throw new GatewayError('unprocessable', `No phone of the account "${account.username}" is registered now.`);
  }
  return {
    ...{ to: `sip:${account.username}`, from: options.from ?? roomName, credentials: options.credentials },
    headers: inviteHeaders(options, roomName, allowedHeaders),
    hunt: { targets: found.map(phoneTarget), isTogether: true },
    ...{ line: undefined, account, displayName: account.displayName ?? account.username, media: undefined },
  };
}

/** What registered by way of a proxy is not where that one is. */
function phoneTarget({ uri, path, source }: ReturnType<PhoneBook['phonesOf']>[number]): HuntTarget {
  const address = /^\w+\/\[?([^\]]+)\]?:\d+$/.exec(source)?.[1];
  return { uri, proxy: path, ...(path === undefined && { address }) };
}

function planByTrunk(options: DialOptions, line: TrunkLine, parts: DialPlanParts): DialPlan {
  const { trunk } = line;
  const outbound = trunk.outbound as TrunkOutbound;
  const number = numberOf(options.to);
  const domain = outbound.domain ?? (outbound.hosts[0] ?? '').replace(/:\d+$/, '');
  const shown = shownNumber(options.from, outbound, trunk.name);
  const displayName = options.displayName ?? outbound.callerId?.displayName;
  const isPrivate = hidesCaller(privacyIn(options.headers));
  const identity = identityOf({ shown, displayName, domain, outbound, isPrivate, roomName: parts.roomName });
  const allowed = [...parts.allowedHeaders, ...(trunk.headers?.allowed ?? [])];
  const named = { ...options, displayName: identity.displayName, from: identity.from };
  const headers = inviteHeaders(named, parts.roomName, allowed);
  return {
    ...{ to: `sip:${number}@${domain}`, from: shown ?? outbound.username ?? parts.roomName },
    headers: { ...headers, ...identity.headers },
    credentials: options.credentials ?? line.credentials,
    hunt: {
      targets: line.targetsFor(number),
      noAnswerMs: outbound.noAnswerMs ?? defaultNoAnswerMs,
      onResult: (host, failure) => line.noteHost(host, failure),
    },
    ...{ line, account: undefined, displayName: undefined, media: trunk.media },
  };
}

/** `+4930123`, `tel:+49-30-123` and `sip:+4930123@anywhere` are all the same to a trunk. */
function numberOf(to: string): string {
  const number = /^(sips?|tel):/i.test(to) ? dialledOf(to) : dialledOf(`tel:${to}`);
  if (number !== '' && numberPattern.test(number)) return number;
  const message = 'is no number or name that a trunk could call.';
  throw new GatewayError('invalid_request', `"to" ${message}`, { fields: [{ path: 'to', message }] });
}

function shownNumber(from: string | undefined, { callerId }: TrunkOutbound, trunk: string): string | undefined {
  if (from === undefined) return callerId?.number;
  const number = /^(sips?|tel):/i.test(from) ? dialledOf(from) : from;
  const allowed = callerId?.allowed;
  if (!allowed || number === callerId?.number || isNumberIn(number, allowed)) return number;
  const message = `is no number that the trunk "${trunk}" may show (outbound.callerId.allowed).`;
  throw new GatewayError('invalid_request', `"from" ${message}`, { fields: [{ path: 'from', message }] });
}

interface IdentityParts {
  readonly shown: string | undefined;
  readonly displayName: string | undefined;
  readonly domain: string;
  readonly outbound: TrunkOutbound;
  readonly roomName: string;
  /** The carrier is told who calls, and is to tell nobody. */
  readonly isPrivate: boolean;
}

interface CallerIdentity {
  readonly from: string;
  readonly displayName: string | undefined;
  readonly headers: Headers;
}

/** Many carriers refuse a From that is not the account's own, and take the number from a header beside it. */
function identityOf({ shown, displayName, domain, outbound, roomName, isPrivate }: IdentityParts): CallerIdentity {
  const { username, callerId } = outbound;
  const header = callerId?.header ?? 'from';
  const address = (user: string) => `sip:${user}@${domain}`;
  if (header === 'from' || shown === undefined) {
    return { from: address(shown ?? username ?? roomName), displayName, headers: {} };
  }
  const name = displayName === undefined ? '' : `"${displayName.replaceAll(/["\\\p{C}]/gu, '')}" `;
  const headers = { [header]: `${name}<${address(shown)}>${suffixOf(header, isPrivate)}` };
  // RFC 3325 §9.3 has that header taken off; what From says is our own affair (RFC 3323 §4.1).
  if (isPrivate) return { from: anonymous.uri, displayName: anonymous.displayName, headers };
  return { from: address(username ?? shown), displayName, headers };
}

function suffixOf(header: IdentityHeader, isPrivate: boolean): string {
  if (header === 'diversion') return ';reason=unconditional';
  return header === 'remote-party-id' ? `;party=calling;screen=yes;privacy=${isPrivate ? 'full' : 'off'}` : '';
}

function privacyIn(headers: DialOptions['headers'] = {}): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === 'privacy')?.[1];
}
