// Owns: what a trunk is: a carrier or PBX that may call us and that we call through; and whose call one is. Pure. May import: core only.
import { isAddressIn } from './address-ranges.ts';
import type { LegCodec } from './leg-media.ts';
import type { RecordOption } from './recorded-call.ts';

export const trunkTransports = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
export type TrunkTransport = (typeof trunkTransports)[number];

/** Where the number that is shown goes, besides From for those that take none of it but their own user there. */
export const identityHeaders = [
  'from',
  'p-asserted-identity',
  'p-preferred-identity',
  'remote-party-id',
  'diversion',
] as const;
export type IdentityHeader = (typeof identityHeaders)[number];

/** At once and per second; absent: as many as the gateway takes. */
export interface TrunkLimits {
  readonly maxCalls?: number | undefined;
  readonly callsPerSecond?: number | undefined;
}

interface TrunkSide extends TrunkLimits {
  /** Whether and how its calls are recorded. */
  readonly record?: RecordOption | undefined;
}

export const numberPlaces = ['request-uri', 'to'] as const;

/** Calls that come from it: known by address, by name and password, or by both where both are given. */
export interface TrunkInbound extends TrunkSide {
  /** CIDR ranges; compared with where the packet came from, whatever its headers say. */
  readonly addresses?: readonly string[] | undefined;
  readonly username?: string | undefined;
  /** Called numbers that it may bring, `+4930123` or `+4930*`; absent or empty: all. */
  readonly numbers?: readonly string[] | undefined;
  /** Where it says which number was called: some write their own account into the Request-URI, and the number into To. */
  readonly numberIn?: (typeof numberPlaces)[number] | undefined;
}

export interface TrunkCallerId {
  /** Shown where a call does not say. */
  readonly number?: string | undefined;
  readonly displayName?: string | undefined;
  /** Others that a call may show, `+4930*`; absent: all. */
  readonly allowed?: readonly string[] | undefined;
  readonly header?: IdentityHeader | undefined;
}

export interface TrunkRegistration {
  /** Asked for, seconds. */
  readonly expiresSec?: number | undefined;
  /** User part of the Contact; one that nobody can guess unless said. */
  readonly contactUser?: string | undefined;
}

/** Calls that go out through it. */
export interface TrunkOutbound extends TrunkSide {
  /** `pbx.example`, `192.0.2.7:5080`: tried in this order. */
  readonly hosts: readonly string[];
  readonly transport?: TrunkTransport | undefined;
  readonly username?: string | undefined;
  /** In the digest, where it is not `username`. */
  readonly authUsername?: string | undefined;
  /** Host part of From and To; the first of `hosts` unless said. */
  readonly domain?: string | undefined;
  /** A host that says nothing for so long is given up for the next. */
  readonly noAnswerMs?: number | undefined;
  readonly callerId?: TrunkCallerId | undefined;
  /** Present: we register there. */
  readonly registration?: TrunkRegistration | undefined;
  /** Between OPTIONS to each host, seconds; 0 sends none. */
  readonly keepAliveSec?: number | undefined;
}

export const mediaServers = ['native', 'freeswitch'] as const;
/** Who has the media of a call: the gateway itself, or FreeSWITCH in front of it. */
export type MediaServerKind = (typeof mediaServers)[number];

export interface TrunkMedia {
  readonly server?: MediaServerKind | undefined;
  readonly codecs?: readonly LegCodec[] | undefined;
  readonly srtp?: 'off' | 'allow' | 'require' | undefined;
}

export interface TrunkHeaders {
  /** Of calls in, that become attributes of the participant. */
  readonly attributes?: readonly string[] | undefined;
  /** That calls out may bring besides the usual ones. */
  readonly allowed?: readonly string[] | undefined;
}

interface TrunkBase {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly media?: TrunkMedia | undefined;
  readonly headers?: TrunkHeaders | undefined;
}

/** As it is kept: passwords sealed. */
export interface TrunkRecord extends TrunkBase {
  readonly id: string;
  readonly createdAtMs: number;
  readonly inbound?: (TrunkInbound & { readonly sealedPassword?: string | undefined }) | undefined;
  readonly outbound?: (TrunkOutbound & { readonly sealedPassword?: string | undefined }) | undefined;
}

/** A password that is left out stays as it was. */
export interface TrunkInput extends Omit<TrunkBase, 'isEnabled'> {
  readonly isEnabled?: boolean | undefined;
  readonly inbound?: (TrunkInbound & { readonly password?: string | undefined }) | undefined;
  readonly outbound?: (TrunkOutbound & { readonly password?: string | undefined }) | undefined;
}

/** `unknown`: nothing has been tried yet, or there is nothing to try (no registration, no keep-alive). */
export type TrunkLineState = 'disabled' | 'unknown' | 'up' | 'down';

export interface TrunkHostState {
  readonly host: string;
  readonly state: 'unknown' | 'up' | 'down';
  readonly roundTripMs: number | undefined;
  readonly lastError: string | undefined;
}

export interface TrunkStatus {
  readonly state: TrunkLineState;
  readonly sinceMs: number;
  /** Why it is down, or what failed last. */
  readonly lastError: string | undefined;
  readonly lastErrorAtMs: number | undefined;
  readonly inboundCalls: number;
  readonly outboundCalls: number;
  readonly registration:
    | { readonly state: 'registering' | 'registered' | 'failed'; readonly expiresAtMs: number | undefined }
    | undefined;
  readonly hosts: readonly TrunkHostState[];
}

export type TrunkEvents = {
  up: [trunk: TrunkRecord, status: TrunkStatus];
  down: [trunk: TrunkRecord, status: TrunkStatus];
};

export interface TrunkCandidate {
  readonly trunk: TrunkRecord;
  /** Why it is not this one. */
  readonly reason: string;
}

export interface TrunkMatch {
  readonly trunk: TrunkRecord | undefined;
  /** It has to prove that it knows the password. */
  readonly needsDigest: boolean;
  readonly rejected: readonly TrunkCandidate[];
}

export interface TrunkCall {
  readonly address: string;
  /** Of the digest, where there is one. */
  readonly username?: string | undefined;
  /** In the Request-URI. */
  readonly dialled: string;
  /** In To, where that is known. */
  readonly dialledInTo?: string | undefined;
}

/**
 * Whose call it is: the first that is enabled, takes calls, has the address in its ranges (where it has any) and may bring
 * the number. Where it has a name and password, those have to be shown as well.
 */
export function matchTrunk(trunks: readonly TrunkRecord[], call: TrunkCall): TrunkMatch {
  const rejected: TrunkCandidate[] = [];
  for (const trunk of trunks) {
    const reason = whyNot(trunk, call);
    if (reason === undefined) return { trunk, needsDigest: trunk.inbound?.username !== undefined, rejected };
    rejected.push({ trunk, reason });
  }
  return { trunk: undefined, needsDigest: false, rejected };
}

/** Whether calls from there are some trunk's by their address. */
export function isTrunkAddress(address: string, trunks: readonly TrunkRecord[]): boolean {
  return trunks.some(({ inbound }) => isAddressIn(address, inbound?.addresses ?? []));
}

function whyNot({ isEnabled, inbound }: TrunkRecord, call: TrunkCall): string | undefined {
  const { address, username } = call;
  if (!isEnabled) return 'it is disabled';
  if (!inbound) return 'it takes no calls (it has no "inbound")';
  const { addresses = [], numbers = [] } = inbound;
  if (addresses.length > 0 && !isAddressIn(address, addresses)) return `${address} is in none of its addresses`;
  if (addresses.length === 0 && inbound.username === undefined)
    return 'it has neither addresses nor a name to be known by';
  if (addresses.length === 0 && inbound.username !== username) {
    return username === undefined ? 'the call shows no credentials' : 'the credentials are of another name';
  }
  const dialled = (inbound.numberIn === 'to' ? call.dialledInTo : undefined) ?? call.dialled;
  if (numbers.length > 0 && !isNumberIn(dialled, numbers)) return `it may not bring calls to ${dialled.slice(0, 64)}`;
  return undefined;
}

/** `+4930*` takes all that begin so; a leading + or 00 is of no account in either. */
export function isNumberIn(number: string, patterns: readonly string[]): boolean {
  const bare = bareNumber(number);
  return patterns.some((pattern) => {
    const wanted = bareNumber(pattern);
    return wanted.endsWith('*') ? bare.startsWith(wanted.slice(0, -1)) : bare === wanted;
  });
}

/** Without what says "international" in front: carriers write it as + or 00, or not at all. */
function bareNumber(number: string): string {
  return number.toLowerCase().replace(/^(?:\+|00)(?=[1-9])/, '');
}
