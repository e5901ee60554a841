import assert from 'node:assert/strict';
import { test } from 'vitest';
import { menuSteps, roomsOf } from './menu-words.ts';
import { flawOfMenu, type MenuNode, type PhoneMenu, promptsOf } from './phone-menu.ts';

const bye = { hangUp: { reason: 'Enough.' } };
const menuOf = (nodes: Record<string, MenuNode>, start = 'main'): PhoneMenu => ({ start, nodes });

test('a menu whose parts fit each other has no flaw, also where two keys lead down to the same node', () => {
  const menu = menuOf({
    main: { keys: { 1: { menu: 'sub', language: 'en' }, 2: { menu: 'sub', language: 'es' }, 9: { repeat: true } } },
    sub: { collect: { find: 'number' }, keys: { '*': { goto: 'main' } }, otherwise: { room: 'demo', access: 'open' } },
  });
  assert.equal(flawOfMenu(menu), undefined);
});

test('what does not fit is told with its place', () => {
  const chain = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [`n${i}`, { keys: { 1: i < 8 ? { menu: `n${i + 1}` } : bye } }]),
  );
  const flaws: [PhoneMenu, string, RegExp][] = [
    [menuOf({ main: { keys: { 1: bye } } }, 'first'), 'start', /no node "first"/],
    [menuOf({ main: { keys: { 1: bye } } }, 'constructor'), 'start', /no node "constructor"/],
    [menuOf({ main: {} }), 'nodes.main', /needs keys/],
    [menuOf({ main: { keys: { 1: { menu: 'gone' } } } }), 'nodes.main.keys.1', /no node "gone"/],
    [menuOf({ main: { keys: { 1: {} } } }), 'nodes.main.keys.1', /needs one of/],
    [menuOf({ main: { keys: { 1: { ...bye, room: 'demo' } } } }), 'nodes.main.keys.1', /needs one of/],
    [menuOf({ main: { keys: { 1: { ...bye, access: 'open' } } } }), 'nodes.main.keys.1.access', /belongs to a room/],
    [menuOf({ main: { keys: { 1: { menu: 'main' } } } }), 'nodes.main', /takes a goto/],
    [
      menuOf({ main: { keys: { 1: { menu: 'b' } } }, b: { keys: { 1: bye }, otherwise: { menu: 'main' } } }),
      'nodes.main',
      /takes a goto/,
    ],
    [menuOf({ main: { keys: { 1: bye } }, lost: { keys: { 1: { goto: 'main' } } } }), 'nodes.lost', /nothing leads/],
    [menuOf({ main: { collect: { find: 'pin' } } }), 'nodes.main.collect.rooms', /a PIN needs rooms/],
    [menuOf({ main: { collect: { find: 'number', rooms: ['a'] } } }), 'nodes.main.collect.rooms', /are for a PIN/],
    [menuOf({ main: { collect: { find: 'number' }, keys: { 1: bye } } }), 'nodes.main.keys', /only \*/],
    [menuOf(chain, 'n0'), 'nodes.n0', /at most 8 deep/],
  ];
  for (const [menu, path, message] of flaws) {
    const flaw = flawOfMenu(menu);
    assert.equal(flaw?.path, path, JSON.stringify(menu));
    assert.match(flaw.message, message);
  }
});

test('a menu is told in words, a sentence for each node, with its rooms and recordings', () => {
  const menu = menuOf({
    late: {
      collect: { find: 'pin', rooms: ['vip', 'demo'] },
      otherwise: { hangUp: { reason: 'No.', say: ['sorry'] } },
    },
    main: { say: ['welcome', { prompt: 'n1', language: 'es' }], keys: { 1: { menu: 'late' }, 2: { room: 'demo' } } },
  });
  assert.deepEqual(menuSteps(menu), [
    'Menu "main" says welcome, n1 (es); 1 leads to "late"; 2 leads into the room "demo"; nothing hangs up.',
    'Menu "late" says nothing; digits: the PIN of vip, demo; nothing hangs up (No.).',
  ]);
  assert.deepEqual([...roomsOf(menu)].sort(), ['demo', 'vip']);
  assert.deepEqual([...promptsOf(menu)].sort(), ['n1', 'sorry', 'welcome']);
});
