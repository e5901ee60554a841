// Owns: the start of the meeting page. May import: its siblings, ui.
import { render } from 'preact';
import '../ui/base.css';
import './meeting.css';
import { App } from './app.tsx';
import { roomOfPath } from './credentials.ts';
import { bindKeys } from './keyboard.ts';
import { Meeting } from './meeting.ts';

const room = roomOfPath(location.pathname) ?? '';
const root = document.getElementById('app');

if (root) {
  document.title = `${room} · Switchyard`;
  const meeting = new Meeting(room);
  bindKeys(meeting);
  render(<App meeting={meeting} />, root);
}
