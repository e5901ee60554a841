// Owns: a bar that shows how loud the microphone is. May import: signals.
import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

/** Writes to the element itself: ten changes a second are none of the page's business. */
export function LevelBar({ level }: { level: Signal<number> }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      level.subscribe((value) => {
        bar.current?.style.setProperty('transform', `scaleX(${value.toFixed(3)})`);
      }),
    [level],
  );
  return (
    <div class="level-bar" aria-hidden="true">
      <div ref={bar} />
    </div>
  );
}
