// Owns: a menu that callers choose from, as a tree of its parts, in the form of a rule. May import: the form and its siblings.
import { Icon } from '../../ui/icons.tsx';
import { FlawsAt, LinesField, SelectField, TextField } from '../form.tsx';
import { DeedFields, DialFields, deedOptions, languageOptions, NodeField } from './menu-action-fields.tsx';
import {
  type ActionDraft,
  type Branch,
  type Deed,
  emptyKey,
  type KeyDraft,
  type MenuDraft,
  menuKeys,
  type NodeDraft,
  renamed,
  treeOf,
  withNewNode,
} from './menu-draft.ts';

interface Props {
  readonly draft: MenuDraft;
  readonly onChange: (draft: MenuDraft) => void;
}

export function MenuFields({ draft, onChange }: Props) {
  const names = draft.nodes.map(({ name }) => name);
  const add = (then: (name: string, draft: MenuDraft) => MenuDraft) => {
    const made = withNewNode(draft);
    onChange(then(made.name, made.draft));
  };
  return (
    <div class="stack" data-testid="menu-fields">
      <FlawsAt path="menu" />
      <FlawsAt path="menu.nodes" />
      <div class="field-row">
        <NodeField
          path="menu.start"
          label="Begins with"
          value={draft.start}
          names={names}
          onChange={(start) => onChange({ ...draft, start })}
          onNewNode={() => add((start, next) => ({ ...next, start }))}
        />
        <TextField
          path="menu.maxGotos"
          label="Going back or saying it again, at most"
          hint="In one call; so are calls that nobody answers."
          type="number"
          value={draft.maxGotos}
          placeholder="10"
          onChange={(maxGotos) => onChange({ ...draft, maxGotos })}
        />
      </div>
      {treeOf(draft).map((branch) => (
        <NodeFields key={branch.node.id} branch={branch} draft={draft} names={names} onChange={onChange} />
      ))}
      <div>
        <button type="button" class="button small" data-testid="add-part" onClick={() => add((_, next) => next)}>
          <Icon name="plus" size={16} /> Another part
        </button>
      </div>
    </div>
  );
}

interface NodeProps extends Props {
  readonly branch: Branch;
  readonly names: readonly string[];
}

const askOptions: readonly (readonly [NodeDraft['asks'], string])[] = [
  ['key', 'a key'],
  ['number', 'the number of a room, and #'],
  ['pin', 'the PIN of a room, and #'],
  ['phone', 'the number of whom to call, and #'],
];
/** Deeper ones are not put further to the right. */
const maxShownDepth = 3;

function NodeFields({ branch: { node, depth }, draft, names, onChange }: NodeProps) {
  const path = `menu.nodes.${node.name}`;
  const change = (part: Partial<NodeDraft>, base = draft) =>
    onChange({ ...base, nodes: base.nodes.map((one) => (one.id === node.id ? { ...node, ...part } : one)) });
  /** @param make what becomes of this part, once there is one of that name */
  const addFor = (make: (name: string) => Partial<NodeDraft>) => {
    const made = withNewNode(draft);
    change(make(made.name), made.draft);
  };
  return (
    <fieldset
      class="choices menu-part"
      data-testid="menu-part"
      data-name={node.name}
      style={{ marginLeft: `${Math.min(depth ?? 0, maxShownDepth) * 22}px` }}
    >
      <legend>
        {node.name === draft.start ? 'First' : depth === undefined ? 'Nothing leads here' : 'Then'}: {node.name}
      </legend>
      <div class="stack">
        <FlawsAt path={path} />
        <div class="field-row">
          <TextField
            path={`${path}.name`}
            label="Name"
            value={node.name}
            onChange={(name) => onChange(renamed(draft, node.id, name))}
          />
          <SelectField
            path={`${path}.collect`}
            label="The caller presses"
            value={node.asks}
            options={askOptions}
            onChange={(asks) => change({ asks: asks as NodeDraft['asks'] })}
          />
        </div>
        <LinesField
          path={`${path}.say`}
          label="Says, one recording a line"
          hint="Ours or yours, by name; n1 (es) says it in another language."
          value={node.say}
          placeholder={'welcome\nfor_help\nn1'}
          onChange={(say) => change({ say })}
        />
        <CollectFields node={node} path={path} names={names} onChange={change} addFor={addFor} />
        <Keys node={node} path={path} names={names} onChange={change} addFor={addFor} />
        <Patience node={node} path={path} names={names} onChange={change} addFor={addFor} />
        {draft.nodes.length > 1 && (
          <div>
            <button
              type="button"
              class="button small"
              data-testid="remove-part"
              onClick={() => onChange({ ...draft, nodes: draft.nodes.filter(({ id }) => id !== node.id) })}
            >
              <Icon name="trash" size={16} /> Take this part away
            </button>
          </div>
        )}
      </div>
    </fieldset>
  );
}

interface PartProps {
  readonly node: NodeDraft;
  readonly path: string;
  readonly names: readonly string[];
  readonly onChange: (part: Partial<NodeDraft>) => void;
  readonly addFor: (make: (name: string) => Partial<NodeDraft>) => void;
}

function CollectFields({ node, path, names, onChange, addFor }: PartProps) {
  if (node.asks === 'pin') {
    return (
      <LinesField
        path={`${path}.collect.rooms`}
        label="Rooms whose PIN it may be, one a line"
        value={node.rooms}
        onChange={(rooms) => onChange({ rooms })}
      />
    );
  }
  if (node.asks !== 'phone') return null;
  const change = (part: Partial<NodeDraft['dial']>) => onChange({ dial: { ...node.dial, ...part } });
  return (
    <>
      <LinesField
        path={`${path}.collect.dial.numbers`}
        label="Numbers that may be called, one a line"
        hint="None but these, for callers of a trunk or an account. ? is a digit, * at the end any more; with + the whole number, however it was typed."
        value={node.dial.numbers}
        placeholder={'2??\n+4930*'}
        onChange={(numbers) => change({ numbers })}
      />
      <DialFields
        path={`${path}.collect.dial`}
        draft={node.dial}
        names={names}
        onChange={change}
        onNewNode={() => addFor((goto) => ({ dial: { ...node.dial, goto } }))}
      />
    </>
  );
}

function Keys({ node, path, names, onChange, addFor }: PartProps) {
  const { keys } = node;
  const replaced = (key: KeyDraft, part: Partial<KeyDraft>) =>
    keys.map((one) => (one === key ? { ...key, ...part } : one));
  const free = (node.asks === 'key' ? menuKeys : ['*']).filter((key) => !keys.some((one) => one.key === key));
  return (
    <>
      <FlawsAt path={`${path}.keys`} />
      {keys.map((key, at) => (
        <div class="menu-key" key={at} data-testid="menu-key" data-key={key.key}>
          <div class="menu-key-row">
            <SelectField
              path={`${path}.keys.${key.key}.key`}
              label="Key"
              value={key.key}
              options={[key.key, ...free].sort(byPlace).map((one) => [one, one] as const)}
              onChange={(one) => onChange({ keys: replaced(key, { key: one }) })}
            />
            <DoesFields
              path={`${path}.keys.${key.key}`}
              draft={key}
              onChange={(part) => onChange({ keys: replaced(key, part) })}
            />
            <button
              type="button"
              class="button small square"
              aria-label={`Take the key ${key.key} away`}
              title="Take this key away"
              data-testid="remove-key"
              onClick={() => onChange({ keys: keys.filter((one) => one !== key) })}
            >
              <Icon name="trash" size={16} />
            </button>
          </div>
          <FlawsAt path={`${path}.keys.${key.key}`} />
          <DeedFields
            path={`${path}.keys.${key.key}`}
            draft={key}
            names={names}
            onChange={(part) => onChange({ keys: replaced(key, part) })}
            onNewNode={() => addFor((name) => ({ keys: replaced(key, leadingTo(name, key)) }))}
          />
        </div>
      ))}
      {free.length > 0 && (
        <div>
          <button
            type="button"
            class="button small"
            data-testid="add-key"
            onClick={() => onChange({ keys: [...keys, emptyKey(free[0] ?? '1')] })}
          >
            <Icon name="plus" size={16} /> {keys.length === 0 ? 'A key' : 'Another key'}
          </button>
        </div>
      )}
    </>
  );
}

/** What is called goes on there when nobody answers; all else leads there. */
function leadingTo(name: string, { deed, dial }: ActionDraft): Partial<ActionDraft> {
  return deed === 'dial' ? { dial: { ...dial, goto: name } } : { node: name };
}

interface DoesProps {
  readonly path: string;
  readonly draft: ActionDraft;
  /** Words for no deed, where that is one. */
  readonly none?: string;
  readonly onChange: (part: Partial<ActionDraft>) => void;
}

function DoesFields({ path, draft, none, onChange }: DoesProps) {
  return (
    <>
      <SelectField
        path={`${path}.deed`}
        label={none === undefined ? 'It' : 'After the last try it'}
        value={draft.deed}
        options={none === undefined ? deedOptions : [['', none], ...deedOptions]}
        onChange={(deed) => onChange({ deed: deed as Deed })}
      />
      <SelectField
        path={`${path}.language`}
        label="Speaks then"
        value={draft.language}
        options={languageOptions}
        onChange={(language) => onChange({ language })}
      />
    </>
  );
}

function Patience({ node, path, names, onChange, addFor }: PartProps) {
  const { tries, firstKeyMs, nextKeyMs, otherwise } = node;
  const change = (part: Partial<ActionDraft>) => onChange({ otherwise: { ...otherwise, ...part } });
  const isSaid = [tries, firstKeyMs, nextKeyMs, otherwise.deed].some((one) => one !== '');
  return (
    <details class="fold" open={isSaid}>
      <summary>Tries, times, and who makes no choice</summary>
      <div class="stack">
        <div class="field-row three">
          <TextField
            path={`${path}.tries`}
            label="Tries"
            type="number"
            value={tries}
            placeholder="3"
            onChange={(tries) => onChange({ tries })}
          />
          <TextField
            path={`${path}.firstKeyMs`}
            label="Waits for a key, milliseconds"
            type="number"
            value={firstKeyMs}
            placeholder="8000"
            onChange={(firstKeyMs) => onChange({ firstKeyMs })}
          />
          <TextField
            path={`${path}.nextKeyMs`}
            label="And for the next of a number"
            type="number"
            value={nextKeyMs}
            placeholder="4000"
            onChange={(nextKeyMs) => onChange({ nextKeyMs })}
          />
        </div>
        <div class="field-row">
          <DoesFields path={`${path}.otherwise`} draft={otherwise} none="hangs up (usual)" onChange={change} />
        </div>
        <FlawsAt path={`${path}.otherwise`} />
        <DeedFields
          path={`${path}.otherwise`}
          draft={otherwise}
          names={names}
          onChange={change}
          onNewNode={() => addFor((name) => ({ otherwise: { ...otherwise, ...leadingTo(name, otherwise) } }))}
        />
        <p class="dim">Three wrong PINs, or ten wrong numbers, lock the caller out for 30 s, and longer each time.</p>
      </div>
    </details>
  );
}

function byPlace(one: string, other: string): number {
  return menuKeys.indexOf(one as '1') - menuKeys.indexOf(other as '1');
}
