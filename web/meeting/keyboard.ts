// Owns: what the keys do. May import: its siblings.
import type { Meeting } from './meeting.ts';

export const keys: readonly { readonly key: string; readonly does: string }[] = [
  { key: 'M', does: 'Microphone on or off' },
  { key: 'V', does: 'Camera on or off' },
  { key: 'S', does: 'Share your screen, or stop' },
  { key: 'H', does: 'Raise your hand, or lower it' },
  { key: 'C', does: 'Chat' },
  { key: 'P', does: 'Participants' },
  { key: 'G', does: 'Grid, or one large' },
  { key: '?', does: 'This list' },
  { key: 'Esc', does: 'Close a panel, take a pin off' },
];

export function bindKeys(meeting: Meeting): void {
  document.addEventListener('keydown', (event) => {
    if (meeting.screen.value !== 'room' || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === 'Escape') closeTopmost(meeting);
    if (event.key === 'Escape' || isTyping(event.target)) return;
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(meeting);
  });
}

const actions: Partial<Record<string, (meeting: Meeting) => void>> = {
  m: (meeting) => meeting.toggleMicrophone(),
  v: (meeting) => meeting.toggleCamera(),
  s: (meeting) => meeting.toggleScreen(),
  h: (meeting) => meeting.toggleHand(),
  c: (meeting) => meeting.togglePanel('chat'),
  p: (meeting) => meeting.togglePanel('people'),
  g: (meeting) => {
    meeting.wantsSpotlight.value = !meeting.wantsSpotlight.value;
  },
  '?': (meeting) => {
    meeting.isHelpOpen.value = true;
  },
};

function closeTopmost(meeting: Meeting): void {
  if (meeting.panel.value !== 'none') meeting.panel.value = 'none';
  else meeting.pinnedKey.value = undefined;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [role=menu], dialog') !== null;
}
