// Owns: the cameras and streams that are pulled into a room. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, StreamingInInput, StreamingInResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import type { Console } from './console.ts';
import { bitrateText } from './figures.ts';
import { ApiForm, CheckField, SelectField, TextField } from './form.tsx';
import { RemoteStreams } from './remote-streams.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const stateWords: Record<StreamingInResource['state'], string> = {
  stopped: 'Off',
  starting: 'Connecting',
  live: 'Live',
  stalled: 'Silent',
  reconnecting: 'Lost, connecting again',
  failed: 'Failed, tried again later',
};

export function StreamingIns({ app, room }: Props) {
  return (
    <RemoteStreams<StreamingInResource>
      {...{ app, kind: 'streaming-in', of: room.id }}
      title="Cameras and streams"
      summary="Pulled into this room from an address, and connected to again whenever they are lost."
      addWords="Add a camera or stream"
      removalWords="It leaves the room, and its address is forgotten."
      list={() => app.api.streamingIns(room.id)}
      turn={({ id }, isEnabled) => app.api.patchStreamingIn(room.id, id, { isEnabled })}
      remove={({ id }) => app.api.deleteStreamingIn(room.id, id)}
      head={
        <>
          <th>Name</th>
          <th>From</th>
          <th>Now</th>
          <th>What is done to it</th>
          <th class="number">Bitrate</th>
        </>
      }
      cells={(one) => <Cells one={one} />}
      dialog={(onClose) => <NewStreamingInDialog app={app} room={room} onClose={onClose} />}
    />
  );
}

function Cells({ one }: { one: StreamingInResource }) {
  const isWell = one.state === 'live' || one.state === 'starting';
  return (
    <>
      <td>{one.name}</td>
      <td class="dim">{one.url}</td>
      <td>
        {stateWords[one.state]}
        {!isWell && <p class="dim">{one.message}</p>}
      </td>
      <td class="dim">
        {one.verdicts.map(({ streamId, kind, from, to, action, reasons }) => (
          <p key={streamId} title={reasons.join('\n')}>
            {kind} {from} {action === 'transcode' ? `→ ${to}` : action === 'drop' ? 'left out' : 'as it is'}
          </p>
        ))}
      </td>
      <td class="number">{one.progress ? bitrateText(one.progress.bitrateInBps) : '–'}</td>
    </>
  );
}

const transports = [
  ['auto', 'TCP, or UDP where there is none'],
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
] as const;

function NewStreamingInDialog({ app, room, onClose }: Props & { onClose: () => void }) {
  const [input, setInput] = useState<StreamingInInput>({ url: '' });
  const change = (part: Partial<StreamingInInput>) => setInput({ ...input, ...part });
  const { url, name = '', media, transport = 'auto', onDemand = false } = input;
  const submit = async () => {
    await app.api.createStreamingIn(room.id, { ...input, name: name.trim() === '' ? undefined : name.trim() });
    onClose();
  };
  return (
    <Dialog title="Add a camera or stream" testId="new-streaming-in" onClose={onClose}>
      <ApiForm app={app} deed="Add" testId="streaming-in" onSubmit={submit} onCancel={onClose}>
        <TextField
          path="url"
          label="Address"
          placeholder="rtsp://user:password@camera/stream"
          hint="RTSP, RTMP, SRT, HLS, HTTP-FLV, MPEG-TS or a file, with user and password if it needs them."
          value={url}
          onChange={(next) => change({ url: next.trim() })}
        />
        <TextField
          path="name"
          label="Name in the room"
          placeholder="That of its host"
          value={name}
          onChange={(next) => change({ name: next })}
        />
        {/^rtsps?:/i.test(url) && (
          <SelectField
            path="transport"
            label="Media comes by"
            value={transport}
            options={transports}
            onChange={(next) => change({ transport: next as StreamingInInput['transport'] })}
          />
        )}
        <CheckField
          path="media.audio"
          label="Without sound"
          isChecked={media?.audio === false}
          onChange={(isLeftOut) => change({ media: { ...media, audio: isLeftOut ? false : 'auto' } })}
        />
        <CheckField
          path="onDemand"
          label="Only while somebody is in the room"
          isChecked={onDemand}
          onChange={(next) => change({ onDemand: next })}
        />
        <CheckField
          path="latency"
          label="Low latency: pictures do not wait to be in step with their sound"
          isChecked={input.latency === 'low'}
          onChange={(isLow) => change({ latency: isLow ? 'low' : 'smooth' })}
        />
      </ApiForm>
    </Dialog>
  );
}
