// Owns: a menu in words, for who asks what would become of a call. Pure. May import: core only.
import { defaultRingTimeoutMs, type MenuDial, type MenuTypedDial } from './menu-dial.ts';
import { actionsOf, dialsOf, type MenuAction, type MenuNode, type PhoneMenu, spokenOf } from './phone-menu.ts';

/** One sentence for each node, the first node first. */
export function menuSteps(menu: PhoneMenu): string[] {
  const rest = Object.keys(menu.nodes).filter((name) => name !== menu.start);
  return [menu.start, ...rest].map((name) => nodeText(name, menu.nodes[name] ?? {}));
}

/** Each room that it names, once. */
export function roomsOf(menu: PhoneMenu): ReadonlySet<string> {
  const nodes = Object.values(menu.nodes);
  const chosen = nodes.flatMap((node) => actionsOf(node).flatMap(({ action }) => action.room ?? []));
  return new Set([...chosen, ...nodes.flatMap(({ collect }) => collect?.rooms ?? [])]);
}

/** Whom it calls, each way once for each place. */
export function dialledIn(menu: PhoneMenu): readonly (MenuDial | MenuTypedDial)[] {
  return Object.values(menu.nodes).flatMap((node) => dialsOf(node).map(({ dial }) => dial));
}

export function dialText(dial: MenuDial | MenuTypedDial): string {
  const whom = 'to' in dial ? dial.to : dial.numbers.join(', ');
  return `${whom}${dial.trunk === undefined ? '' : ` through the trunk "${dial.trunk}"`}`;
}

function nodeText(name: string, { say = [], keys = {}, collect, otherwise }: MenuNode): string {
  const said = say.map((one) => {
    const { name: prompt, language } = spokenOf(one);
    return language ? `${prompt} (${language})` : prompt;
  });
  const ways = [
    ...Object.entries(keys).map(([key, action]) => `${key} ${actionText(action)}`),
    ...(collect?.find === 'number' ? ['digits: a conference number'] : []),
    ...(collect?.find === 'pin' ? [`digits: the PIN of ${(collect.rooms ?? []).join(', ')}`] : []),
    ...(collect?.dial
      ? [`digits: a number to be called out of ${dialText(collect.dial)}${afterText(collect.dial)}`]
      : []),
    `nothing ${otherwise ? actionText(otherwise) : 'hangs up'}`,
  ];
  return `Menu "${name}" says ${said.join(', ') || 'nothing'}; ${ways.join('; ')}.`;
}

/** What becomes of a call that nobody answers. */
function afterText({ ringTimeoutMs = defaultRingTimeoutMs, unanswered }: MenuDial | MenuTypedDial): string {
  const then = unanswered?.goto === undefined ? 'the menu again' : `"${unanswered.goto}"`;
  return ` (rings ${Math.round(ringTimeoutMs / 1_000)} s at most, then ${then})`;
}

function actionText({ language, menu, goto, room, access, dial, hangUp }: MenuAction): string {
  const spoken = language ? ` in ${language}` : '';
  if (menu !== undefined) return `leads to "${menu}"${spoken}`;
  if (goto !== undefined) return `goes to "${goto}"${spoken}`;
  if (room !== undefined) return `leads into the room "${room}"${access === 'open' ? ' without a PIN' : ''}${spoken}`;
  if (dial) return `calls ${dialText(dial)}${afterText(dial)}${spoken}`;
  return hangUp ? `hangs up (${hangUp.reason})` : `says it again${spoken}`;
}
