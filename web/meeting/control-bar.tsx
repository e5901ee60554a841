// Owns: the row of buttons below the stage. May import: ui and its siblings.
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Menu, MenuItem } from '../ui/menu.tsx';
import { LevelBar } from './level-bar.tsx';
import type { Meeting } from './meeting.ts';
import type { Device, InputKind } from './studio.ts';

export function ControlBar({ meeting }: { meeting: Meeting }) {
  const { state, self, unread, panel } = meeting;
  const own = [...state.value.local.values()];
  const isSharing = own.some(({ source }) => source === 'screen');
  const isHandRaised = self.value?.isHandRaised ?? false;
  const permissions = self.value?.permissions;
  return (
    <footer class="control-bar">
      {permissions?.publish.audio && <InputButton meeting={meeting} kind="microphone" />}
      {permissions?.publish.video && <InputButton meeting={meeting} kind="camera" />}
      {permissions?.publish.video && meeting.canShareScreen && (
        <BarButton
          icon={isSharing ? 'screenStop' : 'screen'}
          label={isSharing ? 'Stop sharing (S)' : 'Share your screen (S)'}
          isPressed={isSharing}
          isWideOnly
          testId="share"
          onPress={() => meeting.toggleScreen()}
        />
      )}
      <BarButton
        icon="hand"
        label={isHandRaised ? 'Lower your hand (H)' : 'Raise your hand (H)'}
        isPressed={isHandRaised}
        testId="hand"
        onPress={() => meeting.toggleHand()}
      />
      {permissions?.chat !== false && (
        <BarButton
          icon="chat"
          label={unread.value > 0 ? `Chat (C), ${unread.value} unread` : 'Chat (C)'}
          isPressed={panel.value === 'chat'}
          testId="chat"
          onPress={() => meeting.togglePanel('chat')}
        >
          {unread.value > 0 && (
            <span class="count-badge" data-testid="unread">
              {unread.value > 99 ? '99+' : unread.value}
            </span>
          )}
        </BarButton>
      )}
      <BarButton
        icon="people"
        label="Participants (P)"
        isPressed={panel.value === 'people'}
        testId="people"
        onPress={() => meeting.togglePanel('people')}
      >
        {meeting.hands.value.length > 0 && <span class="count-badge hand">{meeting.hands.value.length}</span>}
      </BarButton>
      <button
        type="button"
        class="round-button leave"
        aria-label="Leave"
        title="Leave"
        data-testid="leave"
        onClick={() => void meeting.leave()}
      >
        <Icon name="leave" size={24} />
      </button>
    </footer>
  );
}

interface BarButtonProps {
  readonly icon: IconName;
  readonly label: string;
  readonly isPressed: boolean;
  readonly isWideOnly?: boolean;
  readonly testId: string;
  readonly onPress: () => void;
  readonly children?: ComponentChildren;
}

function BarButton({ icon, label, isPressed, isWideOnly, testId, onPress, children }: BarButtonProps) {
  return (
    <button
      type="button"
      class={`round-button${isPressed ? ' pressed' : ''}${isWideOnly ? ' wide-only' : ''}`}
      aria-label={label}
      title={label}
      aria-pressed={isPressed}
      data-testid={testId}
      onClick={onPress}
    >
      <Icon name={icon} size={22} />
      {children}
    </button>
  );
}

const inputs = {
  microphone: { on: 'mic', off: 'micOff', word: 'microphone', key: 'M', testId: 'mic' },
  camera: { on: 'camera', off: 'cameraOff', word: 'camera', key: 'V', testId: 'cam' },
} as const;

function InputButton({ meeting, kind }: { meeting: Meeting; kind: InputKind }) {
  const { studio } = meeting;
  const { on, off, word, key, testId } = inputs[kind];
  const { isOn, isBusy, error } = studio[kind].value;
  const own = [...meeting.state.value.local.values()].find(({ source }) => source === kind);
  const isForced = own?.isMutedByModerator ?? false;
  const isLive = isOn && !isForced;
  const label = isForced
    ? `A moderator has muted your ${word}`
    : error
      ? `Your ${word} is not available: ${error.message}`
      : `Switch your ${word} ${isLive ? 'off' : 'on'} (${key})`;
  return (
    <div class="split-button">
      <button
        type="button"
        class={`round-button${isLive ? '' : ' off'}`}
        aria-label={label}
        title={label}
        aria-pressed={isLive}
        disabled={isBusy}
        data-testid={testId}
        data-forced={isForced}
        onClick={() => (kind === 'camera' ? meeting.toggleCamera() : meeting.toggleMicrophone())}
      >
        {isBusy ? <span class="spinner small" /> : <Icon name={isLive ? on : off} size={22} />}
        {kind === 'microphone' && isLive && <LevelBar level={studio.level} />}
        {error && <span class="count-badge error">!</span>}
      </button>
      <Menu
        label={`Choose ${word}`}
        class="split-arrow"
        button={<Icon name="chevronUp" size={14} />}
        testId={`${testId}-menu`}
      >
        <DeviceItems meeting={meeting} kind={kind} />
      </Menu>
    </div>
  );
}

function DeviceItems({ meeting, kind }: { meeting: Meeting; kind: InputKind }) {
  const { studio } = meeting;
  const devices = kind === 'camera' ? studio.cameras.value : studio.microphones.value;
  const speakers = kind === 'microphone' ? studio.speakers.value : [];
  return (
    <>
      <p class="menu-title">{kind === 'camera' ? 'Camera' : 'Microphone'}</p>
      {devices.length === 0 && <p class="menu-title">None found</p>}
      <Choices devices={devices} chosen={studio.chosenId(kind)} onChoose={(id) => meeting.chooseInput(kind, id)} />
      {speakers.length > 0 && (
        <>
          <p class="menu-title">Loudspeaker</p>
          <Choices
            devices={speakers}
            chosen={studio.speakerId.value ?? 'default'}
            onChoose={(id) => studio.chooseSpeaker(id)}
          />
        </>
      )}
    </>
  );
}

interface ChoicesProps {
  readonly devices: readonly Device[];
  readonly chosen: string | undefined;
  readonly onChoose: (id: string) => void;
}

function Choices({ devices, chosen, onChoose }: ChoicesProps) {
  return (
    <>
      {devices.map(({ id, label }) => (
        <MenuItem key={id} isChecked={id === chosen} onChoose={() => onChoose(id)}>
          {label}
        </MenuItem>
      ))}
    </>
  );
}
