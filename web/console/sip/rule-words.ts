// Owns: a rule for calls in words. Pure.
import type { DispatchRuleResource } from '#api/contract.ts';

/** What becomes of a call; `other`: something that this console has no words for. */
export type RuleAction = 'room' | 'personalRoom' | 'menu' | 'webhook' | 'reject' | 'other';

const knownParts: ReadonlySet<string> = new Set<keyof DispatchRuleResource>([
  ...(['id', 'source', 'order', 'number', 'numberRange', 'pattern', 'from', 'fromPattern', 'divertedFrom'] as const),
  ...(['trunk', 'account', 'headers', 'time', 'room', 'personalRoom', 'menu', 'webhook', 'access', 'hasPin'] as const),
  ...(['language', 'reject', 'record', 'createdAt'] as const),
]);

/** What the server says of a rule that this console does not know: shown as it is, and kept. */
export function otherPartsOf(rule: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(rule).filter(([name, value]) => !knownParts.has(name) && value !== null));
}

export function actionOf({ room, personalRoom, menu, webhook, reject }: DispatchRuleResource): RuleAction {
  if (reject !== null) return 'reject';
  if (webhook !== null) return 'webhook';
  if (menu) return 'menu';
  if (personalRoom !== null) return 'personalRoom';
  return room === null ? 'other' : 'room';
}

/** Each thing that is asked of a call; all have to fit. */
export function askedTexts(rule: DispatchRuleResource): string[] {
  const { number, numberRange, pattern, from, fromPattern, divertedFrom, trunk, account, headers, time } = rule;
  const others = otherPartsOf(rule);
  const asked = [
    number !== null && `to ${number}`,
    numberRange && `to ${numberRange.first} … ${numberRange.last}`,
    pattern !== null && `to what fits ${pattern}`,
    from !== null && `from ${from}`,
    fromPattern !== null && `from what fits ${fromPattern}`,
    divertedFrom !== null && `sent on from ${divertedFrom}`,
    trunk !== null && `by the trunk ${trunk}`,
    account !== null && (account === '*' ? 'from any account' : `from the account ${account}`),
    ...Object.entries(headers ?? {}).map(([name, value]) => `with ${name}: ${value}`),
    time && timeText(time),
    actionOf(rule) !== 'other' && Object.keys(others).length > 0 && JSON.stringify(others),
  ];
  return asked.filter((text) => typeof text === 'string');
}

function timeText({ days, from, to, timeZone }: NonNullable<DispatchRuleResource['time']>): string {
  const hours = from === null && to === null ? undefined : `${from ?? '00:00'}–${to ?? '24:00'}`;
  return [days?.join(' '), hours, timeZone ?? 'UTC'].filter(Boolean).join(', ');
}

export function becomesText(rule: DispatchRuleResource): string {
  const { record } = rule;
  const recorded = record === null ? undefined : record === false ? 'not recorded' : 'recorded';
  return [fateText(rule), recorded].filter(Boolean).join(', ');
}

function fateText(rule: DispatchRuleResource): string {
  const { room, personalRoom, menu, webhook, reject, access, hasPin, language } = rule;
  switch (actionOf(rule)) {
    case 'reject':
      return `is refused with ${reject?.status}: ${reject?.reason}`;
    case 'webhook':
      return `${webhook?.url} is asked`;
    case 'personalRoom':
      return `gets a room of its own, ${personalRoom?.prefix}…`;
    case 'menu':
      return menuText(menu);
    case 'other':
      return JSON.stringify(otherPartsOf(rule));
    case 'room': {
      const door = hasPin ? 'with a PIN of the rule' : access === 'open' ? 'without a PIN' : access && 'with a PIN';
      return [`goes to the room ${room}`, door, language && `in ${language}`].filter(Boolean).join(', ');
    }
  }
}

/** What its first part does; the others are led to by it. */
function menuText(menu: DispatchRuleResource['menu']): string {
  const { keys = {}, collect } = menu?.nodes[menu.start] ?? {};
  const choices = Object.entries(keys).map(([key, { menu: below, goto, room, dial, hangUp }]) => {
    const target = below ?? goto ?? (room !== undefined ? `the room ${room}` : dial && `a call to ${dial.to}`);
    return `${key} ${target ?? (hangUp ? 'the end' : 'again')}`;
  });
  if (collect)
    choices.unshift(collect.find === 'pin' ? 'a PIN' : collect.find === 'phone' ? 'whom to call' : 'a number');
  const parts = Object.keys(menu?.nodes ?? {}).length;
  return `chooses in a menu: ${choices.join(', ')}${parts > 1 ? ` (${parts} parts)` : ''}`;
}
