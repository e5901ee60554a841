// Owns: what is published in a room. May import: API contract (types), ui and its siblings.
import type { StreamResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { bitrateText, streamBitrate } from './figures.ts';
import type { TableProps } from './participant-table.tsx';

const sourceWords: Record<StreamResource['source'], string> = {
  microphone: 'Microphone',
  camera: 'Camera',
  screen: 'Screen',
  screen_audio: 'Sound of the screen',
  other: 'Other',
};

export function StreamTable({ app, view, onChanged }: TableProps) {
  const { room, streams, stats } = view;
  if (streams.length === 0) return null;
  const end = async ({ id, displayName }: StreamResource) => {
    await act(app, () => app.api.deleteStream(room.id, id), `A stream of ${displayName} was ended.`);
    onChanged();
  };
  return (
    <section class="block">
      <h2>Streams</h2>
      <ActionTable
        head={
          <>
            <th>Stream</th>
            <th>Of</th>
            <th>Codec</th>
            <th class="number">Bitrate</th>
            <th class="number">Layers</th>
            <th class="number">Receivers</th>
            <th class="number">Score</th>
          </>
        }
      >
        {streams.map((stream) => (
          <tr key={stream.id} data-testid="stream-row" data-source={stream.source}>
            <td>
              {sourceWords[stream.source]}
              {stream.label && <span class="dim"> {stream.label}</span>}
              {stream.isMuted && <span class="tag">{stream.isMutedByModerator ? 'muted by moderator' : 'muted'}</span>}
              {!stream.isWatched && <span class="tag">paused, nobody watches</span>}
            </td>
            <td>{stream.displayName}</td>
            <td class="dim">{stream.mimeType.split('/')[1]}</td>
            <td class="number">{bitrateText(streamBitrate(stats, stream.id))}</td>
            <td class="number">{stream.encodingCount}</td>
            <td class="number">{stream.subscriptionCount}</td>
            <td class="number">{stream.score ?? '–'}</td>
            <td class="row-actions">
              <button type="button" class="button small" data-testid="end-stream" onClick={() => void end(stream)}>
                <Icon name="close" size={16} /> End
              </button>
            </td>
          </tr>
        ))}
      </ActionTable>
    </section>
  );
}
