// Owns: what whoever works anywhere in the console has to know of the server: that it refuses new work, and why. May import:
// API contract (types), ui and its siblings.
import { Icon } from '../ui/icons.tsx';
import { type Console, linkTo } from './console.ts';
import { usePolled } from './polled.ts';

const pollMs = 5_000;

/** Nothing for those who may not ask, and while all is well. */
export function ServerNotice({ app }: { app: Console }) {
  const { value } = usePolled(app, 'notice of the server', pollMs, () => app.api.server());
  const isShedding = value !== undefined && value.load.shedding.length > 0;
  if (!value?.isDraining && !isShedding) return null;
  return (
    <p class="notice error server-notice" role="status" data-testid="server-notice">
      <Icon name="warning" size={18} />
      <span>
        {value.isDraining
          ? 'The server is being drained and takes nobody new.'
          : 'The server has too much to do, and refuses some of what is new.'}{' '}
        <a href={linkTo({ page: value.isDraining ? 'nodes' : 'server' })}>More</a>
      </span>
    </p>
  );
}
