// Owns: the calls of all rooms. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import { CallTable } from './call-table.tsx';
import type { Console } from './console.ts';
import { usePolled } from './polled.ts';
import { Empty, Loaded } from './states.tsx';

const pollMs = 2_000;
const pageLength = 100;
/** As many as the API gives in a page. */
const maxShown = 500;

export function CallsPage({ app }: { app: Console }) {
  const [search, setSearch] = useState('');
  const [state, setState] = useState('');
  const [direction, setDirection] = useState('');
  const [shown, setShown] = useState(pageLength);
  const filter = {
    limit: String(shown),
    ...(search.trim() && { search: search.trim() }),
    ...(state && { state }),
    ...(direction && { direction }),
  };
  const calls = usePolled(app, `calls ${JSON.stringify(filter)}`, pollMs, () => app.api.sip.calls(filter));
  return (
    <>
      <header class="page-head">
        <h1>Calls</h1>
        <div class="head-actions">
          <select
            class="input"
            aria-label="Which calls"
            data-testid="calls-state"
            value={state}
            onChange={(event) => setState(event.currentTarget.value)}
          >
            <option value="">All</option>
            <option value="on">On now</option>
            <option value="ended">Ended</option>
          </select>
          <select
            class="input"
            aria-label="Which way"
            data-testid="calls-direction"
            value={direction}
            onChange={(event) => setDirection(event.currentTarget.value)}
          >
            <option value="">In and out</option>
            <option value="inbound">In</option>
            <option value="outbound">Out</option>
          </select>
          <input
            class="input"
            type="search"
            aria-label="Search"
            placeholder="Number or name"
            data-testid="calls-search"
            value={search}
            maxLength={128}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </div>
      </header>
      <p class="dim summary">Phones that called rooms, and that rooms called: the newest first.</p>
      <Loaded from={calls}>
        {({ items, next }) =>
          items.length === 0 ? (
            <Empty icon="phone" title={search || state || direction ? 'No such call' : 'No calls yet'} />
          ) : (
            <>
              <CallTable app={app} calls={items} hasRoom onChanged={() => void calls.refresh()} />
              {next !== null && shown < maxShown && (
                <button type="button" class="button more" onClick={() => setShown(shown + pageLength)}>
                  Show older ones
                </button>
              )}
            </>
          )
        }
      </Loaded>
    </>
  );
}
