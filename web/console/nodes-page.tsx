// Owns: the gateways that work together, and taking one out of service. May import: API contract (types), ui and its
// siblings.
import { useState } from 'preact/hooks';
import type { NodeResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import type { Console } from './console.ts';
import { DrainDialog } from './drain-dialog.tsx';
import { durationText, timeText } from './figures.ts';
import { NodeWorkers } from './node-workers.tsx';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

const pollMs = 2_000;

const stateWords = {
  active: 'takes work',
  draining: 'is being drained',
  drained: 'is out of service, and empty',
} as const satisfies Record<NodeResource['state'], string>;

export function NodesPage({ app }: { app: Console }) {
  const nodes = usePolled(app, 'nodes', pollMs, () => app.api.nodes());
  const [draining, setDraining] = useState<NodeResource>();
  const refresh = () => void nodes.refresh();
  return (
    <>
      <header class="page-head">
        <h1>Nodes</h1>
      </header>
      <p class="dim summary">The gateways that work together, what each has to do, and taking one out of service.</p>
      <Loaded from={nodes}>
        {(all) =>
          all.map((node) => <NodeCard key={node.id} {...{ app, node }} onDrain={setDraining} onChanged={refresh} />)
        }
      </Loaded>
      {draining && (
        <DrainDialog
          app={app}
          node={draining}
          onClose={() => {
            setDraining(undefined);
            refresh();
          }}
        />
      )}
    </>
  );
}

interface CardProps {
  readonly app: Console;
  readonly node: NodeResource;
  readonly onDrain: (node: NodeResource) => void;
  readonly onChanged: () => void;
}

function NodeCard({ app, node, onDrain, onChanged }: CardProps) {
  const { id, isSelf, state, drain } = node;
  const undrain = async () => {
    await act(app, () => app.api.undrainNode(id), 'It takes work again.');
    onChanged();
  };
  return (
    <section class="node-card" data-testid="node" data-node={id} data-state={state}>
      <header class="page-head">
        <h2>
          <span class={`live ${state === 'active' ? 'on' : 'bad'}`}>{id}</span>
          <span class="tag">{stateWords[state]}</span>
          {isSelf && <span class="tag">this one</span>}
        </h2>
        <div class="head-actions">
          {drain && (
            <button type="button" class="button small" data-testid="undrain" onClick={() => void undrain()}>
              <Icon name="check" size={16} /> Give it work again
            </button>
          )}
          {state !== 'drained' && (
            <button type="button" class="button small" data-testid="drain" onClick={() => onDrain(node)}>
              <Icon name="door" size={16} /> {drain ? 'Change the drain' : 'Drain'}
            </button>
          )}
        </div>
      </header>
      {drain && <DrainNotice drain={drain} />}
      {!drain && <Problems node={node} />}
      <Totals node={node} />
      <NodeWorkers node={node} />
    </section>
  );
}

function DrainNotice({ drain }: { drain: NonNullable<NodeResource['drain']> }) {
  const { reason, since, endsAt, left } = drain;
  const rest = [
    [left.participants, 'participants'],
    [left.calls, 'calls'],
    [left.jobs, 'jobs'],
  ]
    .filter(([count]) => count !== 0)
    .map(([count, what]) => `${count} ${what}`);
  return (
    <div class="notice" role="status" data-testid="drain-notice">
      <Icon name="warning" size={18} />
      <div>
        <p>
          It takes nothing new since {timeText(since)}
          {reason && <>: {reason}</>}.
        </p>
        <p class="dim">
          {rest.length === 0 ? 'Nothing is left.' : `Left: ${rest.join(', ')}. `}
          {rest.length > 0 && (endsAt === null ? 'They go on for as long as they like.' : <EndsAt endsAt={endsAt} />)}
        </p>
      </div>
    </div>
  );
}

function EndsAt({ endsAt }: { endsAt: string }) {
  const leftMs = Date.parse(endsAt) - Date.now();
  return <>{leftMs > 0 ? `They are sent away in ${durationText(leftMs)}.` : 'They are being sent away.'}</>;
}

function Problems({ node: { problems } }: { node: NodeResource }) {
  if (problems.length === 0) return null;
  return (
    <div class="notice error" role="alert">
      <Icon name="warning" size={18} />
      <div>
        {problems.map(({ part, message }) => (
          <p key={part + message}>
            <strong>{part}</strong>: {message}
          </p>
        ))}
      </div>
    </div>
  );
}

function Totals({ node }: { node: NodeResource }) {
  const { load, cores } = node;
  const percent = load.cpuPercent === null ? '–' : `${Math.round(load.cpuPercent)} %`;
  const delay = load.eventLoopDelayMs === null ? '–' : `${load.eventLoopDelayMs} ms`;
  const facts: (readonly [name: string, value: string | number, title: string])[] = [
    ['CPU', percent, `Of ${cores} cores, workers included`],
    ['Late by', delay, 'How late timers of the control process run, 99th percentile'],
    ['Rooms in use', node.roomCount, ''],
    ['Participants', node.participantCount, ''],
    ['Calls', node.callCount, ''],
    ['Jobs', node.jobCount, ''],
    ['Up for', durationText(Date.now() - Date.parse(node.startedAt)), timeText(node.startedAt)],
    ['Version', node.version, `Node ${node.nodeVersion}`],
  ];
  return (
    <dl class="totals">
      {facts.map(([name, value, title]) => (
        <div key={name} title={title || undefined}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
