// Owns: where a room is pushed to. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, StreamingOutResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import type { Console } from './console.ts';
import { ApiForm, LinesField, TextField } from './form.tsx';
import { sourceOf, sourceWords } from './media-source.ts';
import { MediaSourceField } from './media-source-field.tsx';
import { RemoteStreams } from './remote-streams.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const stateWords: Record<StreamingOutResource['state'], string> = {
  stopped: 'Off',
  starting: 'Connecting',
  live: 'Live',
  reconnecting: 'Not there, connecting again',
  paused: 'Paused',
  failed: 'Failed, tried again later',
};

export function StreamingOuts({ app, room }: Props) {
  return (
    <RemoteStreams<StreamingOutResource>
      {...{ app, kind: 'streaming-out', of: room.id }}
      title="Pushed to"
      summary="Services and servers that this room streams to, and connects to again whenever they are lost."
      addWords="Push to a service"
      removalWords="The stream ends there, and the address is forgotten."
      list={() => app.api.streamingOuts(room.id)}
      turn={({ id }, isEnabled) => app.api.patchStreamingOut(room.id, id, { isEnabled })}
      remove={({ id }) => app.api.deleteStreamingOut(room.id, id)}
      head={
        <>
          <th>Name</th>
          <th>What</th>
          <th>Now</th>
          <th>Targets</th>
        </>
      }
      cells={(one) => <Cells one={one} />}
      dialog={(onClose) => <NewStreamingOutDialog app={app} room={room} onClose={onClose} />}
    />
  );
}

function Cells({ one }: { one: StreamingOutResource }) {
  return (
    <>
      <td>{one.name}</td>
      <td class="dim">{sourceWords(one.source)}</td>
      <td>{stateWords[one.state]}</td>
      <td>
        {one.targets.map((target) => (
          <p key={target.id} class="dim" data-testid="streaming-out-target" data-state={target.state}>
            {target.url}: {target.message}
          </p>
        ))}
      </td>
    </>
  );
}

function NewStreamingOutDialog({ app, room, onClose }: Props & { onClose: () => void }) {
  const [addresses, setAddresses] = useState('');
  const [name, setName] = useState('');
  const [source, setSource] = useState('view');
  const submit = async () => {
    const urls = addresses
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    await app.api.createStreamingOut(room.id, {
      urls,
      ...(name.trim() !== '' && { name: name.trim() }),
      ...sourceOf(source),
    });
    onClose();
  };
  return (
    <Dialog title="Push to a service" testId="new-streaming-out" onClose={onClose}>
      <ApiForm app={app} deed="Push" testId="streaming-out" onSubmit={submit} onCancel={onClose}>
        <LinesField
          path="urls"
          label="Address with its key"
          placeholder="rtmps://live.example/app/stream-key"
          hint="RTMP(S), RTSP(S), SRT, or HTTP(S) for HLS and DASH; several, one a line, share one encoder."
          value={addresses}
          onChange={setAddresses}
        />
        <TextField path="name" label="Name" placeholder="That of its host" value={name} onChange={setName} />
        <MediaSourceField app={app} room={room} label="What goes out" value={source} onChange={setSource} />
      </ApiForm>
    </Dialog>
  );
}
