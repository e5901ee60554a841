// Owns: asking what would become of a call. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { DispatchRuleResource, DispatchSimulation } from '#api/contract.ts';
import { Icon } from '../../ui/icons.tsx';
import { Table } from '../action-table.tsx';
import { type Console, linkTo } from '../console.ts';
import { ApiForm, LinesField, TextField } from '../form.tsx';
import { textOrNull, withoutNulls } from './draft-values.ts';
import { headersOf } from './rule-draft.ts';
import { askedTexts, becomesText } from './rule-words.ts';

interface Props {
  readonly app: Console;
  readonly rules: readonly DispatchRuleResource[];
}

const emptyCall = { to: '', from: '', source: '', username: '', at: '', headers: '' };

export function Simulator({ app, rules }: Props) {
  const [call, setCall] = useState(emptyCall);
  const [verdict, setVerdict] = useState<DispatchSimulation>();
  const change = (part: Partial<typeof emptyCall>) => setCall((before) => ({ ...before, ...part }));
  const submit = async () => {
    const { to, from, source, username, at, headers } = call;
    setVerdict(undefined);
    const asked = {
      ...{ from: textOrNull(from), source: textOrNull(source), username: textOrNull(username) },
      ...{ at: at ? new Date(at).toISOString() : null, headers: headers.trim() ? headersOf(headers) : null },
    };
    setVerdict(await app.api.sip.simulateDispatch({ to: to.trim(), ...withoutNulls(asked) }));
  };
  return (
    <section class="block" data-testid="simulator">
      <h2>Who would land where?</h2>
      <p class="dim summary">Nothing rings, and nobody is asked.</p>
      <ApiForm app={app} testId="simulate-form" deed="Ask" onSubmit={submit}>
        <div class="field-row">
          <TextField
            path="to"
            label="What is dialled"
            isRequired
            value={call.to}
            placeholder="+4930123 or sip:demo@host"
            onChange={(to) => change({ to })}
          />
          <TextField
            path="from"
            label="Who calls"
            value={call.from}
            placeholder="+4989555"
            onChange={(from) => change({ from })}
          />
        </div>
        <div class="field-row">
          <TextField
            path="source"
            label="Address that the packet comes from"
            value={call.source}
            placeholder="192.0.2.7"
            onChange={(source) => change({ source })}
          />
          <TextField
            path="username"
            label="Shows this user name, with the right password"
            value={call.username}
            onChange={(username) => change({ username })}
          />
        </div>
        <details class="fold">
          <summary>More: when, headers</summary>
          <div class="stack">
            <TextField
              path="at"
              label="When; now if empty"
              type="datetime-local"
              value={call.at}
              onChange={(at) => change({ at })}
            />
            <LinesField
              path="headers"
              label="Headers, one a line"
              value={call.headers}
              placeholder="X-Customer: gold"
              onChange={(headers) => change({ headers })}
            />
          </div>
        </details>
      </ApiForm>
      {verdict && <Verdict verdict={verdict} rules={rules} />}
    </section>
  );
}

const outcomeWords: Readonly<Record<DispatchSimulation['outcome'], string>> = {
  enter: 'It comes in',
  ask_pin: 'It is asked for the PIN',
  ask_webhook: 'A system of yours would be asked',
  menu: 'It chooses in a menu',
  reject: 'It is refused',
};

function Verdict({ verdict, rules }: { verdict: DispatchSimulation; rules: readonly DispatchRuleResource[] }) {
  const { outcome, room, rule, trunk, account, rejection, steps } = verdict;
  const isRefused = outcome === 'reject';
  return (
    <div class="verdict" data-testid="verdict" data-outcome={outcome} role="status">
      <p class={isRefused ? 'notice error' : 'notice good'}>
        <Icon name={isRefused ? 'warning' : 'check'} size={18} />
        <span>
          <strong data-testid="verdict-words">{outcomeWords[outcome]}</strong>
          {room && (
            <>
              {' '}
              at the room <a href={linkTo({ page: 'room', room: room.name })}>{room.name}</a>
            </>
          )}
          {rejection && ` with ${rejection.status}: ${rejection.reason}`}
        </span>
      </p>
      <dl class="call-facts">
        <Fact name="By the trunk" value={trunk?.name} />
        <Fact name="From the account" value={account ?? undefined} />
        <Fact name="Rule that holds" value={rule ? ruleText(rule) : 'none'} />
      </dl>
      <ol class="steps" data-testid="verdict-steps">
        {steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      <Rejected
        title="Rules that do not fit"
        testId="rejected-rules"
        what="Rule"
        rows={verdict.rejectedRules.map(({ id, reason }) => {
          const known = rules.find((one) => one.id === id);
          return { id, name: known ? ruleText(known) : id, reason };
        })}
      />
      <Rejected
        title="Trunks that it is not from"
        testId="rejected-trunks"
        what="Trunk"
        rows={verdict.rejectedTrunks}
      />
    </div>
  );
}

function ruleText(rule: DispatchRuleResource): string {
  return `${askedTexts(rule).join(', ')} ${becomesText(rule)}`;
}

function Fact({ name, value }: { name: string; value: string | undefined }) {
  if (value === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface RejectedProps {
  readonly title: string;
  readonly testId: string;
  readonly what: string;
  readonly rows: readonly { readonly id: string; readonly name: string; readonly reason: string }[];
}

function Rejected({ title, testId, what, rows }: RejectedProps) {
  if (rows.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <Table
        testId={testId}
        head={
          <>
            <th>{what}</th>
            <th>Why not</th>
          </>
        }
      >
        {rows.map(({ id, name, reason }) => (
          <tr key={id}>
            <td>{name}</td>
            <td class="bad">{reason}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}
