// Owns: the dialog that begins to look for something. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { AnalysisInput, RoomResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { type DetectorName, detectorWords } from './analysis-words.ts';
import type { Console } from './console.ts';
import { ApiForm, CheckField, TextField } from './form.tsx';
import { sourceOf } from './media-source.ts';
import { MediaSourceField } from './media-source-field.tsx';

const names = Object.keys(detectorWords) as DetectorName[];
const usual: readonly DetectorName[] = ['black', 'freeze', 'silence'];

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
  readonly onClose: () => void;
}

export function NewAnalysisDialog({ app, room, onClose }: Props) {
  const [name, setName] = useState('');
  const [source, setSource] = useState('view');
  const [wanted, setWanted] = useState(usual);
  const [duration, setDuration] = useState('2');
  const [minLufs, setMinLufs] = useState('');
  const [maxLufs, setMaxLufs] = useState('');
  const isWanted = (one: DetectorName) => wanted.includes(one);
  const submit = async () => {
    const minDurationMs = Math.round(Number(duration) * 1_000);
    const bounds = {
      ...(minLufs.trim() !== '' && { minLufs: Number(minLufs) }),
      ...(maxLufs.trim() !== '' && { maxLufs: Number(maxLufs) }),
    };
    const detectors: AnalysisInput['detectors'] = {
      ...(isWanted('black') && { black: { minDurationMs } }),
      ...(isWanted('freeze') && { freeze: { minDurationMs } }),
      ...(isWanted('scene') && { scene: {} }),
      ...(isWanted('motion') && { motion: {} }),
      ...(isWanted('silence') && { silence: { minDurationMs } }),
      ...(isWanted('loudness') && { loudness: bounds }),
    };
    await app.api.createAnalysis(room.id, {
      detectors,
      ...(name.trim() !== '' && { name: name.trim() }),
      ...sourceOf(source),
    });
    onClose();
  };
  return (
    <Dialog title="Look for something" testId="new-analysis" onClose={onClose}>
      <ApiForm app={app} deed="Begin" testId="analysis" onSubmit={submit} onCancel={onClose}>
        <TextField path="name" label="Name" placeholder="Analysis" value={name} onChange={setName} />
        <MediaSourceField app={app} room={room} label="Where" value={source} onChange={setSource} />
        <fieldset class="choices">
          <legend>What</legend>
          {names.map((one) => (
            <CheckField
              key={one}
              path={`detectors.${one}`}
              label={detectorWords[one]}
              isChecked={isWanted(one)}
              onChange={(isChecked) =>
                setWanted(isChecked ? [...wanted, one] : wanted.filter((other) => other !== one))
              }
            />
          ))}
        </fieldset>
        <TextField
          path="detectors"
          label="Seconds that it has to last"
          hint="Black and frozen pictures, and silence."
          type="number"
          min={0.1}
          step="any"
          value={duration}
          onChange={setDuration}
        />
        {isWanted('loudness') && (
          <div class="field-row">
            <TextField
              path="detectors.loudness.minLufs"
              label="At least, LUFS"
              type="number"
              value={minLufs}
              onChange={setMinLufs}
            />
            <TextField
              path="detectors.loudness.maxLufs"
              label="At most, LUFS"
              type="number"
              value={maxLufs}
              onChange={setMaxLufs}
            />
          </div>
        )}
      </ApiForm>
    </Dialog>
  );
}
