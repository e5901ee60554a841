// Owns: a trunk as it stands in its form, and what the API is told of it. Pure.
import type { SipTrunk, SipTrunkInput } from '#api/contract.ts';
import type { MergePatch } from '../../client/sip-api.ts';
import { lines, linesOf, linesText, numberOrNull, numberText, textOrNull, withoutNulls } from './draft-values.ts';

/** Of each direction. */
export interface LimitsDraft {
  readonly maxCalls: string;
  readonly callsPerSecond: string;
  /** How its calls are recorded, as the API has it; null: not. */
  readonly record: RecordOption | null;
}

type RecordOption = NonNullable<NonNullable<SipTrunk['inbound']>['record']>;

export interface InboundDraft extends LimitsDraft {
  readonly addresses: string;
  readonly username: string;
  /** Empty: stays as it was. */
  readonly password: string;
  readonly numbers: string;
  /** Which header says the called number; empty: the Request-URI. */
  readonly numberIn: string;
}

export interface OutboundDraft extends LimitsDraft {
  readonly hosts: string;
  readonly transport: string;
  readonly username: string;
  readonly password: string;
  readonly authUsername: string;
  readonly domain: string;
  readonly isRegistering: boolean;
  readonly expiresSec: string;
  readonly contactUser: string;
  readonly callerNumber: string;
  readonly callerName: string;
  readonly callerAllowed: string;
  readonly callerHeader: string;
  readonly keepAliveSec: string;
  readonly noAnswerMs: string;
}

export interface TrunkDraft {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly hasInbound: boolean;
  readonly inbound: InboundDraft;
  readonly hasOutbound: boolean;
  readonly outbound: OutboundDraft;
  /** Who has the media of its calls. */
  readonly server: string;
  readonly codecs: string;
  readonly srtp: string;
  readonly attributes: string;
  readonly allowedHeaders: string;
}

export const emptyInbound: InboundDraft = {
  ...{ addresses: '', username: '', password: '', numbers: '', numberIn: '' },
  ...{ maxCalls: '', callsPerSecond: '', record: null },
};

export const emptyOutbound: OutboundDraft = {
  ...{ hosts: '', transport: '', username: '', password: '', authUsername: '', domain: '' },
  ...{ isRegistering: false, expiresSec: '', contactUser: '' },
  ...{ callerNumber: '', callerName: '', callerAllowed: '', callerHeader: '' },
  ...{ keepAliveSec: '', noAnswerMs: '', maxCalls: '', callsPerSecond: '', record: null },
};

export const emptyTrunk: TrunkDraft = {
  ...{ name: '', isEnabled: true, server: '', codecs: '', srtp: '', attributes: '', allowedHeaders: '' },
  ...{ hasInbound: true, inbound: emptyInbound, hasOutbound: true, outbound: emptyOutbound },
};

export function draftOfTrunk({ name, isEnabled, inbound, outbound, media, headers }: SipTrunk): TrunkDraft {
  return {
    ...{ name, isEnabled, hasInbound: inbound !== null, hasOutbound: outbound !== null },
    inbound: inbound ? inboundDraft(inbound) : emptyInbound,
    outbound: outbound ? outboundDraft(outbound) : emptyOutbound,
    ...{ server: media.server ?? '', codecs: (media.codecs ?? []).join(', '), srtp: media.srtp ?? '' },
    ...{ attributes: linesText(headers.attributes), allowedHeaders: linesText(headers.allowed) },
  };
}

function limitsDraft({
  maxCalls,
  callsPerSecond,
  record,
}: {
  maxCalls?: number | undefined;
  callsPerSecond?: number | undefined;
  record?: RecordOption | undefined;
}) {
  return { maxCalls: numberText(maxCalls), callsPerSecond: numberText(callsPerSecond), record: record ?? null };
}

function inboundDraft(inbound: NonNullable<SipTrunk['inbound']>): InboundDraft {
  const { addresses, username = '', numbers, numberIn } = inbound;
  return {
    ...emptyInbound,
    ...limitsDraft(inbound),
    addresses: linesText(addresses),
    username,
    numbers: linesText(numbers),
    // What is meant unless said is shown as that.
    numberIn: numberIn === 'to' ? numberIn : '',
  };
}

function outboundDraft(outbound: NonNullable<SipTrunk['outbound']>): OutboundDraft {
  const { hosts, transport = '', username = '', authUsername = '', domain = '' } = outbound;
  const { registration, callerId, keepAliveSec, noAnswerMs } = outbound;
  return {
    ...{
      ...emptyOutbound,
      ...limitsDraft(outbound),
      hosts: linesText(hosts),
      transport,
      username,
      authUsername,
      domain,
    },
    ...{ isRegistering: registration !== undefined, expiresSec: numberText(registration?.expiresSec) },
    contactUser: registration?.contactUser ?? '',
    ...{ callerNumber: callerId?.number ?? '', callerName: callerId?.displayName ?? '' },
    ...{ callerAllowed: linesText(callerId?.allowed), callerHeader: callerId?.header ?? '' },
    ...{ keepAliveSec: numberText(keepAliveSec), noAnswerMs: numberText(noAnswerMs) },
  };
}

/** What is empty is taken away, each by itself: what this form does not know stays as it was. */
export function patchOfTrunk(draft: TrunkDraft): MergePatch<SipTrunkInput> {
  const { name, isEnabled, hasInbound, hasOutbound, server, codecs, srtp, attributes, allowedHeaders } = draft;
  return {
    ...{ name: name.trim(), isEnabled },
    inbound: hasInbound ? inboundPatch(draft.inbound) : null,
    outbound: hasOutbound ? outboundPatch(draft.outbound) : null,
    media: { server: server || null, codecs: lines(codecs), srtp: srtp || null } as Media,
    headers: { attributes: lines(attributes), allowed: lines(allowedHeaders) },
  };
}

export function inputOfTrunk(draft: TrunkDraft): SipTrunkInput {
  return withoutNulls(patchOfTrunk(draft)) as SipTrunkInput;
}

type Media = MergePatch<NonNullable<SipTrunkInput['media']>>;
type Inbound = MergePatch<NonNullable<SipTrunkInput['inbound']>>;
type Outbound = MergePatch<NonNullable<SipTrunkInput['outbound']>>;

function limitsPatch({ maxCalls, callsPerSecond, record }: LimitsDraft) {
  return { maxCalls: numberOrNull(maxCalls), callsPerSecond: numberOrNull(callsPerSecond), record };
}

function inboundPatch(inbound: InboundDraft): Inbound {
  const { addresses, username, password, numbers, numberIn } = inbound;
  return {
    ...{
      ...limitsPatch(inbound),
      addresses: lines(addresses),
      username: textOrNull(username),
      numbers: lines(numbers),
      numberIn: numberIn || null,
    },
    ...(password && { password }),
  } as Inbound;
}

function outboundPatch(outbound: OutboundDraft): Outbound {
  const { hosts, transport, username, password, authUsername, domain, keepAliveSec, noAnswerMs } = outbound;
  const { isRegistering, expiresSec, contactUser, callerNumber, callerName, callerAllowed, callerHeader } = outbound;
  const callerId = {
    ...{ number: textOrNull(callerNumber), displayName: textOrNull(callerName) },
    ...{ allowed: lines(callerAllowed), header: callerHeader || null },
  };
  return {
    ...{ ...limitsPatch(outbound), hosts: linesOf(hosts), transport: transport || null },
    ...{ username: textOrNull(username), authUsername: textOrNull(authUsername), domain: textOrNull(domain) },
    ...(password && { password }),
    registration: isRegistering ? { expiresSec: numberOrNull(expiresSec), contactUser: textOrNull(contactUser) } : null,
    callerId,
    ...{ keepAliveSec: numberOrNull(keepAliveSec), noAnswerMs: numberOrNull(noAnswerMs) },
  } as Outbound;
}
