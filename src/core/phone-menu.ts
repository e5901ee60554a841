// Owns: menus that callers walk through by keys: what they are made of, and whether one holds together. Pure. May import:
// core only.
import type { PromptLanguage, SpokenPrompt } from './leg-media.ts';
import type { MenuDial, MenuTypedDial } from './menu-dial.ts';

/** A recording by its name, or with a language of its own. */
export type MenuPrompt = string | { readonly prompt: string; readonly language?: PromptLanguage | undefined };

/** One of `menu`, `goto`, `room`, `dial`, `repeat` and `hangUp`. */
export interface MenuAction {
  /** Spoken from here on. */
  readonly language?: PromptLanguage | undefined;
  /** Down to another node: never back to one that the caller came through. */
  readonly menu?: string | undefined;
  /** To any node; so often in one call as `maxGotos` says. */
  readonly goto?: string | undefined;
  /** Name or id. */
  readonly room?: string | undefined;
  /** Instead of what the room says. */
  readonly access?: 'pin' | 'open' | undefined;
  /** Calls somebody and connects the two; who is not reached counts as a `goto`. */
  readonly dial?: MenuDial | undefined;
  /** Asks again; counts as a `goto`. */
  readonly repeat?: true | undefined;
  readonly hangUp?: { readonly reason: string; readonly say?: readonly MenuPrompt[] | undefined } | undefined;
}

export interface MenuNode {
  readonly say?: readonly MenuPrompt[] | undefined;
  readonly keys?: Readonly<Record<string, MenuAction>> | undefined;
  /** Instead of a choice: a number that says which room, a PIN that fits one of `rooms`, whom to call. `#` ends it. */
  readonly collect?:
    | {
        readonly find: 'number' | 'pin' | 'phone';
        readonly rooms?: readonly string[] | undefined;
        readonly dial?: MenuTypedDial | undefined;
      }
    | undefined;
  readonly tries?: number | undefined;
  /** Until the first key, from the end of what is said. */
  readonly firstKeyMs?: number | undefined;
  /** After a key of a number: what was typed until then is taken. */
  readonly nextKeyMs?: number | undefined;
  /** After the last try; hangs up unless said. */
  readonly otherwise?: MenuAction | undefined;
}

export interface PhoneMenu {
  readonly start: string;
  readonly nodes: Readonly<Record<string, MenuNode>>;
  readonly maxGotos?: number | undefined;
}

export const menuDefaults = { tries: 3, firstKeyMs: 8_000, nextKeyMs: 4_000, maxGotos: 10 } as const;
export const maxMenuNodes = 64;
const maxMenuDepth = 8;
export const menuNodeName = /^[a-z][a-z0-9_-]{0,31}$/;

export interface MenuFlaw {
  readonly path: string;
  readonly message: string;
}

const verbs = ['menu', 'goto', 'room', 'dial', 'repeat', 'hangUp'] as const;

/** @returns own keys only: a menu comes from outside, and `constructor` is no node of it */
export function nodeOf({ nodes }: PhoneMenu, name: string): MenuNode | undefined {
  return Object.hasOwn(nodes, name) ? nodes[name] : undefined;
}

/** What the shape cannot say. @returns undefined for a menu that holds together */
export function flawOfMenu(menu: PhoneMenu): MenuFlaw | undefined {
  const names = Object.keys(menu.nodes);
  if (names.length > maxMenuNodes) return flaw('nodes', `there are at most ${maxMenuNodes}`);
  if (!nodeOf(menu, menu.start)) return flaw('start', `there is no node "${menu.start}"`);
  for (const name of names) {
    const found = flawOfNode(menu, `nodes.${name}`, nodeOf(menu, name) as MenuNode);
    if (found) return found;
  }
  return flawOfWays(menu);
}

/** Every recording that it names. */
export function promptsOf(menu: PhoneMenu): Set<string> {
  const said = Object.values(menu.nodes).flatMap((node) => [
    ...(node.say ?? []),
    ...actionsOf(node).flatMap(({ action }) => action.hangUp?.say ?? []),
    ...dialsOf(node).flatMap(({ dial }) => dial.unanswered?.say ?? []),
  ]);
  return new Set(said.map((one) => spokenOf(one).name));
}

export function spokenOf(prompt: MenuPrompt): SpokenPrompt {
  return typeof prompt === 'string' ? { name: prompt } : { name: prompt.prompt, language: prompt.language };
}

/** Of each node, what its keys do and what becomes of those who press none. */
export function actionsOf(node: MenuNode): readonly { readonly at: string; readonly action: MenuAction }[] {
  const keyed = Object.entries(node.keys ?? {}).map(([key, action]) => ({ at: `keys.${key}`, action }));
  return node.otherwise ? [...keyed, { at: 'otherwise', action: node.otherwise }] : keyed;
}

/** Of each node, whom its choices call. */
export function dialsOf(node: MenuNode): readonly { readonly at: string; readonly dial: MenuDial | MenuTypedDial }[] {
  const chosen = actionsOf(node).flatMap(({ at, action: { dial } }) => (dial ? [{ at: `${at}.dial`, dial }] : []));
  const typed = node.collect?.dial;
  return typed ? [...chosen, { at: 'collect.dial', dial: typed }] : chosen;
}

/** Where an action of the node leads to in the menu. */
function targetsOf(node: MenuNode): readonly { readonly at: string; readonly target: string }[] {
  const chosen = actionsOf(node).map(({ at, action }) => ({ at, target: action.menu ?? action.goto }));
  const after = dialsOf(node).map(({ at, dial }) => ({ at: `${at}.unanswered.goto`, target: dial.unanswered?.goto }));
  return [...chosen, ...after].flatMap(({ at, target }) => (target === undefined ? [] : [{ at, target }]));
}

function flawOfNode(menu: PhoneMenu, path: string, node: MenuNode): MenuFlaw | undefined {
  const keys = Object.keys(node.keys ?? {});
  const { collect } = node;
  if (!collect && keys.length === 0) return flaw(path, 'needs keys, or collect');
  if (collect && keys.some((key) => key !== '*')) return flaw(`${path}.keys`, 'beside collect only * can be a choice');
  if (collect?.find === 'pin' && !collect.rooms?.length) return flaw(`${path}.collect.rooms`, 'a PIN needs rooms');
  if (collect && collect.find !== 'pin' && collect.rooms) return flaw(`${path}.collect.rooms`, 'are for a PIN');
  if (collect?.find === 'phone' && !collect.dial)
    return flaw(`${path}.collect.dial`, 'says which numbers may be called');
  if (collect && collect.find !== 'phone' && collect.dial) return flaw(`${path}.collect.dial`, 'is for a phone');
  for (const { at, action } of actionsOf(node)) {
    const found = flawOfAction(`${path}.${at}`, action);
    if (found) return found;
  }
  for (const { at, target } of targetsOf(node)) {
    if (!nodeOf(menu, target)) return flaw(`${path}.${at}`, `there is no node "${target}"`);
  }
  return undefined;
}

function flawOfAction(path: string, action: MenuAction): MenuFlaw | undefined {
  if (verbs.filter((verb) => action[verb] !== undefined).length !== 1) {
    return flaw(path, `needs one of ${verbs.join(', ')}`);
  }
  if (action.access !== undefined && action.room === undefined) return flaw(`${path}.access`, 'belongs to a room');
  if (action.dial && action.dial.trunk === undefined && /^\+/.test(action.dial.to)) {
    return flaw(`${path}.dial.trunk`, 'a number needs the trunk that it goes through');
  }
  return undefined;
}

/** Down is down: `menu` never leads back, and not too deep; and there is a way to each node. */
function flawOfWays(menu: PhoneMenu): MenuFlaw | undefined {
  const depths = new Map<string, number>();
  const open = new Set<string>();
  const below = (name: string): MenuFlaw | undefined => {
    if (open.has(name)) return flaw(`nodes.${name}`, 'a menu leads back to itself; that takes a goto');
    if (depths.has(name)) return undefined;
    open.add(name);
    let depth = 1;
    for (const { action } of actionsOf(nodeOf(menu, name) as MenuNode)) {
      if (action.menu === undefined) continue;
      const found = below(action.menu);
      if (found) return found;
      depth = Math.max(depth, 1 + (depths.get(action.menu) ?? 0));
    }
    open.delete(name);
    depths.set(name, depth);
    return depth > maxMenuDepth ? flaw(`nodes.${name}`, `menus are at most ${maxMenuDepth} deep`) : undefined;
  };
  for (const name of Object.keys(menu.nodes)) {
    const found = below(name);
    if (found) return found;
  }
  const reached = reachedFrom(menu);
  const lost = Object.keys(menu.nodes).find((name) => !reached.has(name));
  return lost === undefined ? undefined : flaw(`nodes.${lost}`, 'nothing leads to it');
}

function reachedFrom(menu: PhoneMenu): ReadonlySet<string> {
  const reached = new Set([menu.start]);
  for (const name of reached) {
    for (const { target } of targetsOf(nodeOf(menu, name) as MenuNode)) reached.add(target);
  }
  return reached;
}

function flaw(path: string, message: string): MenuFlaw {
  return { path, message };
}
