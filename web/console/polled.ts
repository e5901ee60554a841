// Owns: reading something from the API again and again while it is shown. May import: its siblings.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Console } from './console.ts';

export interface Polled<T> {
  /** The last that was read; stays while reading fails. */
  readonly value: T | undefined;
  readonly error: Error | undefined;
  /** Reads now, after something was changed. */
  readonly refresh: () => Promise<void>;
}

/**
 * One reading at a time: a slow server is not asked faster than it answers. Nothing is read while the page is hidden.
 * @param key what is read; another key forgets the value of the last
 */
export function usePolled<T>(app: Console, key: string, everyMs: number, read: () => Promise<T>): Polled<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: Error }>({ key });
  const latest = useRef(read);
  latest.current = read;
  const current = useRef(key);
  current.current = key;

  const refresh = useCallback(async () => {
    try {
      const value = await latest.current();
      if (current.current === key) setState({ key, value });
    } catch (thrown) {
      app.noticed(thrown);
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (current.current === key) setState((before) => ({ ...(before.key === key ? before : { key }), error }));
    }
  }, [app, key]);

  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const round = async () => {
      if (document.visibilityState === 'visible') await refresh();
      if (!isOver) timer = setTimeout(() => void round(), everyMs);
    };
    void round();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [refresh, everyMs]);

  const isFresh = state.key === key;
  return { value: isFresh ? state.value : undefined, error: isFresh ? state.error : undefined, refresh };
}
