// Owns: a button that opens a list of choices. May import: preact.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';

export interface MenuProps {
  /** Said of the button by a screen reader. */
  readonly label: string;
  readonly class?: string;
  readonly button: ComponentChildren;
  readonly direction?: 'up' | 'down';
  readonly align?: 'start' | 'middle' | 'end';
  readonly testId?: string;
  readonly children: ComponentChildren;
}

/** Closes by Escape, by a click elsewhere and by a choice; arrow keys move in it. */
export function Menu({ label, button, direction = 'up', align = 'middle', testId, children, ...rest }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const anchor = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    const root = anchor.current;
    const items = () => [...(root?.querySelectorAll<HTMLElement>('[role^=menuitem]:not(:disabled)') ?? [])];
    keepInside(root?.querySelector<HTMLElement>('.menu'));
    items()[0]?.focus();
    const onPointer = (event: PointerEvent) => {
      if (!root?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        setOpen(false);
        opener.current?.focus();
      }
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      const all = items();
      const index = all.indexOf(document.activeElement as HTMLElement);
      all.at((index + (event.key === 'ArrowDown' ? 1 : -1)) % all.length)?.focus();
    };
    document.addEventListener('pointerdown', onPointer);
    root?.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', onPointer);
      root?.removeEventListener('keydown', onKey);
    };
  }, [isOpen]);

  return (
    <div class="menu-anchor" ref={anchor}>
      <button
        type="button"
        ref={opener}
        class={rest.class ?? 'button square quiet'}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        data-testid={testId}
        onClick={() => setOpen(!isOpen)}
      >
        {button}
      </button>
      {isOpen && (
        // The choice itself is a button inside; this only sees that one was made.
        // biome-ignore lint/a11y/useKeyWithClickEvents: a button's click comes from the keyboard too
        <div
          class={`menu ${direction} ${align}`}
          role="menu"
          tabIndex={-1}
          aria-label={label}
          onClick={(event) => {
            if ((event.target as HTMLElement).closest('[data-closes]')) setOpen(false);
          }}
        >
          {children}
        </div>
      )}
    </div>
  );
}

/** Shifts what would stand out of the window. */
function keepInside(menu: HTMLElement | null | undefined): void {
  if (!menu) return;
  const margin = 8;
  const { left, right, top, bottom } = menu.getBoundingClientRect();
  const shift = (start: number, end: number, limit: number) => {
    if (end > limit - margin) return Math.max(margin - start, limit - margin - end);
    return start < margin ? margin - start : 0;
  };
  menu.style.translate = `${shift(left, right, innerWidth)}px ${shift(top, bottom, innerHeight)}px`;
}

export interface MenuItemProps {
  readonly icon?: IconName;
  readonly isChecked?: boolean;
  readonly isDanger?: boolean;
  readonly isDisabled?: boolean;
  readonly testId?: string;
  readonly onChoose: () => void;
  readonly children: ComponentChildren;
}

export function MenuItem({ icon, isChecked, isDanger, isDisabled, testId, onChoose, children }: MenuItemProps) {
  const isRadio = isChecked !== undefined;
  return (
    <button
      type="button"
      role={isRadio ? 'menuitemradio' : 'menuitem'}
      {...(isRadio && { 'aria-checked': isChecked })}
      class={`menu-item${isDanger ? ' danger' : ''}`}
      disabled={isDisabled}
      data-closes=""
      data-testid={testId}
      onClick={onChoose}
    >
      {isRadio ? (
        <span class={isChecked ? 'menu-check' : 'menu-check off'}>
          <Icon name="check" size={18} />
        </span>
      ) : (
        icon && <Icon name={icon} size={18} />
      )}
      <span class="menu-words">{children}</span>
    </button>
  );
}
