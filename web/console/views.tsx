// Owns: the views of a room: how each looks, who stands where in it. May import: API contract (types), ui and its siblings.
import type { StreamResource, ViewPatch, ViewResource } from '#api/contract.ts';
import { backgroundOf } from '../ui/pictures.ts';
import { showToast } from '../ui/toasts.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import type { Console } from './console.ts';
import { bitrateText } from './figures.ts';
import { usePolled } from './polled.ts';
import type { RoomView } from './room-page.tsx';
import { Loaded } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly view: RoomView;
}

const pollMs = 2_000;

const layoutWords: Record<ViewResource['layout']['base'], string> = {
  fluid: 'Everybody the same',
  lecture: 'One large, others around it',
  speaker: 'One large, others in a row below',
  'share-first': 'What is shared is large',
  grid: 'Fixed grid',
  void: 'Custom templates only',
};

const ruleWords: Record<ViewResource['autoMix'], string> = {
  all: 'Everybody',
  cameras: 'Everybody with a picture',
  phones: 'Phones',
  none: 'Whom I choose',
};

export function Views({ app, view: { room, participants, streams } }: Props) {
  const views = usePolled(app, `views of ${room.id}`, pollMs, () => app.api.views(room.id));
  const change = async (view: ViewResource, patch: ViewPatch) => {
    await act(app, () => app.api.patchView(room.id, view.name, patch));
    void views.refresh();
  };
  // What is made here, such as the view itself, is of nobody in the list.
  const pictures = streams.filter(
    ({ kind, participantId }) => kind === 'video' && participants.some(({ id }) => id === participantId),
  );
  return (
    <section class="block" data-testid="views">
      <h2>Views</h2>
      <p class="dim summary">
        The room as one picture, for players, recordings and pushes. Changes are seen at once by all who watch.
      </p>
      <Loaded from={views}>
        {(all) =>
          all.length === 0 ? (
            <p class="dim">This room has none: it is never composed.</p>
          ) : (
            all.map((view) => (
              <ViewCard
                key={view.name}
                view={view}
                pictures={pictures}
                onChange={(patch) => void change(view, patch)}
              />
            ))
          )
        }
      </Loaded>
    </section>
  );
}

const fitWords = { letterbox: 'whole, with bars', crop: 'cut off', stretch: 'stretched' } as const;
/** Long enough to be followed by the eye. */
const glideMs = 400;

interface CardProps {
  readonly view: ViewResource;
  /** Of people and sources. */
  readonly pictures: readonly StreamResource[];
  readonly onChange: (patch: ViewPatch) => void;
}

function ViewCard({ view, pictures, onChange }: CardProps) {
  return (
    <article class="view-card" data-testid="view" data-name={view.name}>
      <h3>
        {view.name} <span class="dim">{stateText(view)}</span>
      </h3>
      <div class="view-choices">
        <Choice
          label="Layout"
          testId="view-layout"
          words={layoutWords}
          value={view.layout.base}
          onChoose={(base) => onChange({ layout: { base } })}
        />
        <Choice
          label="Pictures of another shape"
          testId="view-fit"
          words={fitWords}
          value={view.layout.fitPolicy}
          onChoose={(fitPolicy) => onChange({ layout: { fitPolicy } })}
        />
        <Choice
          label="Who is in it"
          testId="view-rule"
          words={ruleWords}
          value={view.autoMix}
          onChoose={(autoMix) => onChange({ autoMix })}
        />
        <label class="field">
          Background
          <input
            class="input"
            type="color"
            data-testid="view-background"
            value={view.backgroundColor}
            onChange={(event) => onChange({ backgroundColor: event.currentTarget.value })}
          />
        </label>
        <BackgroundImage hasOne={view.hasBackgroundImage} onChange={onChange} />
      </div>
      <div class="view-choices">
        <Switch
          label="Names"
          testId="view-labels"
          isOn={view.hasLabels}
          onTurn={(hasLabels) => onChange({ hasLabels })}
        />
        <Switch
          label="Frame round who speaks"
          testId="view-border"
          isOn={view.hasSpeakerBorder}
          onTurn={(hasSpeakerBorder) => onChange({ hasSpeakerBorder })}
        />
        <Switch
          label="Who speaks comes first"
          testId="view-voice"
          isOn={view.isVoicePrimary}
          onTurn={(isVoicePrimary) => onChange({ isVoicePrimary })}
        />
        <Switch
          label="Glide to new places"
          testId="view-glide"
          isOn={view.transitionMs > 0}
          onTurn={(isOn) => onChange({ transitionMs: isOn ? glideMs : 0 })}
        />
      </div>
      {view.isRunning ? (
        <Inputs view={view} pictures={pictures} onChange={onChange} />
      ) : (
        <p class="dim">Nobody watches it, so it is not composed now. Look into the room to see who stands where.</p>
      )}
    </article>
  );
}

function BackgroundImage({ hasOne, onChange }: { hasOne: boolean; onChange: CardProps['onChange'] }) {
  const choose = async (file: File | undefined) => {
    if (!file) return;
    try {
      onChange({ backgroundImage: await backgroundOf(file) });
    } catch {
      showToast(`${file.name} is no picture that can be read.`, { isError: true });
    }
  };
  return (
    <label class="field">
      Picture behind everybody
      <span class="file-field">
        <input
          class="input"
          type="file"
          accept="image/*"
          data-testid="view-image"
          onChange={(event) => void choose(event.currentTarget.files?.[0])}
        />
        {hasOne && (
          <button
            type="button"
            class="button"
            data-testid="view-image-remove"
            onClick={() => onChange({ backgroundImage: null })}
          >
            Remove
          </button>
        )}
      </span>
    </label>
  );
}

function stateText({ isRunning, video, hasVideo, stats }: ViewResource): string {
  if (!hasVideo) return 'sound only';
  const size = `${video.width}×${video.height}`;
  if (!isRunning || !stats) return size;
  const encoders = stats.encoders.map(
    ({ codec, width, height, bitrateBps }) => `${codec} ${width}×${height} ${bitrateText(bitrateBps)}`,
  );
  return [size, `${Math.round(stats.framerateHz)} pictures/s`, ...encoders].join(', ');
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly testId: string;
  readonly words: Readonly<Record<T, string>>;
  readonly value: T;
  readonly onChoose: (value: T) => void;
}

function Choice<T extends string>({ label, testId, words, value, onChoose }: ChoiceProps<T>) {
  return (
    <label class="field">
      {label}
      <select
        class="select"
        data-testid={testId}
        value={value}
        onChange={(event) => onChoose(event.currentTarget.value as T)}
      >
        {Object.entries<string>(words).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly testId: string;
  readonly isOn: boolean;
  readonly onTurn: (isOn: boolean) => void;
}

function Switch({ label, testId, isOn, onTurn }: SwitchProps) {
  return (
    <label class="choice">
      <input
        type="checkbox"
        data-testid={testId}
        checked={isOn}
        onChange={(event) => onTurn(event.currentTarget.checked)}
      />
      {label}
    </label>
  );
}

function Inputs({ view, pictures, onChange }: CardProps) {
  const known = new Set(view.inputs.map(({ streamId }) => streamId));
  const others = pictures.filter(({ id }) => !known.has(id));
  if (view.inputs.length === 0 && others.length === 0) return <p class="dim">Nobody is there to be seen.</p>;
  return (
    <ActionTable
      head={
        <>
          <th>Who</th>
          <th>Where</th>
        </>
      }
    >
      {view.inputs.map((input, index) => (
        <InputRow
          key={input.streamId ?? input.participantId}
          input={input}
          isFirst={index === 0}
          isPinned={view.pinned === (input.streamId ?? input.participantId)}
          onChange={onChange}
        />
      ))}
      {others.map(({ id, displayName }) => (
        <tr key={id} data-testid="view-other-row" data-name={displayName} class="away">
          <td>{displayName}</td>
          <td class="dim">not in it</td>
          <td class="row-actions">
            <button type="button" class="button small" data-testid="view-add" onClick={() => onChange({ add: [id] })}>
              Bring in
            </button>
          </td>
        </tr>
      ))}
    </ActionTable>
  );
}

interface InputRowProps {
  readonly input: ViewResource['inputs'][number];
  readonly isFirst: boolean;
  readonly isPinned: boolean;
  readonly onChange: (patch: ViewPatch) => void;
}

function InputRow({ input, isFirst, isPinned, onChange }: InputRowProps) {
  const { streamId, participantId, displayName, place } = input;
  const id = streamId ?? participantId;
  return (
    <tr data-testid="view-input-row" data-name={displayName} data-first={isFirst}>
      <td>
        {displayName}
        {isPinned && <span class="tag">pinned</span>}
      </td>
      <td class="dim">{place ? `${place.width}×${place.height} at ${place.x}, ${place.y}` : 'waits for a place'}</td>
      <td class="row-actions">
        {!isFirst && (
          <button type="button" class="button small" data-testid="view-first" onClick={() => onChange({ primary: id })}>
            First
          </button>
        )}
        <button
          type="button"
          class="button small"
          data-testid="view-pin"
          onClick={() => onChange({ pinned: isPinned ? null : id })}
        >
          {isPinned ? 'Unpin' : 'Pin'}
        </button>
        {streamId !== null && (
          <button
            type="button"
            class="button small"
            data-testid="view-remove"
            onClick={() => onChange({ remove: [streamId] })}
          >
            Take out
          </button>
        )}
      </td>
    </tr>
  );
}
