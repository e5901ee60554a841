// Owns: the page inside the room. May import: ui and its siblings.
import { Dialog } from '../ui/dialog.tsx';
import { AudioSink } from './audio-sink.tsx';
import { Banners } from './banners.tsx';
import { ChatPanel } from './chat-panel.tsx';
import { ControlBar } from './control-bar.tsx';
import { keys } from './keyboard.ts';
import { LiveStage } from './live-stage.tsx';
import type { Meeting } from './meeting.ts';
import { PeoplePanel } from './people-panel.tsx';
import { Stage } from './stage.tsx';
import { TopBar } from './top-bar.tsx';
import { ViewStage } from './view-stage.tsx';

export function RoomPage({ meeting }: { meeting: Meeting }) {
  const panel = meeting.panel.value;
  const { phase, mediaState } = meeting.state.value;
  return (
    <main class="room" data-testid="room" data-phase={phase} data-media={mediaState}>
      <TopBar meeting={meeting} />
      <Banners meeting={meeting} />
      <div class={`room-body${panel === 'none' ? '' : ' with-panel'}`}>
        <CurrentStage meeting={meeting} />
        {panel === 'chat' && <ChatPanel meeting={meeting} />}
        {panel === 'people' && <PeoplePanel meeting={meeting} />}
      </div>
      <ControlBar meeting={meeting} />
      {!meeting.hasFallback.value && <AudioSink meeting={meeting} />}
      {meeting.isHelpOpen.value && <Help meeting={meeting} />}
    </main>
  );
}

function CurrentStage({ meeting }: { meeting: Meeting }) {
  if (meeting.hasFallback.value) return <LiveStage meeting={meeting} />;
  return meeting.isComposed ? <ViewStage meeting={meeting} /> : <Stage meeting={meeting} />;
}

function Help({ meeting }: { meeting: Meeting }) {
  return (
    <Dialog
      title="Keys"
      testId="help"
      onClose={() => {
        meeting.isHelpOpen.value = false;
      }}
    >
      <dl class="key-list">
        {keys.map(({ key, does }) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
