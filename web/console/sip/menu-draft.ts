// Owns: a menu of a rule as it stands in its form, and what the API is told of it. Pure.
import type { DispatchRuleInput } from '#api/contract.ts';
import { isPlain, lines, numberOrNull, numberText, textOrNull, withoutNulls } from './draft-values.ts';

export type Menu = NonNullable<DispatchRuleInput['menu']>;
type Node = Menu['nodes'][string];
type Action = NonNullable<Node['keys']>[string];
type Say = NonNullable<Node['say']>;
type Dial = Partial<NonNullable<Action['dial']> & NonNullable<NonNullable<Node['collect']>['dial']>>;

export interface DialDraft {
  readonly to: string;
  /** Where the caller types whom, one a line. */
  readonly numbers: string;
  readonly trunk: string;
  readonly ringTimeoutMs: string;
  readonly showsCaller: string;
  readonly say: string;
  readonly goto: string;
}

/** Empty: nothing is said of it. */
export type Deed = '' | 'menu' | 'goto' | 'room' | 'dial' | 'repeat' | 'hangUp';

export interface ActionDraft {
  readonly deed: Deed;
  /** That it leads to. */
  readonly node: string;
  readonly room: string;
  readonly access: string;
  readonly dial: DialDraft;
  readonly reason: string;
  readonly say: string;
  readonly language: string;
}

export interface KeyDraft extends ActionDraft {
  readonly key: string;
}

export interface NodeDraft {
  /** Stays when it is called otherwise. */
  readonly id: number;
  readonly name: string;
  /** Recordings, one a line; `n1 (es)` in a language of its own. */
  readonly say: string;
  readonly asks: 'key' | 'number' | 'pin' | 'phone';
  readonly keys: readonly KeyDraft[];
  readonly rooms: string;
  readonly dial: DialDraft;
  readonly tries: string;
  readonly firstKeyMs: string;
  readonly nextKeyMs: string;
  readonly otherwise: ActionDraft;
}

export interface MenuDraft {
  readonly start: string;
  readonly maxGotos: string;
  readonly nodes: readonly NodeDraft[];
}

const emptyDial: DialDraft = { to: '', numbers: '', trunk: '', ringTimeoutMs: '', showsCaller: '', say: '', goto: '' };
const nothing: ActionDraft = {
  ...{ deed: '', node: '', room: '', access: '', dial: emptyDial, reason: '', say: '', language: '' },
};

export const menuKeys = [...'1234567890*#'] as const;

export function emptyKey(key: string): KeyDraft {
  return { ...nothing, deed: 'room', key };
}

function emptyNode(id: number, name: string): NodeDraft {
  return {
    ...{ id, name, say: '', asks: 'key', keys: [], rooms: '', dial: emptyDial },
    ...{ tries: '', firstKeyMs: '', nextKeyMs: '', otherwise: nothing },
  };
}

export const emptyMenu: MenuDraft = {
  start: 'main',
  maxGotos: '',
  nodes: [{ ...emptyNode(1, 'main'), keys: [emptyKey('1')] }],
};

export function draftOfMenu({ start, nodes, maxGotos }: Menu): MenuDraft {
  const drafts = Object.entries(nodes).map(([name, node], at): NodeDraft => {
    const { say, keys = {}, collect, tries, firstKeyMs, nextKeyMs, otherwise } = node;
    return {
      ...{ id: at + 1, name, say: sayText(say), asks: collect?.find ?? 'key' },
      keys: Object.entries(keys).map(([key, action]) => ({ ...draftOfAction(action), key })),
      ...{ rooms: (collect?.rooms ?? []).join('\n'), dial: draftOfDial(collect?.dial) },
      ...{ tries: numberText(tries), firstKeyMs: numberText(firstKeyMs), nextKeyMs: numberText(nextKeyMs) },
      otherwise: otherwise ? draftOfAction(otherwise) : nothing,
    };
  });
  return { start, maxGotos: numberText(maxGotos), nodes: drafts };
}

/** @throws Error for two nodes of one name */
export function menuOf({ start, maxGotos, nodes }: MenuDraft): Menu {
  const named = new Map<string, unknown>();
  for (const node of nodes) {
    const name = node.name.trim();
    if (named.has(name)) throw new Error(`Two parts of the menu are called "${name}".`);
    named.set(name, nodeOf(node));
  }
  return withoutNulls({
    ...{ start: start.trim(), maxGotos: numberOrNull(maxGotos), nodes: Object.fromEntries(named) },
  }) as Menu;
}

/** Whether the form has fields for all of it. */
export function hasFieldsForAll(menu: Menu): boolean {
  return sortedText(menuOf(draftOfMenu(menu))) === sortedText(menu);
}

/** It and whatever leads to it. */
export function renamed(draft: MenuDraft, id: number, name: string): MenuDraft {
  const before = draft.nodes.find((node) => node.id === id)?.name;
  const follow = (one: string) => (one === before && before !== '' ? name : one);
  const dial = (one: DialDraft): DialDraft => ({ ...one, goto: follow(one.goto) });
  const action = <A extends ActionDraft>(one: A): A => ({ ...one, node: follow(one.node), dial: dial(one.dial) });
  const nodes = draft.nodes.map((node) => ({
    ...{ ...node, name: node.id === id ? name : node.name, keys: node.keys.map(action), dial: dial(node.dial) },
    otherwise: action(node.otherwise),
  }));
  return { ...draft, start: follow(draft.start), nodes };
}

export interface Branch {
  readonly node: NodeDraft;
  /** How far down by keys that lead to a menu; undefined where nothing leads to it. */
  readonly depth: number | undefined;
}

/** The first one first, below each what it leads down to. */
export function treeOf({ start, nodes }: MenuDraft): readonly Branch[] {
  const branches = new Map<NodeDraft, Branch>();
  const visit = (name: string, depth: number) => {
    const node = nodes.find((one) => one.name === name);
    if (!node || branches.has(node)) return;
    branches.set(node, { node, depth });
    for (const { deed, node: target } of actionsOf(node)) if (deed === 'menu') visit(target, depth + 1);
    // Other ways lead across, not down.
    for (const { deed, node: target } of actionsOf(node)) if (deed === 'goto') visit(target, depth);
    for (const target of [...actionsOf(node).map(({ dial }) => dial.goto), node.dial.goto]) visit(target, depth);
  };
  visit(start, 0);
  const rest = nodes.filter((node) => !branches.has(node)).map((node): Branch => ({ node, depth: undefined }));
  return [...branches.values(), ...rest];
}

/** `main` before, then a name that is free. */
export function withNewNode(draft: MenuDraft): { readonly draft: MenuDraft; readonly name: string } {
  const id = Math.max(0, ...draft.nodes.map((node) => node.id)) + 1;
  let name = `part-${id}`;
  while (draft.nodes.some((node) => node.name === name)) name += '-';
  return { draft: { ...draft, nodes: [...draft.nodes, emptyNode(id, name)] }, name };
}

function actionsOf({ keys, otherwise }: NodeDraft): readonly ActionDraft[] {
  return [...keys, otherwise];
}

function nodeOf({ say, asks, keys, rooms, dial, tries, firstKeyMs, nextKeyMs, otherwise }: NodeDraft) {
  const pairs = keys.map((one) => [one.key, actionOf(one)]);
  const collect = {
    find: asks,
    ...(asks === 'pin' && { rooms: lines(rooms) }),
    ...(asks === 'phone' && { dial: { numbers: lines(dial.numbers) ?? [], ...dialOf(dial) } }),
  };
  return {
    ...{ say: sayOf(say), keys: pairs.length > 0 ? Object.fromEntries(pairs) : null },
    ...{ collect: asks === 'key' ? null : collect, tries: numberOrNull(tries) },
    ...{ firstKeyMs: numberOrNull(firstKeyMs), nextKeyMs: numberOrNull(nextKeyMs) },
    otherwise: otherwise.deed === '' ? null : actionOf(otherwise),
  };
}

function draftOfAction(action: Action): ActionDraft {
  const { language, menu, goto, room, access, dial, repeat, hangUp } = action;
  const deed: Deed =
    menu !== undefined
      ? 'menu'
      : goto !== undefined
        ? 'goto'
        : dial
          ? 'dial'
          : hangUp
            ? 'hangUp'
            : repeat
              ? 'repeat'
              : 'room';
  return {
    ...{ deed, node: menu ?? goto ?? '', room: room ?? '', access: access ?? '', dial: draftOfDial(dial) },
    ...{ reason: hangUp?.reason ?? '', say: sayText(hangUp?.say), language: language ?? '' },
  };
}

function actionOf({ deed, node, room, access, dial, reason, say, language }: ActionDraft) {
  const deeds: Record<Deed, object> = {
    '': {},
    menu: { menu: node.trim() },
    goto: { goto: node.trim() },
    room: { room: room.trim(), access: access || null },
    dial: { dial: { to: dial.to.trim(), ...dialOf(dial) } },
    repeat: { repeat: true },
    hangUp: { hangUp: { reason: reason.trim(), say: sayOf(say) } },
  };
  return { language: language || null, ...deeds[deed] };
}

function draftOfDial(dial: Dial | undefined): DialDraft {
  const { to = '', numbers = [], trunk = '', ringTimeoutMs, showsCaller, unanswered } = dial ?? {};
  return {
    ...{ to, numbers: numbers.join('\n'), trunk, ringTimeoutMs: numberText(ringTimeoutMs) },
    showsCaller: showsCaller === undefined ? '' : showsCaller ? 'yes' : 'no',
    ...{ say: sayText(unanswered?.say), goto: unanswered?.goto ?? '' },
  };
}

function dialOf({ trunk, ringTimeoutMs, showsCaller, say, goto }: DialDraft) {
  const unanswered = { say: sayOf(say), goto: textOrNull(goto) };
  return {
    ...{ trunk: textOrNull(trunk), ringTimeoutMs: numberOrNull(ringTimeoutMs) },
    showsCaller: showsCaller === '' ? null : showsCaller === 'yes',
    unanswered: unanswered.say || unanswered.goto ? unanswered : null,
  };
}

function sayText(say: Say | undefined): string {
  const words = (say ?? []).map((one) => {
    if (typeof one === 'string') return one;
    return one.language ? `${one.prompt} (${one.language})` : one.prompt;
  });
  return words.join('\n');
}

function sayOf(text: string): unknown[] | null {
  const all = lines(text)?.map((line) => {
    const [, prompt, language] = /^(\S+)\s*\(\s*(\w+)\s*\)$/.exec(line) ?? [];
    return prompt === undefined ? line : { prompt, language };
  });
  return all ?? null;
}

function sortedText(value: unknown): string {
  return JSON.stringify(value, (_key, one) => {
    return isPlain(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one;
  });
}
