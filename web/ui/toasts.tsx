// Owns: short messages that go away by themselves. May import: preact, signals.
import { signal } from '@preact/signals';
import { Icon, type IconName } from './icons.tsx';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly icon: IconName | undefined;
  readonly isError: boolean;
}

const toasts = signal<readonly Toast[]>([]);
const shownMs = 5_000;
const maxShown = 3;
let lastId = 0;

/** Takes back what the user is about to see anyway. */
export function dropToasts(icon: IconName): void {
  // Also called by effects, which must not run again because of it.
  toasts.value = toasts.peek().filter((toast) => toast.icon !== icon);
}

export function showToast(text: string, options: { icon?: IconName; isError?: boolean } = {}): void {
  const isError = options.isError ?? false;
  const toast: Toast = { id: ++lastId, text, icon: options.icon ?? (isError ? 'warning' : undefined), isError };
  toasts.value = [...toasts.value.filter((other) => other.text !== text), toast].slice(-maxShown);
  setTimeout(() => {
    toasts.value = toasts.value.filter(({ id }) => id !== toast.id);
  }, shownMs);
}

/** For promises that nobody awaits: whatever goes wrong is told to the user. */
export function orToast(promise: Promise<unknown>): void {
  promise.catch((thrown: unknown) => {
    showToast(thrown instanceof Error ? thrown.message : String(thrown), { isError: true });
  });
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, icon, isError }) => (
        <div class={`toast${isError ? ' error' : ''}`} key={id} data-testid="toast">
          {icon && <Icon name={icon} size={18} />}
          <span>{text}</span>
        </div>
      ))}
    </div>
  );
}
