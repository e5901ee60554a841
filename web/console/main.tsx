// Owns: the start of the console. May import: its siblings, ui.
import { render } from 'preact';
import '../ui/base.css';
import './console.css';
import { App } from './app.tsx';
import { Console } from './console.ts';

const root = document.getElementById('app');

if (root) {
  const app = new Console();
  void app.start();
  render(<App app={app} />, root);
}
