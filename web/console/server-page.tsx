// Owns: how the server does. May import: API contract (types), ui and its siblings.
import type { ServerInfo } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { Table } from './action-table.tsx';
import type { Console } from './console.ts';
import { bytesText, durationText, timeText } from './figures.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

export function ServerPage({ app }: { app: Console }) {
  const server = usePolled(app, 'server', 3_000, () => app.api.server());
  return (
    <>
      <header class="page-head">
        <h1>Server</h1>
      </header>
      <Loaded from={server}>
        {(info) => (
          <>
            <Readiness info={info} />
            <Load info={info} />
            <dl class="totals">
              <div>
                <dt>Rooms in use</dt>
                <dd>{info.roomCount}</dd>
              </div>
              <div>
                <dt>Participants</dt>
                <dd>{info.participantCount}</dd>
              </div>
              <div>
                <dt>Up for</dt>
                <dd title={timeText(info.startedAt)}>{durationText(info.uptimeMs)}</dd>
              </div>
              <div>
                <dt>Version</dt>
                <dd title={`Node ${info.nodeVersion}`}>{info.version}</dd>
              </div>
            </dl>
            <Workers workers={info.sfuWorkers} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Readiness({ info }: { info: ServerInfo }) {
  if (info.isReady && !info.isDraining) {
    return (
      <p class="notice good" data-testid="ready">
        <Icon name="check" size={18} />
        <span>Everything works.</span>
      </p>
    );
  }
  return (
    <div class="notice error" role="alert" data-testid="not-ready">
      <Icon name="warning" size={18} />
      <div>
        <p>
          {info.isDraining
            ? 'The server is being drained and takes nobody new.'
            : 'The server is not ready for guests.'}
        </p>
        {info.problems.map(({ part, message }) => (
          <p key={part + message}>
            <strong>{part}</strong>: {message}
          </p>
        ))}
      </div>
    </div>
  );
}

const sheddingWords = {
  jobs: 'starts no new jobs (ingress, egress, recordings, views)',
  joins: 'takes no new participants and calls',
  layers: 'sends video in its lowest layer only',
} as const;

function Load({ info }: { info: ServerInfo }) {
  const { shedding, reason } = info.load;
  if (shedding.length === 0) return null;
  return (
    <div class="notice error" role="alert" data-testid="shedding">
      <Icon name="warning" size={18} />
      <div>
        <p>There is too much to do. Until it is less, this server:</p>
        <ul>
          {shedding.map((step) => (
            <li key={step}>{sheddingWords[step]}</li>
          ))}
        </ul>
        <p>{reason}</p>
      </div>
    </div>
  );
}

function Workers({ workers }: { workers: ServerInfo['sfuWorkers'] }) {
  return (
    <section class="block">
      <h2>WebRTC workers</h2>
      <Table
        head={
          <>
            <th>Process</th>
            <th class="number">Rooms</th>
            <th class="number">Streams out</th>
            <th class="number">CPU time</th>
            <th class="number">Memory</th>
            <th class="number">Restarts</th>
          </>
        }
      >
        {workers.map((worker) => (
          <tr key={worker.pid} data-testid="worker-row">
            <td>{worker.pid}</td>
            <td class="number">{worker.rooms}</td>
            <td class="number">{worker.consumers}</td>
            <td class="number">{durationText(worker.cpuMs)}</td>
            <td class="number">{bytesText(worker.maxRssBytes)}</td>
            <td class={`number${worker.restarts > 0 ? ' bad' : ''}`}>{worker.restarts}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
