// Owns: what stands where there is nothing to show: loading, failure, emptiness. May import: ui and its siblings.
import type { ComponentChildren } from 'preact';
import { ApiError } from '../client/index.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import type { Polled } from './polled.ts';

/** The content once there is some; a reading that failed later is told above what was read before. */
export function Loaded<T>({ from, children }: { from: Polled<T>; children: (value: T) => ComponentChildren }) {
  const { value, error, refresh } = from;
  if (value === undefined && error) return <Problem error={error} onRetry={() => void refresh()} />;
  if (value === undefined) {
    return (
      <div class="loading" role="status" aria-label="Loading">
        <span class="spinner" />
      </div>
    );
  }
  return (
    <>
      {error && <Problem error={error} onRetry={() => void refresh()} />}
      {children(value)}
    </>
  );
}

export function Problem({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  // What the problem says in words already need not stand there twice.
  const fields =
    error instanceof ApiError ? error.fields.filter(({ message }) => !error.message.includes(message)) : [];
  const requestId = error instanceof ApiError && error.status >= 500 ? error.requestId : undefined;
  return (
    <div class="notice error" role="alert" data-testid="problem">
      <Icon name="warning" size={18} />
      <div>
        <p>{error.message}</p>
        {fields.map(({ path, message }) => (
          <p key={path} class="dim">
            <code>{path}</code> {message}
          </p>
        ))}
        {requestId && (
          <p class="dim">
            In the server log: <code>{requestId}</code>
          </p>
        )}
      </div>
      {onRetry && (
        <button type="button" class="button small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty-state" data-testid="empty">
      <Icon name={icon} size={30} />
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}
