import { expect, test } from 'vitest';
import {
  draftOfMenu,
  emptyMenu,
  hasFieldsForAll,
  type Menu,
  menuOf,
  renamed,
  treeOf,
  withNewNode,
} from './menu-draft.ts';

const menu: Menu = {
  start: 'language',
  maxGotos: 4,
  nodes: {
    number: { say: ['enter_number'], collect: { find: 'number' }, keys: { '*': { goto: 'main' } } },
    language: {
      say: [
        { prompt: 'for_language', language: 'en' },
        { prompt: 'for_language', language: 'es' },
      ],
      keys: { 1: { language: 'en', menu: 'main' }, 2: { language: 'es', menu: 'main' } },
      tries: 2,
    },
    main: {
      say: ['our_sign', 'for_help'],
      keys: {
        1: { menu: 'number' },
        2: { room: 'desk', access: 'open' },
        3: { dial: { to: '+4930123', trunk: 'pbx', ringTimeoutMs: 20_000, showsCaller: false } },
        4: { menu: 'extension' },
        '#': { repeat: true },
      },
      firstKeyMs: 5_000,
      otherwise: { hangUp: { reason: 'Made no choice.', say: ['goodbye'] } },
    },
    vip: { collect: { find: 'pin', rooms: ['vip', 'demo'] }, nextKeyMs: 2_000 },
    extension: {
      collect: {
        find: 'phone',
        dial: { numbers: ['2??', '+4930*'], trunk: 'pbx', unanswered: { say: ['sorry'], goto: 'vip' } },
      },
    },
  },
};

test('a menu that is saved as it was read is as it was', () => {
  expect(menuOf(draftOfMenu(menu))).toEqual(menu);
  expect(hasFieldsForAll(menu)).toBe(true);
  expect(menuOf(emptyMenu)).toEqual({ start: 'main', nodes: { main: { keys: { 1: { room: '' } } } } });
});

test('what the form has no fields for is noticed, wherever it is', () => {
  const later = { ...menu, nodes: { ...menu.nodes, vip: { ...menu.nodes.vip, volume: 3 } } } as Menu;
  expect(hasFieldsForAll(later)).toBe(false);
  const keyed = { start: 'a', nodes: { a: { keys: { 1: { room: 'b', video: true } } } } } as Menu;
  expect(hasFieldsForAll(keyed)).toBe(false);
});

test('a part that is called otherwise is led to as before, and two of one name are refused', () => {
  const draft = draftOfMenu(menu);
  const main = draft.nodes.find(({ name }) => name === 'main')?.id ?? 0;
  const changed = menuOf(renamed(draft, main, 'hub'));
  expect(changed.nodes.language?.keys).toEqual({
    1: { language: 'en', menu: 'hub' },
    2: { language: 'es', menu: 'hub' },
  });
  expect(changed.nodes.number?.keys).toEqual({ '*': { goto: 'hub' } });
  expect(Object.keys(changed.nodes)).not.toContain('main');
  const vip = draft.nodes.find(({ name }) => name === 'vip')?.id ?? 0;
  expect(menuOf(renamed(draft, vip, 'club')).nodes.extension?.collect?.dial?.unanswered?.goto).toBe('club');
  const start = draft.nodes.find(({ name }) => name === 'language')?.id ?? 0;
  expect(menuOf(renamed(draft, start, 'hello')).start).toBe('hello');
  expect(() => menuOf(renamed(draft, main, 'vip'))).toThrow(/called "vip"/);
});

test('a menu is shown as its tree: what leads down below what it is led from, what nothing leads to at the end', () => {
  const shown = treeOf(draftOfMenu(menu)).map(({ node, depth }) => [node.name, depth]);
  expect(shown).toEqual([
    ['language', 0],
    ['main', 1],
    ['number', 2],
    ['extension', 2],
    ['vip', 2],
  ]);
  const { draft, name } = withNewNode(draftOfMenu(menu));
  expect(treeOf(draft).at(-1)).toMatchObject({ node: { name }, depth: undefined });
});
