// Owns: the tiles on their places, and telling the server which of them are seen. May import: its siblings.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../ui/icons.tsx';
import {
  duoRects,
  gridRects,
  pageLength,
  type Rect,
  type Size,
  spotlightRects,
  stripLength,
  tileAspects,
} from './layout.ts';
import type { Meeting } from './meeting.ts';
import { usePageVisible, useSize } from './observe.ts';
import { TileView } from './tile-view.tsx';
import { type Arrangement, arrange, keepSpeakerInView, type Tile, tilesOf } from './tiles.ts';

interface Placed {
  readonly tile: Tile;
  readonly rect: Rect;
  readonly isFloating: boolean;
}

export function Stage({ meeting }: { meeting: Meeting }) {
  const element = useRef<HTMLDivElement>(null);
  const size = useSize(element);
  const [page, setPage] = useState(0);
  const state = meeting.state.value;
  const tiles = useMemo(
    () => tilesOf(state),
    [state.participants, state.local, state.subscriptions, state.failedSubscriptions, state.selfId],
  );
  const isStrip = useRef(false);
  const inView = isStrip.current ? stripLength(size) : pageLength(size);
  const ordered = useSpeakersInView(tiles, state.activeSpeaker, inView);
  const arrangement = arrange(ordered, {
    pinnedKey: meeting.pinnedKey.value,
    wantsSpotlight: meeting.wantsSpotlight.value,
    activeSpeaker: state.activeSpeaker,
    screenKey: useLatestScreen(tiles),
  });
  isStrip.current = arrangement.mode === 'spotlight';
  const pages = arrangement.mode === 'grid' ? Math.ceil(arrangement.tiles.length / pageLength(size)) : 1;
  const shownPage = Math.min(page, Math.max(0, pages - 1));
  const placed = place(arrangement, size, shownPage);
  useViews(meeting, tiles, placed);
  const last = placed.at(-1)?.rect;
  const hiddenCount = arrangement.mode === 'spotlight' ? arrangement.tiles.length - placed.length : 0;
  return (
    <section class="stage" aria-label="Participants" data-testid="stage" data-mode={arrangement.mode}>
      <div class="stage-tiles" ref={element}>
        {placed.map(({ tile, rect, isFloating }) => (
          <TileView
            key={tile.key}
            meeting={meeting}
            tile={tile}
            rect={rect}
            isFloating={isFloating}
            isSmall={rect.width < 200}
          />
        ))}
        {hiddenCount > 0 && last && (
          <button
            type="button"
            class="hidden-count"
            aria-label={`${hiddenCount} more participants`}
            style={{ transform: `translate(${last.left + 6}px, ${last.top + 6}px)` }}
            onClick={() => meeting.togglePanel('people')}
          >
            +{hiddenCount}
          </button>
        )}
        {tiles.length === 1 && <p class="alone">Nobody else is here yet.</p>}
      </div>
      {pages > 1 && <Pager page={shownPage} pages={pages} onTurn={setPage} />}
    </section>
  );
}

function Pager({ page, pages, onTurn }: { page: number; pages: number; onTurn: (page: number) => void }) {
  return (
    <nav class="pager" aria-label="Pages of participants">
      <button
        type="button"
        class="button small square"
        aria-label="Page before"
        disabled={page === 0}
        onClick={() => onTurn(page - 1)}
      >
        <Icon name="chevronLeft" size={16} />
      </button>
      <span>
        {page + 1} / {pages}
      </span>
      <button
        type="button"
        class="button small square"
        aria-label="Next page"
        data-testid="next-page"
        disabled={page >= pages - 1}
        onClick={() => onTurn(page + 1)}
      >
        <Icon name="chevronRight" size={16} />
      </button>
    </nav>
  );
}

function place({ mode, tiles }: Arrangement, stage: Size, page: number): Placed[] {
  if (stage.width === 0 || stage.height === 0) return [];
  const rects = (): readonly (Rect | undefined)[] => {
    if (mode === 'duo') {
      const { other, self } = duoRects(stage);
      return [other, self];
    }
    const { main, strip } = spotlightRects(tiles.length - 1, stage);
    return [main, ...strip];
  };
  if (mode !== 'grid') {
    const places = rects();
    return tiles.flatMap((tile, index) => {
      const rect = places[index];
      return rect ? [{ tile, rect, isFloating: mode === 'duo' && index === 1 }] : [];
    });
  }
  const length = pageLength(stage);
  const shown = tiles.slice(page * length, (page + 1) * length);
  const places = gridRects(shown.length, stage, tileAspects(stage));
  return shown.flatMap((tile, index) => {
    const rect = places[index];
    return rect ? [{ tile, rect, isFloating: false }] : [];
  });
}

/** Tiles that are not seen are paused at the server, and the others come no larger than they are shown. */
function useViews(meeting: Meeting, tiles: readonly Tile[], placed: readonly Placed[]): void {
  const isPageVisible = usePageVisible();
  const { connection } = meeting;
  useEffect(() => {
    if (!connection) return;
    const rects = new Map(placed.map(({ tile, rect }) => [tile.key, rect]));
    const largest = placed.reduce((max, { rect }) => Math.max(max, rect.width * rect.height), 0);
    for (const { key, publicationId, isSelf, kind } of tiles) {
      if (isSelf || publicationId === undefined) continue;
      const rect = rects.get(key);
      connection.setView(publicationId, {
        isVisible: isPageVisible && rect !== undefined,
        heightPx: rect ? pictureHeight(rect, kind) * devicePixelRatio : 0,
      });
      connection.setPinned(publicationId, meeting.pinnedKey.value === key);
      const isMain = placed.length > 1 && rect !== undefined && rect.width * rect.height === largest;
      connection.setPriority(publicationId, isMain ? 200 : 100);
    }
  });
}

/** A camera fills its tile and is cut, so that its picture may be higher than the tile; a screen stands within. */
function pictureHeight({ width, height }: Rect, kind: Tile['kind']): number {
  const byWidth = (width * 9) / 16;
  return kind === 'camera' ? Math.max(height, byWidth) : Math.min(height, byWidth);
}

function useSpeakersInView(tiles: readonly Tile[], activeSpeaker: string | null, length: number): readonly Tile[] {
  const order = useRef<string[]>([]);
  const spokenAt = useRef(new Map<string, number>());
  const speaker = tiles.find(({ participant, kind }) => participant.id === activeSpeaker && kind === 'camera');
  if (speaker) spokenAt.current.set(speaker.key, Date.now());
  const present = tiles.map(({ key }) => key);
  order.current = keepSpeakerInView(order.current, present, length, speaker?.key, spokenAt.current);
  const byKey = new Map(tiles.map((tile) => [tile.key, tile]));
  return order.current.flatMap((key) => byKey.get(key) ?? []);
}

/** Of several screens the one that came last. */
function useLatestScreen(tiles: readonly Tile[]): string | undefined {
  const seen = useRef<string[]>([]);
  const screens = tiles.filter(({ kind, isSelf }) => kind === 'screen' && !isSelf).map(({ key }) => key);
  seen.current = [
    ...seen.current.filter((key) => screens.includes(key)),
    ...screens.filter((key) => !seen.current.includes(key)),
  ];
  return seen.current.at(-1);
}
