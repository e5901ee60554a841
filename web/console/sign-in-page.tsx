// Owns: the way into the console. May import: ui and its siblings.
import { useState } from 'preact/hooks';
import { Icon, Logo } from '../ui/icons.tsx';
import type { Console } from './console.ts';

export function SignInPage({ app }: { app: Console }) {
  const [key, setKey] = useState('');
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await app.signInWithKey(key.trim());
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      setBusy(false);
    }
  };
  const message = error ?? app.refusal.value;
  return (
    <main class="centered-page" data-testid="sign-in">
      <section class="card">
        <Logo size={40} />
        <h1>Switchyard console</h1>
        {app.stage.value === 'signing_in' ? (
          <p class="dim signing-in">
            <span class="spinner" /> Signing in…
          </p>
        ) : (
          <form class="stack" onSubmit={(event) => void submit(event)}>
            <p class="dim">
              Open the one-time link that the server printed when it started, or sign in with an API key.
            </p>
            {message && (
              <p class="notice error" role="alert" data-testid="sign-in-error">
                <Icon name="warning" size={18} />
                <span>{message}</span>
              </p>
            )}
            <label class="field">
              API key
              <input
                class="input mono"
                type="password"
                autocomplete="current-password"
                spellcheck={false}
                data-testid="api-key"
                value={key}
                onInput={(event) => setKey(event.currentTarget.value)}
              />
            </label>
            <button
              type="submit"
              class="button primary"
              data-testid="sign-in-button"
              disabled={isBusy || key.trim() === ''}
            >
              {isBusy ? 'Signing in…' : 'Sign in'}
            </button>
          </form>
        )}
      </section>
    </main>
  );
}
