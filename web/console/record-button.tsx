// Owns: the button that begins a recording, and what of the room is recorded. May import: API contract (types), ui and its
// siblings.
import { useState } from 'preact/hooks';
import type { RecordingInput, RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import type { Console } from './console.ts';
import { usePolled } from './polled.ts';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
  readonly onRecord: (input: RecordingInput) => void;
}

const pollMs = 5_000;

const choices: readonly (readonly [value: string, words: string, input: RecordingInput])[] = [
  ['room', 'The room', {}],
  ['sound', 'The sound of everybody', { video: 'off' }],
  ['participants', 'Everybody, apart', { source: { kind: 'participants' } }],
  ['streams', 'Each camera, microphone and screen, apart', { source: { kind: 'streams' } }],
];

export function RecordButton({ app, room, onRecord }: Props) {
  const [choice, setChoice] = useState('room');
  const views = usePolled(app, `views of ${room.id}`, pollMs, () => app.api.views(room.id));
  const all = [
    ...choices,
    ...(views.value ?? [])
      .filter(({ name, video }) => name !== 'common' && video)
      .map(({ name }) => [`view ${name}`, `View ${name}`, { source: { kind: 'view', view: name } }] as const),
  ];
  const [, , input = {}] = all.find(([value]) => value === choice) ?? [];
  return (
    <div class="head-actions">
      <select
        class="input"
        aria-label="What is recorded"
        data-testid="record-what"
        value={choice}
        onChange={(event) => setChoice(event.currentTarget.value)}
      >
        {all.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      <button type="button" class="button" data-testid="record" onClick={() => onRecord(input)}>
        <Icon name="plus" size={18} /> Record
      </button>
    </div>
  );
}
