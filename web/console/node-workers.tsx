// Owns: the processes of a node and the ports that it listens at. May import: API contract (types), its siblings.
import type { NodeResource } from '#api/contract.ts';
import { Table } from './action-table.tsx';
import { bytesText, durationText } from './figures.ts';

const mediaStates = { starting: 'Starting', ready: 'Ready', spare: 'Spare' } as const;

export function NodeWorkers({ node }: { node: NodeResource }) {
  return (
    <>
      <h3>Processes</h3>
      <Table
        head={
          <>
            <th>What</th>
            <th>State</th>
            <th class="number">Process</th>
            <th class="number">Work</th>
            <th class="number">CPU time</th>
            <th class="number">Memory</th>
          </>
        }
      >
        <tr>
          <td>Control</td>
          <td class="dim">{node.isReady ? 'Ready' : 'Not ready'}</td>
          <td class="number dim">{node.control.pid}</td>
          <td class="number">{countText(node.roomCount, 'room')}</td>
          <td class="number">{durationText(node.control.cpuMs)}</td>
          <td class="number">{bytesText(node.control.rssBytes)}</td>
        </tr>
        {node.sfuWorkers.map((worker) => (
          <tr key={worker.pid} data-testid="sfu-worker-row">
            <td>WebRTC</td>
            <td class={worker.restarts > 0 ? 'bad' : 'dim'}>{restartsText(worker.restarts)}</td>
            <td class="number dim">{worker.pid}</td>
            <td class="number">
              {countText(worker.rooms, 'room')}, {countText(worker.consumers, 'stream')} out
            </td>
            <td class="number">{durationText(worker.cpuMs)}</td>
            <td class="number">{bytesText(worker.maxRssBytes)}</td>
          </tr>
        ))}
        {node.mediaWorkers.map((worker) => (
          <tr key={worker.pid} data-testid="media-worker-row">
            <td>Media</td>
            <td class="dim">{mediaStates[worker.state]}</td>
            <td class="number dim">{worker.pid}</td>
            <td class="number">
              {countText(worker.jobs, 'job')}, {Math.round(worker.costMsPerS / 10)} % of a core
            </td>
            <td class="number">{durationText(worker.cpuMs)}</td>
            <td class="number">{bytesText(worker.rssBytes)}</td>
          </tr>
        ))}
      </Table>
      <p class="dim ports">
        {node.ports.map(({ name, port, lastPort }) => (
          <span key={name}>
            {name} <code>{port === lastPort ? port : `${port}–${lastPort}`}</code>
          </span>
        ))}
      </p>
    </>
  );
}

const countText = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
const restartsText = (restarts: number) =>
  restarts === 0 ? 'Ready' : `Ready, restarted ${countText(restarts, 'time')}`;
