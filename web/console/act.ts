// Owns: doing something by the API and saying how it went. May import: ui and its siblings.
import { showToast } from '../ui/toasts.tsx';
import type { Console } from './console.ts';

/** @param done what to say when it worked; nothing if absent @returns whether it did */
export async function act(app: Console, task: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await task();
    if (done) showToast(done, { icon: 'check' });
    return true;
  } catch (thrown) {
    app.noticed(thrown);
    showToast(thrown instanceof Error ? thrown.message : String(thrown), { isError: true });
    return false;
  }
}

export async function copyText(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    showToast(done, { icon: 'copy' });
  } catch {
    // Plain HTTP on another name than localhost has no clipboard.
    showToast('The browser does not let this page copy. Select the text and copy it by hand.', { isError: true });
  }
}
