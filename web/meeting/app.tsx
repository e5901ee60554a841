// Owns: which page of the meeting is shown. May import: its siblings, ui.
import { Toasts } from '../ui/toasts.tsx';
import { EndPage } from './end-page.tsx';
import { InvitationPage } from './invitation-page.tsx';
import type { Meeting } from './meeting.ts';
import { PreJoinPage } from './prejoin-page.tsx';
import { RoomPage } from './room-page.tsx';
import { ConsentPage, WaitingPage } from './waiting-page.tsx';

export function App({ meeting }: { meeting: Meeting }) {
  return (
    <>
      <CurrentPage meeting={meeting} />
      <Toasts />
    </>
  );
}

function CurrentPage({ meeting }: { meeting: Meeting }) {
  switch (meeting.screen.value) {
    case 'invitation':
      return <InvitationPage room={meeting.room} />;
    case 'prejoin':
      return <PreJoinPage meeting={meeting} />;
    case 'waiting':
      return <WaitingPage meeting={meeting} />;
    case 'consent':
      return <ConsentPage meeting={meeting} />;
    case 'room':
      return <RoomPage meeting={meeting} />;
    case 'ended':
      return meeting.end.value ? <EndPage meeting={meeting} end={meeting.end.value} /> : null;
  }
}
