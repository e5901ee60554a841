// Owns: a menu in words, for who asks what would become of a call. Pure. May import: core only.
import { actionsOf, type MenuAction, type MenuNode, type PhoneMenu, spokenOf } from './phone-menu.ts';

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

function nodeText(name: string, { say = [], keys = {}, collect, otherwise }: MenuNode): string {
  const said = say.map((one) => {
    const { name: prompt, language } = spokenOf(one);
    return language ? `${prompt} (${language})` : prompt;
  });
  const ways = [
    ...Object.entries(keys).map(([key, action]) => `${key} ${actionText(action)}`),
    ...(collect?.find === 'number' ? ['digits: a conference number'] : []),
    ...(collect?.find === 'pin' ? [`digits: the PIN of ${(collect.rooms ?? []).join(', ')}`] : []),
    `nothing ${otherwise ? actionText(otherwise) : 'hangs up'}`,
  ];
  return `Menu "${name}" says ${said.join(', ') || 'nothing'}; ${ways.join('; ')}.`;
}

function actionText({ language, menu, goto, room, access, hangUp }: MenuAction): string {
  const spoken = language ? ` in ${language}` : '';
  if (menu !== undefined) return `leads to "${menu}"${spoken}`;
  if (goto !== undefined) return `goes to "${goto}"${spoken}`;
  if (room !== undefined) return `leads into the room "${room}"${access === 'open' ? ' without a PIN' : ''}${spoken}`;
  return hangUp ? `hangs up (${hangUp.reason})` : `says it again${spoken}`;
}
