// Owns: the frame of a panel beside the stage. May import: ui and its siblings.
import type { ComponentChildren } from 'preact';
import { Icon } from '../ui/icons.tsx';
import type { Meeting } from './meeting.ts';

export interface PanelFrameProps {
  readonly meeting: Meeting;
  readonly title: string;
  readonly testId: string;
  readonly children: ComponentChildren;
}

export function PanelFrame({ meeting, title, testId, children }: PanelFrameProps) {
  return (
    <aside class="panel" aria-label={title} data-testid={testId}>
      <header class="panel-head">
        <h2>{title}</h2>
        <button
          type="button"
          class="button small square quiet"
          aria-label={`Close ${title.toLowerCase()}`}
          onClick={() => {
            meeting.panel.value = 'none';
          }}
        >
          <Icon name="close" size={18} />
        </button>
      </header>
      {children}
    </aside>
  );
}
