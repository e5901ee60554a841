// Owns: a rule for calls as it stands in its form, and what the API is told of it. Pure.
import type { DispatchRuleInput, DispatchRuleResource } from '#api/contract.ts';
import type { MergePatch } from '../../client/sip-api.ts';
import { isPlain, numberOrNull, numberText, textOrNull, withoutNulls } from './draft-values.ts';
import { draftOfMenu, emptyMenu, hasFieldsForAll, type Menu, type MenuDraft, menuOf } from './menu-draft.ts';
import { actionOf, otherPartsOf, type RuleAction } from './rule-words.ts';

type Time = NonNullable<DispatchRuleInput['time']>;
export type Weekday = NonNullable<Time['days']>[number];

export interface RuleDraft {
  readonly order: string;
  readonly number: string;
  readonly pattern: string;
  readonly first: string;
  readonly last: string;
  readonly from: string;
  readonly fromPattern: string;
  readonly divertedFrom: string;
  readonly trunk: string;
  readonly account: string;
  /** `X-Customer: .*`, one a line. */
  readonly headers: string;
  readonly days: readonly Weekday[];
  readonly timeFrom: string;
  readonly timeTo: string;
  readonly timeZone: string;
  readonly action: RuleAction;
  readonly room: string;
  readonly prefix: string;
  readonly webhookUrl: string;
  /** Empty: stays as it was. */
  readonly webhookSecret: string;
  readonly webhookTimeoutMs: string;
  readonly fallbackRoom: string;
  readonly rejectStatus: string;
  readonly rejectReason: string;
  readonly menu: MenuDraft;
  /** Instead, as JSON: for experts, and for what the form has no fields for. */
  readonly menuText: string | undefined;
  /** Actions that this form has no fields for, as JSON. */
  readonly other: string;
  readonly access: string;
  /** Empty: stays as it was. */
  readonly pin: string;
  readonly isPinGone: boolean;
  readonly language: string;
  /** How calls are recorded, as the API has it; null: as their trunk says. */
  readonly record: DispatchRuleResource['record'];
}

export const emptyRule: RuleDraft = {
  ...{ order: '', number: '', pattern: '', first: '', last: '', from: '', fromPattern: '', divertedFrom: '' },
  ...{ trunk: '', account: '', headers: '', days: [], timeFrom: '', timeTo: '', timeZone: '' },
  ...{
    action: 'room',
    room: '',
    prefix: '',
    webhookUrl: '',
    webhookSecret: '',
    webhookTimeoutMs: '',
    fallbackRoom: '',
  },
  ...{ menu: emptyMenu, menuText: undefined },
  ...{
    rejectStatus: '',
    rejectReason: '',
    other: '',
    access: '',
    pin: '',
    isPinGone: false,
    language: '',
    record: null,
  },
};

export function draftOfRule(rule: DispatchRuleResource): RuleDraft {
  const { number, pattern, numberRange, from, fromPattern, divertedFrom, trunk, account, time } = rule;
  const { room, personalRoom, menu, webhook, reject, access, language } = rule;
  return {
    ...{ ...emptyRule, order: String(rule.order), number: number ?? '', pattern: pattern ?? '' },
    ...{ first: numberRange?.first ?? '', last: numberRange?.last ?? '' },
    ...{ from: from ?? '', fromPattern: fromPattern ?? '', divertedFrom: divertedFrom ?? '' },
    ...{ trunk: trunk ?? '', account: account ?? '', headers: headersText(rule.headers) },
    ...{ days: time?.days ?? [], timeFrom: time?.from ?? '', timeTo: time?.to ?? '', timeZone: time?.timeZone ?? '' },
    ...{ action: actionOf(rule), room: room ?? '', prefix: personalRoom?.prefix ?? '' },
    ...{ webhookUrl: webhook?.url ?? '', webhookTimeoutMs: numberText(webhook?.timeoutMs) },
    ...{ fallbackRoom: webhook?.fallbackRoom ?? '', rejectStatus: numberText(reject?.status) },
    ...(menu && { menu: draftOfMenu(menu), menuText: hasFieldsForAll(menu) ? undefined : menuJson(menu) }),
    ...{ rejectReason: reject?.reason ?? '', other: otherText(rule), access: access ?? '', language: language ?? '' },
    record: rule.record,
  };
}

/**
 * What is empty is taken away; what this form does not know stays as it was.
 * @param before absent for a new one
 * @throws Error for what should be JSON and is not
 */
export function patchOfRule(draft: RuleDraft, before?: DispatchRuleResource): MergePatch<DispatchRuleInput> {
  const { number, pattern, first, last, from, fromPattern, divertedFrom, trunk, account, access, language } = draft;
  const patch = {
    ...(draft.order.trim() && { order: Number(draft.order) }),
    ...{ number: textOrNull(number), pattern: textOrNull(pattern) },
    numberRange: first.trim() || last.trim() ? { first: first.trim(), last: last.trim() } : null,
    ...{ from: textOrNull(from), fromPattern: textOrNull(fromPattern), divertedFrom: textOrNull(divertedFrom) },
    ...{ trunk: textOrNull(trunk), account: textOrNull(account), time: timePatch(draft) },
    ...{ headers: headersPatch(draft.headers, before?.headers ?? {}), ...actionPatch(draft, before) },
    ...{ access: access || null, language: language || null, record: draft.record },
    ...pinPatch(draft),
  };
  return patch as MergePatch<DispatchRuleInput>;
}

export function inputOfRule(draft: RuleDraft): DispatchRuleInput {
  return withoutNulls(patchOfRule(draft)) as DispatchRuleInput;
}

/** One that is typed holds, whatever was ticked before: the box is gone then. */
function pinPatch({ pin, isPinGone }: RuleDraft) {
  const typed = pin.trim();
  if (typed !== '') return { pin: typed };
  return isPinGone ? { pin: null } : {};
}

function timePatch({ days, timeFrom, timeTo, timeZone }: RuleDraft) {
  const isAsked = days.length > 0 || [timeFrom, timeTo, timeZone].some((text) => text.trim() !== '');
  if (!isAsked) return null;
  return {
    ...{ days: days.length > 0 ? days : null, from: textOrNull(timeFrom), to: textOrNull(timeTo) },
    timeZone: textOrNull(timeZone),
  };
}

/** One thing becomes of a call: whatever else the rule said of it goes. */
function actionPatch(draft: RuleDraft, before: DispatchRuleResource | undefined): Record<string, unknown> {
  const others = before && actionOf(before) === 'other' ? otherPartsOf(before) : {};
  const gone = Object.fromEntries([...knownActions, ...Object.keys(others)].map((name) => [name, null]));
  if (draft.action === 'other') return { ...gone, ...mergeDiff(others, parsed(draft.other, '{"room": "demo"}')) };
  if (draft.action === 'menu') return { ...gone, menu: mergeDiff(before?.menu ?? {}, menuIn(draft)) };
  return { ...gone, [draft.action]: knownAction(draft) };
}

const knownActions = ['room', 'personalRoom', 'menu', 'webhook', 'reject'] as const;

/** @throws Error for what should be JSON and is not */
function menuIn({ menu, menuText }: RuleDraft): Menu {
  return menuText === undefined
    ? menuOf(menu)
    : (parsed(menuText, '{"start": "main", "nodes": {…}}') as unknown as Menu);
}

function menuJson(menu: Menu): string {
  return JSON.stringify(menu, null, 2);
}

/** The same in the other way: as fields where there are some for all of it. @throws Error that says why it cannot be */
export function menuShownOtherwise(draft: RuleDraft): Pick<RuleDraft, 'menu' | 'menuText'> {
  const menu = menuIn(draft);
  if (draft.menuText === undefined) return { menu: draft.menu, menuText: menuJson(menu) };
  if (!isPlain(menu.nodes) || !Object.values(menu.nodes).every(isPlain))
    throw new Error('"nodes" of the menu has to be an object of objects.');
  if (!hasFieldsForAll(menu)) throw new Error('The form has no fields for all of it; it stays JSON.');
  return { menu: draftOfMenu(menu), menuText: undefined };
}

function knownAction(draft: RuleDraft): unknown {
  switch (draft.action) {
    case 'room':
      return draft.room.trim();
    case 'personalRoom':
      return { prefix: draft.prefix.trim() };
    case 'webhook':
      return {
        url: draft.webhookUrl.trim(),
        ...(draft.webhookSecret.trim() && { secret: draft.webhookSecret.trim() }),
        timeoutMs: numberOrNull(draft.webhookTimeoutMs),
        fallbackRoom: textOrNull(draft.fallbackRoom),
      };
    default:
      return { status: numberOrNull(draft.rejectStatus), reason: draft.rejectReason.trim() };
  }
}

function otherText(rule: DispatchRuleResource): string {
  return actionOf(rule) === 'other' ? JSON.stringify(otherPartsOf(rule), null, 2) : '';
}

function parsed(text: string, example: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`What becomes of the call is no JSON: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    });
  }
  if (isPlain(value)) return value;
  throw new Error(`What becomes of the call has to be a JSON object, such as ${example}.`);
}

/** The merge patch that makes `after` of `before`. @see RFC 7396 */
export function mergeDiff(before: object, after: object): Record<string, unknown> {
  const old = new Map<string, unknown>(Object.entries(before));
  const gone = [...old.keys()].filter((name) => !Object.hasOwn(after, name)).map((name) => [name, null] as const);
  const set = Object.entries(after).map(([name, value]) => {
    const past = old.get(name);
    return [name, isPlain(value) && isPlain(past) ? mergeDiff(past, value) : value] as const;
  });
  return Object.fromEntries([...gone, ...set]);
}

function headersText(headers: Readonly<Record<string, string>> | null): string {
  return Object.entries(headers ?? {})
    .map(([name, pattern]) => `${name}: ${pattern}`)
    .join('\n');
}

/** Of `X-Customer: .*` lines; a line without a colon is a header of that name, for the API to refuse its empty pattern. */
export function headersOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', ...rest] = line.split(':');
      return [name.trim(), rest.join(':').trim()];
    }),
  );
}

function headersPatch(text: string, before: Readonly<Record<string, string>>) {
  const after = headersOf(text);
  return Object.keys(after).length === 0 ? null : mergeDiff(before, after);
}
