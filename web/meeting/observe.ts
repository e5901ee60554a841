// Owns: what the browser says about sizes and visibility, as hooks. May import: preact.
import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Size } from './layout.ts';

export function useSize(element: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return size;
}

/** A glance at another tab must not stop every video. */
const hiddenDelayMs = 10_000;

export function usePageVisible(): boolean {
  const [isVisible, setVisible] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const review = () => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') setVisible(true);
      else timer = setTimeout(() => setVisible(false), hiddenDelayMs);
    };
    document.addEventListener('visibilitychange', review);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', review);
    };
  }, []);
  return isVisible;
}
