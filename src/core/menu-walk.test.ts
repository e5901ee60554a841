import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import { type MenuTurn, MenuWalk } from './menu-walk.ts';
import { flawOfMenu, type MenuAction, type MenuNode, type PhoneMenu } from './phone-menu.ts';

const menu: PhoneMenu = {
  start: 'main',
  maxGotos: 2,
  nodes: {
    main: {
      say: ['welcome'],
      keys: {
        1: { language: 'en', menu: 'number' },
        2: { language: 'es', menu: 'number' },
        3: { room: 'demo', access: 'open' },
        4: { menu: 'vip' },
        9: { repeat: true },
        0: { hangUp: { reason: 'Closed today.', say: ['goodbye'] } },
      },
    },
    number: { say: ['enter_number'], collect: { find: 'number' }, keys: { '*': { goto: 'main' } }, tries: 2 },
    vip: { say: ['enter_pin'], collect: { find: 'pin', rooms: ['vip'] }, otherwise: { room: 'desk' } },
  },
};

function walked(keys: string): { walk: MenuWalk; turn: MenuTurn | undefined } {
  const walk = new MenuWalk(menu);
  let turn: MenuTurn | undefined = walk.begin();
  for (const key of keys) turn = key === '.' ? walk.silence() : walk.press(key);
  return { walk, turn };
}

const said = (turn: MenuTurn | undefined) =>
  turn && 'say' in turn ? turn.say.map(({ name, language }) => (language ? `${name}/${language}` : name)) : undefined;

test('a key leads where the node says, and the language that came with it is spoken from there on', () => {
  assert.deepEqual(said(walked('').turn), ['welcome']);
  const { walk, turn } = walked('2');
  assert.deepEqual([said(turn), walk.node, walk.language], [['enter_number/es'], 'number', 'es']);
  assert.deepEqual(walked('3').turn, { kind: 'room', room: 'demo', access: 'open' });
  const end = walked('0').turn;
  assert.deepEqual([end?.kind, said(end), end?.kind === 'end' && end.reason], ['end', ['goodbye'], 'Closed today.']);
});

test('a number ends with # or a pause, * begins it anew, and with nothing typed * is a choice', () => {
  const asked = { kind: 'find', find: 'number', rooms: [], typed: '4711' };
  assert.deepEqual(walked('14711#').turn, asked);
  assert.deepEqual(walked('1#9*4711.').turn, asked);
  const { turn, walk } = walked('1*');
  assert.deepEqual([said(turn), walk.node, walk.gotos], [['welcome/en'], 'main', 1]);
});

test('a wrong number is told, and after the last try the caller is let go, or goes where otherwise says', () => {
  const { walk } = walked('147#');
  assert.deepEqual(said(walk.wrong()), ['wrong_number/en']);
  walk.press('8');
  walk.press('#');
  const end = walk.wrong();
  assert.deepEqual([end.kind, end.kind === 'end' && end.why, said(end)], ['end', 'wrong_key', ['wrong_number/en']]);
  assert.deepEqual(walk.steps, [
    { node: 'main', pressed: '1', led: 'menu number' },
    { node: 'number', pressed: '47', led: 'wrong' },
    { node: 'number', pressed: '8', led: 'hang up' },
  ]);
});

test('PINs are in no step, and who is locked out is told no more than that it was wrong', () => {
  const { walk } = walked('41234#');
  assert.deepEqual(said(walk.wrong()), ['wrong_pin']);
  for (const key of '1235#') walk.press(key);
  const end = walk.lockedOut();
  assert.deepEqual([end.kind === 'end' && end.why, said(end)], ['locked_out', ['wrong_pin']]);
  assert.ok(!JSON.stringify(walk.steps).includes('123'));
});

test('silence is asked again, then let go as such; a wrong key is told from it', () => {
  assert.deepEqual(said(walked('..').turn), ['welcome']);
  const silent = walked('...').turn;
  assert.equal(silent?.kind === 'end' && silent.why, 'no_key');
  const lost = walked('.7.').turn;
  assert.equal(lost?.kind === 'end' && lost.why, 'wrong_key');
  assert.deepEqual(said(walked('7').turn), ['wrong_key', 'welcome']);
});

test('going round ends when the menu says so', () => {
  assert.deepEqual(said(walked('99').turn), ['welcome']);
  const { turn } = walked('991*');
  assert.equal(turn?.kind === 'end' && turn.why, 'going_round');
});

const names = ['a', 'b', 'c', 'd'] as const;
const name = fc.constantFrom(...names);
const action: fc.Arbitrary<MenuAction> = fc.oneof(
  fc.record({ menu: name }),
  fc.record({ goto: name }),
  fc.constant({ repeat: true as const }),
  fc.record({ room: fc.constantFrom('demo', 'desk') }),
  fc.constant({ hangUp: { reason: 'x' } }),
  fc.constant({ dial: { to: 'alice' } }),
  fc.record({ dial: fc.record({ to: fc.constant('bob'), unanswered: fc.record({ goto: name }) }) }),
);
const tries = fc.integer({ min: 1, max: 4 });
const chooses = fc.record(
  { keys: fc.dictionary(fc.constantFrom('1', '2', '3'), action, { minKeys: 1 }), tries, otherwise: action },
  { requiredKeys: ['keys'] },
);
const collect = fc.constantFrom<NonNullable<MenuNode['collect']>>(
  { find: 'number' },
  { find: 'phone', dial: { numbers: ['2??'], trunk: 'pbx' } },
);
const collects = fc.record({ collect, tries, otherwise: action });
const node: fc.Arbitrary<MenuNode> = fc.oneof(chooses, collects);
const someMenu = fc
  .record({ nodes: fc.record({ a: node, b: node, c: node, d: node }), maxGotos: fc.integer({ min: 0, max: 5 }) })
  .map(({ nodes, maxGotos }) => {
    const whole: PhoneMenu = { start: 'a', nodes, maxGotos };
    const flawed = new Set<string>();
    // What nothing leads to is left out, until nothing is.
    for (let found = flawOfMenu(whole); found && /nothing leads/.test(found.message); ) {
      flawed.add(found.path.slice('nodes.'.length));
      const rest = Object.fromEntries(Object.entries(nodes).filter(([one]) => !flawed.has(one)));
      const less = { ...whole, nodes: rest };
      found = flawOfMenu(less);
      if (!found) return less;
    }
    return whole;
  })
  .filter((one) => flawOfMenu(one) === undefined);

/** A caller that presses whatever, and sometimes nothing. */
const doings = fc.array(fc.constantFrom(...'0123456789*#AB', '.', '!'), { minLength: 1, maxLength: 30 });

test('whatever is pressed, every menu without a flaw ends within what it allows, and tells only what it has', () => {
  fc.assert(
    fc.property(someMenu, doings, (given, pressed) => {
      const walk = new MenuWalk(given);
      let turn: MenuTurn | undefined = walk.begin();
      const maxGotos = given.maxGotos ?? 10;
      // As many nodes as can be come to, with as many tries each, of numbers as long as they may be.
      const most = (maxGotos + 2) * 8 * 4 * 20;
      let count = 0;
      for (let i = 0; turn?.kind !== 'end' && turn?.kind !== 'room'; i++) {
        assert.ok(count++ < most, 'it never ends');
        if (turn?.kind === 'find') {
          assert.match(turn.typed, /^\d{1,17}$/);
          turn = walk.wrong();
          continue;
        }
        if (turn?.kind === 'dial') {
          if ('typed' in turn && i % 3 === 0) {
            turn = walk.wrong();
            continue;
          }
          walk.calling('alice', 'CL_1');
          turn = i % 2 === 0 ? walk.unanswered('busy', '486') : walk.unanswered('given_up', '');
          assert.match(walk.steps.at(-1)?.led ?? '', /^call alice: (busy: 486|given up)$/);
          continue;
        }
        const key = i < pressed.length * 3 ? pressed[i % pressed.length] : '.';
        turn = key === '.' ? walk.silence() : walk.press(key ?? '');
        assert.ok(Object.hasOwn(given.nodes, walk.node));
        assert.ok(walk.waitMs > 0);
        assert.ok(walk.gotos <= maxGotos + 1);
      }
      assert.ok(walk.steps.length <= 64);
      if (turn.kind === 'room') assert.ok(['demo', 'desk'].includes(turn.room));
    }),
    { numRuns: 300 },
  );
});

test('whom a key calls ends the menu when he answers; else the caller is told and goes on, with what was said of it kept', () => {
  const dialling: PhoneMenu = {
    start: 'main',
    maxGotos: 3,
    nodes: {
      main: {
        say: ['welcome'],
        keys: {
          1: { dial: { to: 'alice' }, language: 'es' },
          2: { dial: { to: 'bob', unanswered: { say: ['sorry'], goto: 'late' } } },
        },
      },
      late: { say: ['for_back'], keys: { '*': { goto: 'main' } } },
    },
  };
  const walk = new MenuWalk(dialling);
  walk.begin();
  assert.deepEqual(walk.press('1'), { kind: 'dial', dial: { to: 'alice' } });
  walk.calling('alice', 'CL_1');
  assert.deepEqual(said(walk.unanswered('no_answer', 'Nobody.')), ['no_answer/es', 'welcome/es']);
  walk.press('2');
  // The trunk was not even there.
  assert.deepEqual(said(walk.unanswered('not_reached', 'No trunk.')), ['sorry/es', 'for_back/es']);
  walk.press('*');
  walk.press('1');
  walk.calling('alice', 'CL_2');
  walk.answered();
  assert.deepEqual(walk.steps, [
    { node: 'main', pressed: '1', led: 'call alice: no answer: Nobody.', call: 'CL_1' },
    { node: 'main', pressed: '2', led: 'call bob: not reached: No trunk.' },
    { node: 'late', pressed: '*', led: 'goto main' },
    { node: 'main', pressed: '1', led: 'call alice: answered', call: 'CL_2' },
  ]);
});
