// Owns: the door: how one looks, sounds and is called before going in. May import: ui and its siblings.
import { useEffect } from 'preact/hooks';
import { Icon, type IconName, Logo } from '../ui/icons.tsx';
import { AvatarField } from './avatar-field.tsx';
import { LevelBar } from './level-bar.tsx';
import type { Meeting } from './meeting.ts';
import { initialsOf } from './names.ts';
import type { Device, InputKind, Studio } from './studio.ts';
import { Video } from './video.tsx';

export function PreJoinPage({ meeting }: { meeting: Meeting }) {
  const { studio, name, isJoining } = meeting;
  useEffect(() => {
    void studio.open();
    // Whoever goes away from this page without joining gets the camera's light switched off.
    return () => {
      const { room, waiting } = meeting.state.peek();
      if (!room && !waiting) studio.close();
    };
  }, [studio]);
  const submit = (event: Event) => {
    event.preventDefault();
    void meeting.join();
  };
  const isConnecting = isJoining.value;
  return (
    <main class="prejoin" data-testid="prejoin">
      <header class="prejoin-head">
        <Logo />
        <span class="dim">Switchyard</span>
      </header>
      <div class="prejoin-body">
        <section class="prejoin-preview" aria-label="Your picture">
          <Preview meeting={meeting} />
          <InputErrors studio={studio} />
        </section>
        <form class="prejoin-form" onSubmit={submit}>
          <div>
            <p class="dim">You are about to join</p>
            <h1 class="room-name">{meeting.room}</h1>
          </div>
          <label class="field">
            Your name
            <input
              class="input"
              data-testid="name"
              value={name.value}
              maxLength={128}
              autocomplete="name"
              placeholder="How others see you"
              required
              onInput={(event) => {
                name.value = event.currentTarget.value;
              }}
            />
          </label>
          <AvatarField meeting={meeting} />
          <DeviceSelect studio={studio} kind="microphone" devices={studio.microphones.value} label="Microphone" />
          <DeviceSelect studio={studio} kind="camera" devices={studio.cameras.value} label="Camera" />
          <button
            type="submit"
            class="button primary join-button"
            data-testid="join"
            disabled={isConnecting || name.value.trim() === ''}
          >
            {isConnecting ? (
              <>
                <span class="spinner small" /> {meeting.state.value.reconnect ? 'Trying again…' : 'Joining…'}
              </>
            ) : (
              'Join'
            )}
          </button>
        </form>
      </div>
    </main>
  );
}

function Preview({ meeting }: { meeting: Meeting }) {
  const { studio } = meeting;
  const camera = studio.camera.value;
  const microphone = studio.microphone.value;
  return (
    <div class="preview-frame">
      {camera.track ? (
        <Video track={camera.track} isMirrored={studio.isMirrored.value} label="Your camera" testId="preview" />
      ) : (
        <div class="preview-empty">
          {camera.isBusy ? (
            <>
              <span class="spinner" />
              <p class="dim">Waiting for your camera. The browser may be asking for permission.</p>
            </>
          ) : (
            <span class="avatar large">
              {meeting.avatar.value ? (
                <img src={`data:image/jpeg;base64,${meeting.avatar.value}`} alt="" />
              ) : (
                initialsOf(meeting.name.value || '?')
              )}
            </span>
          )}
        </div>
      )}
      <div class="preview-controls">
        <Toggle
          isOn={microphone.isOn}
          isBusy={microphone.isBusy}
          icons={['mic', 'micOff']}
          label="Microphone"
          testId="prejoin-mic"
          onToggle={() => meeting.toggleMicrophone()}
        />
        <Toggle
          isOn={camera.isOn}
          isBusy={camera.isBusy}
          icons={['camera', 'cameraOff']}
          label="Camera"
          testId="prejoin-cam"
          onToggle={() => meeting.toggleCamera()}
        />
      </div>
      {microphone.isOn && <LevelBar level={studio.level} />}
    </div>
  );
}

interface ToggleProps {
  readonly isOn: boolean;
  readonly isBusy: boolean;
  /** On, off. */
  readonly icons: readonly [IconName, IconName];
  readonly label: string;
  readonly testId: string;
  readonly onToggle: () => void;
}

function Toggle({ isOn, isBusy, icons, label, testId, onToggle }: ToggleProps) {
  const words = `${label} is ${isOn ? 'on' : 'off'}`;
  return (
    <button
      type="button"
      class={`round-button${isOn ? '' : ' off'}`}
      aria-pressed={isOn}
      aria-label={words}
      title={words}
      disabled={isBusy}
      data-testid={testId}
      onClick={onToggle}
    >
      <Icon name={isOn ? icons[0] : icons[1]} size={22} />
    </button>
  );
}

function InputErrors({ studio }: { studio: Studio }) {
  const errors = [studio.camera.value.error, studio.microphone.value.error].flatMap((error) => error ?? []);
  if (errors.length === 0) return null;
  return (
    <div class="input-errors" data-testid="input-errors">
      {errors.map((error) => (
        <p class="notice" role="alert" key={error.message} data-code={error.code}>
          <Icon name="warning" size={18} />
          <span>{error.message}</span>
        </p>
      ))}
      <p class="dim">You can join without, and see and hear everybody.</p>
    </div>
  );
}

interface DeviceSelectProps {
  readonly studio: Studio;
  readonly kind: InputKind;
  readonly devices: readonly Device[];
  readonly label: string;
}

function DeviceSelect({ studio, kind, devices, label }: DeviceSelectProps) {
  const { track } = studio[kind].value;
  const chosen = studio.chosenId(kind);
  return (
    <label class="field">
      {label}
      <select
        class="select"
        disabled={devices.length === 0}
        data-testid={`select-${kind}`}
        data-has-track={track !== undefined}
        onChange={(event) => void studio.choose(kind, event.currentTarget.value)}
      >
        {devices.length === 0 && <option>None found</option>}
        {devices.map((device) => (
          <option key={device.id} value={device.id} selected={device.id === chosen}>
            {device.label}
          </option>
        ))}
      </select>
    </label>
  );
}
