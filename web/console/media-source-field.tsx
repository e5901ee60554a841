// Owns: the field in which it is chosen what of a room is taken: all of it, its sound, somebody alone. May import: API contract
// (types), ui and its siblings.
import type { RoomResource } from '#api/contract.ts';
import type { Console } from './console.ts';
import { SelectField } from './form.tsx';
import { usePolled } from './polled.ts';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
  readonly label: string;
  /** As `sourceOf()` takes it. */
  readonly value: string;
  readonly onChange: (value: string) => void;
}

const pollMs = 5_000;

export function MediaSourceField({ app, room, ...field }: Props) {
  const participants = usePolled(app, `participants of ${room.id}`, pollMs, () => app.api.participants(room.id));
  return (
    <SelectField
      path="source"
      {...field}
      options={[
        ['view', 'The picture and sound of the room'],
        ['mix', 'The sound of everybody'],
        ...(participants.value ?? []).map(({ id, displayName }) => [id, `${displayName} alone`] as const),
      ]}
    />
  );
}
