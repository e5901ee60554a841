import { expect, test } from 'vitest';
import type { DispatchRuleResource } from '#api/contract.ts';
import { draftOfRule, inputOfRule, menuShownOtherwise, mergeDiff, patchOfRule } from './rule-draft.ts';
import { askedTexts, becomesText } from './rule-words.ts';

const nothing: DispatchRuleResource = {
  ...{ id: 'DR_1', source: 'api', order: 7, createdAt: null, number: null, numberRange: null, pattern: null },
  ...{ from: null, fromPattern: null, divertedFrom: null, trunk: null, account: null, headers: null, time: null },
  ...{ room: null, personalRoom: null, webhook: null, access: null, hasPin: false, language: null, reject: null },
  menu: null,
  record: null,
};

const weekday: DispatchRuleResource = {
  ...{ ...nothing, number: '+4930123', headers: { 'X-A': '1', 'X-B': '2:3' }, room: 'demo', access: 'open' },
  time: { days: ['mon', 'fri'], from: '09:00', to: null, timeZone: 'Europe/Berlin' },
};

test('a rule that is saved as it was read says all that it said, and nothing of its PIN', () => {
  expect(inputOfRule(draftOfRule(weekday))).toEqual({
    ...{ order: 7, number: '+4930123', headers: { 'X-A': '1', 'X-B': '2:3' }, room: 'demo', access: 'open' },
    time: { days: ['mon', 'fri'], from: '09:00', timeZone: 'Europe/Berlin' },
  });
});

test('a header that is taken out of the form is taken away, and another action takes the place of the first', () => {
  const draft = { ...draftOfRule(weekday), headers: 'X-B: 2:3', action: 'reject' as const, rejectReason: 'Closed.' };
  expect(patchOfRule(draft, weekday)).toMatchObject({
    ...{ headers: { 'X-A': null, 'X-B': '2:3' }, room: null, reject: { status: null, reason: 'Closed.' } },
  });
});

test('how its calls are recorded stays as it was written, or becomes yes, no, or what their trunk says', () => {
  const rule = { ...weekday, record: { sound: 'mixed' } as const };
  const draft = draftOfRule(rule);
  expect(patchOfRule(draft, rule)).toHaveProperty('record', { sound: 'mixed' });
  expect(patchOfRule({ ...draft, record: null }, rule)).toHaveProperty('record', null);
  expect(becomesText(rule)).toBe('goes to the room demo, without a PIN, recorded');
  expect(becomesText({ ...rule, record: false })).toMatch(/, not recorded$/);
});

test('a PIN stays unless one is typed or it is taken away, and one that is typed holds', () => {
  const rule = { ...weekday, hasPin: true };
  const draft = draftOfRule(rule);
  expect(patchOfRule(draft, rule)).not.toHaveProperty('pin');
  expect(patchOfRule({ ...draft, isPinGone: true }, rule)).toHaveProperty('pin', null);
  expect(patchOfRule({ ...draft, isPinGone: true, pin: ' 4711 ' }, rule)).toHaveProperty('pin', '4711');
});

test('an action that this console does not know is shown as JSON, kept, and changed as JSON', () => {
  const rule = { ...nothing, number: '1', robot: { voice: 'low', moods: { glad: {}, sad: {} } } };
  expect(becomesText(rule)).toBe('{"robot":{"voice":"low","moods":{"glad":{},"sad":{}}}}');
  const draft = draftOfRule(rule);
  expect(draft.action).toBe('other');
  expect(patchOfRule(draft, rule)).toMatchObject({ robot: rule.robot, room: null, reject: null });
  const other = JSON.stringify({ robot: { voice: 'low', moods: { glad: {} } } });
  expect(patchOfRule({ ...draft, other }, rule)).toMatchObject({ robot: { moods: { glad: {}, sad: null } } });
  expect(patchOfRule({ ...draft, action: 'room', room: 'demo' }, rule)).toMatchObject({ robot: null, room: 'demo' });
  expect(() => patchOfRule({ ...draft, other: '{"robot":' }, rule)).toThrow(/no JSON/);
  expect(() => patchOfRule({ ...draft, other: '[1]' }, rule)).toThrow(/JSON object/);
});

test('a menu is said in words, changed part by part, and shown as JSON and back', () => {
  const menu = {
    start: 'top',
    nodes: {
      top: { say: ['welcome'], keys: { 1: { room: 'desk' }, 2: { menu: 'end' } } },
      end: { keys: { '#': { repeat: true as const } } },
    },
  };
  const rule = { ...nothing, number: '1', menu };
  expect(becomesText(rule)).toBe('chooses in a menu: 1 the room desk, 2 end (2 parts)');
  const draft = draftOfRule(rule);
  expect([draft.action, draft.menuText]).toEqual(['menu', undefined]);
  expect(patchOfRule(draft, rule)).toMatchObject({ menu, room: null, reject: null });
  const [top] = draft.menu.nodes;
  const less = { ...draft, menu: { ...draft.menu, nodes: top ? [{ ...top, keys: top.keys.slice(0, 1) }] : [] } };
  expect(patchOfRule(less, rule)).toMatchObject({
    menu: { nodes: { top: { keys: { 1: { room: 'desk' }, 2: null } }, end: null } },
  });
  const shown = { ...draft, ...menuShownOtherwise(draft) };
  expect(JSON.parse(shown.menuText ?? '')).toEqual(menu);
  expect(menuShownOtherwise(shown)).toEqual({ menu: draft.menu, menuText: undefined });
  expect(() => menuShownOtherwise({ ...shown, menuText: '{"start"' })).toThrow(/no JSON/);
  expect(() => menuShownOtherwise({ ...shown, menuText: '{"start":"a","nodes":{"a":{"tempo":3}}}' })).toThrow(
    /no fields/,
  );
  expect(() => menuShownOtherwise({ ...shown, menuText: '{"start":"a"}' })).toThrow(/object of objects/);
});

test('something else that this console does not know is said, and stays when the rule is changed', () => {
  const rule = { ...weekday, maxPerDay: 3 };
  expect(askedTexts(rule)).toContain('{"maxPerDay":3}');
  expect(patchOfRule(draftOfRule(rule), rule)).not.toHaveProperty('maxPerDay');
});

test('a diff makes the one of the other', () => {
  expect(mergeDiff({ a: 1, b: { c: 1, d: [1] } }, { b: { d: [2], e: 'x' }, f: {} })).toEqual({
    ...{ a: null, b: { c: null, d: [2], e: 'x' }, f: {} },
  });
});
