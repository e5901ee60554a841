// Owns: forms that the API judges: what it refuses stands at the field that it names. May import: ui and its siblings.
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../client/index.ts';
import type { Console } from './console.ts';
import { Problem } from './states.tsx';

/** What was refused, for the fields of the form. */
const Refused = createContext<Error | undefined>(undefined);

interface ApiFormProps {
  readonly app: Console;
  /** What the button says. */
  readonly deed: string;
  readonly testId: string;
  /** Whatever it throws is shown, and the words that it gives when it worked, if the form is still there then. */
  readonly onSubmit: () => Promise<unknown>;
  /** Absent: a form that stays. */
  readonly onCancel?: () => void;
  readonly children: ComponentChildren;
}

export function ApiForm({ app, deed, testId, onSubmit, onCancel, children }: ApiFormProps) {
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState('');
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (error) leadTo(form.current);
  }, [error]);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    setDone('');
    try {
      const words = await onSubmit();
      if (typeof words === 'string') setDone(words);
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setBusy(false);
  };
  return (
    // The API judges, field by field: bubbles of the browser would say less, and nothing at what is folded away.
    <form
      class="stack"
      ref={form}
      data-testid={testId}
      aria-busy={isBusy}
      noValidate
      onSubmit={(event) => void submit(event)}
    >
      {error && <Problem error={error} />}
      <Refused.Provider value={error}>{children}</Refused.Provider>
      <div class="dialog-actions">
        <p class="done dim" role="status">
          {done}
        </p>
        {onCancel && (
          <button type="button" class="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        <button type="submit" class="button primary" data-testid={`${testId}-submit`} disabled={isBusy}>
          {isBusy && <span class="spinner small" />}
          {deed}
        </button>
      </div>
    </form>
  );
}

/** To the first field that was refused, also where it is folded away; else to what was said. */
function leadTo(form: HTMLFormElement | null): void {
  const field = form?.querySelector<HTMLElement>('[aria-invalid=true], [data-flaw]');
  for (let fold = field?.closest('details'); fold; fold = fold.parentElement?.closest('details')) fold.open = true;
  field?.focus();
  if (field?.dataset.flaw !== undefined) field.scrollIntoView({ block: 'center' });
  form?.querySelector('[role=alert]')?.scrollIntoView({ block: 'nearest' });
}

/** What was refused of something that has several fields, and is about none of them. */
export function FlawsAt({ path }: { path: string }) {
  const error = useContext(Refused);
  const flaws = error instanceof ApiError ? error.fields.filter((field) => field.path === path) : [];
  if (flaws.length === 0) return null;
  return (
    <p class="flaw" data-flaw={path}>
      {flaws.map(({ message }) => message).join('; ')}
    </p>
  );
}

interface FieldProps {
  /** As the API names it, `inbound.addresses`: what is refused of it, and of what is in it, stands here. */
  readonly path: string;
  readonly label: string;
  readonly hint?: ComponentChildren;
}

interface TextProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly type?: 'text' | 'password' | 'number' | 'time' | 'datetime-local' | 'url';
  readonly placeholder?: string | undefined;
  readonly isRequired?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number | 'any';
  /** Ids of what is offered. */
  readonly list?: string;
}

export function TextField({ value, onChange, isRequired, type = 'text', ...props }: TextProps) {
  const { path, label, hint, ...input } = props;
  return (
    <Field path={path} label={label} hint={hint}>
      {(described) => (
        <input
          class="input"
          {...described}
          {...input}
          // One control whatever its type: the types know inputs by theirs.
          type={type as 'text'}
          data-field={path}
          value={value}
          required={isRequired}
          spellcheck={false}
          autocomplete={type === 'password' ? 'new-password' : 'off'}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** Several values, one a line. @param rows that it has at most, as it fills */
export function LinesField({
  value,
  onChange,
  path,
  label,
  hint,
  placeholder,
  rows = 8,
}: TextProps & { rows?: number }) {
  return (
    <Field path={path} label={label} hint={hint}>
      {(described) => (
        <textarea
          class="textarea mono"
          {...described}
          data-field={path}
          rows={Math.min(rows, Math.max(2, value.split('\n').length))}
          value={value}
          placeholder={placeholder}
          spellcheck={false}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface SelectProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Values and their words. */
  readonly options: readonly (readonly [string, string])[];
}

export function SelectField({ value, onChange, options, path, label, hint }: SelectProps) {
  return (
    <Field path={path} label={label} hint={hint}>
      {(described) => (
        <select
          class="input select"
          {...described}
          data-field={path}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {options.map(([option, words]) => (
            <option key={option} value={option}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface CheckProps extends Omit<FieldProps, 'hint'> {
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}

export function CheckField({ isChecked, onChange, path, label }: CheckProps) {
  return (
    <div>
      <label class="choice">
        <input
          type="checkbox"
          data-field={path}
          checked={isChecked}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        {label}
      </label>
    </div>
  );
}

/** Ties what explains and what was refused to the control, for those who do not see it stand there. */
interface Described {
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': true | undefined;
}

function Field({
  path,
  label,
  hint,
  children,
}: FieldProps & { children: (described: Described) => ComponentChildren }) {
  const id = useId();
  const flaws = flawsOf(useContext(Refused), path);
  const isInvalid = flaws.length > 0;
  const ids = [isInvalid && `${id}-flaw`, hint !== undefined && `${id}-hint`].filter(Boolean);
  return (
    <div class="field">
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is what the children make */}
      <label class="field">
        {label}
        {children({ 'aria-describedby': ids.join(' ') || undefined, 'aria-invalid': isInvalid || undefined })}
      </label>
      {isInvalid && (
        <span class="flaw" id={`${id}-flaw`} data-flaw={path}>
          {flaws.join('; ')}
        </span>
      )}
      {hint !== undefined && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

function flawsOf(error: Error | undefined, path: string): string[] {
  if (!(error instanceof ApiError)) return [];
  return error.fields
    .filter((field) => field.path === path || field.path.startsWith(`${path}.`))
    .map(({ path: named, message }) => (named === path ? message : `${named.slice(path.length + 1)}: ${message}`));
}
