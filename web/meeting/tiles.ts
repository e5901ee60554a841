// Owns: which tiles there are, and in which order. Pure.
import type { ParticipantInfo } from '#signalling/protocol.ts';
import type { LocalPublicationView, RoomState, SubscriptionView } from '../client/index.ts';

/** One picture on the stage: a video, or the initials of somebody who sends none. */
export interface Tile {
  /** Stays the same while it shows the same thing, so that a video element lives on. */
  readonly key: string;
  readonly participant: ParticipantInfo;
  readonly isSelf: boolean;
  readonly kind: 'camera' | 'screen';
  /** Absent where there is nothing to show but initials. */
  readonly track: MediaStreamTrack | undefined;
  /** Server's id of what is shown, for pins and layers; absent for initials and before it is published. */
  readonly publicationId: string | undefined;
  /** Which of several cameras. */
  readonly label: string;
  readonly isHeldBack: boolean;
  readonly isPaused: boolean;
  /** Why a video that is there cannot be shown. */
  readonly failure: string | undefined;
}

/** Everybody who is to be seen, oneself first, then by the time they came. */
export function tilesOf(state: RoomState): Tile[] {
  const participants = [...state.participants.values()].sort((a, b) => a.joinedAtMs - b.joinedAtMs);
  return participants
    .sort((a, b) => Number(b.id === state.selfId) - Number(a.id === state.selfId))
    .flatMap((participant) =>
      participant.id === state.selfId ? ownTiles(participant, state.local) : tilesOfOther(participant, state),
    );
}

function ownTiles(participant: ParticipantInfo, local: RoomState['local']): Tile[] {
  const videos = [...local.values()].filter(({ kind }) => kind === 'video');
  const cameras = videos.filter(({ source }) => source !== 'screen');
  const tiles = videos.map((view) => ownTile(participant, view));
  return cameras.length > 0 ? tiles : [initials(participant, true), ...tiles];
}

function ownTile(participant: ParticipantInfo, view: LocalPublicationView): Tile {
  return {
    key: view.source === 'camera' ? `${participant.id}-camera` : view.key,
    participant,
    isSelf: true,
    kind: view.source === 'screen' ? 'screen' : 'camera',
    track: view.isMuted ? undefined : (view.track ?? undefined),
    publicationId: view.publicationId,
    label: view.label,
    isHeldBack: false,
    isPaused: false,
    failure: undefined,
  };
}

function tilesOfOther(participant: ParticipantInfo, state: RoomState): Tile[] {
  const videos = participant.publications.filter(({ kind }) => kind === 'video');
  let hasCamera = false;
  const tiles = videos.map((publication): Tile => {
    const subscription: SubscriptionView | undefined = state.subscriptions.get(publication.id);
    const isScreen = publication.source === 'screen';
    // The first camera takes the place of the initials, so that its tile does not jump when it is switched on.
    const key = isScreen || hasCamera ? publication.id : `${participant.id}-camera`;
    if (!isScreen) hasCamera = true;
    return {
      key,
      participant,
      isSelf: false,
      kind: isScreen ? 'screen' : 'camera',
      track: publication.isMuted ? undefined : subscription?.track,
      publicationId: publication.id,
      label: publication.label,
      isHeldBack: subscription?.isHeldBack ?? false,
      isPaused: subscription?.isPaused ?? false,
      failure: state.failedSubscriptions.get(publication.id),
    };
  });
  return hasCamera ? tiles : [initials(participant, false), ...tiles];
}

function initials(participant: ParticipantInfo, isSelf: boolean): Tile {
  return {
    key: `${participant.id}-camera`,
    participant,
    isSelf,
    kind: 'camera',
    track: undefined,
    publicationId: undefined,
    label: '',
    isHeldBack: false,
    isPaused: false,
    failure: undefined,
  };
}

export interface Arrangement {
  readonly mode: 'grid' | 'spotlight' | 'duo';
  /** Spotlight: the large one comes first. Duo: the other, then oneself. */
  readonly tiles: readonly Tile[];
}

export interface ArrangeOptions {
  /** What the user has pinned; counts most. */
  readonly pinnedKey: string | undefined;
  /** The user wants one large and the rest in a strip. */
  readonly wantsSpotlight: boolean;
  readonly activeSpeaker: string | null;
  /** The last screen that somebody shared, while it is shared. */
  readonly screenKey: string | undefined;
}

/** A pin counts most, then a shared screen, then the user's choice of view; two people alone see each other large. */
export function arrange(tiles: readonly Tile[], options: ArrangeOptions): Arrangement {
  const pinned = tiles.find(({ key }) => key === options.pinnedKey);
  const screens = tiles.filter(({ kind, isSelf }) => kind === 'screen' && !isSelf);
  const screen = screens.find(({ key }) => key === options.screenKey) ?? screens.at(-1);
  const main = pinned ?? screen ?? (options.wantsSpotlight ? speakerTile(tiles, options.activeSpeaker) : undefined);
  if (main && tiles.length > 1) return { mode: 'spotlight', tiles: [main, ...tiles.filter((tile) => tile !== main)] };
  const [self, other] = tiles;
  if (tiles.length === 2 && self?.isSelf && other && !other.isSelf) return { mode: 'duo', tiles: [other, self] };
  return { mode: 'grid', tiles };
}

function speakerTile(tiles: readonly Tile[], activeSpeaker: string | null): Tile | undefined {
  const others = tiles.filter(({ isSelf }) => !isSelf);
  return others.find(({ participant }) => participant.id === activeSpeaker) ?? others[0] ?? tiles[0];
}

/**
 * Who speaks is on the first page, moving as few tiles as possible: it changes places with whoever there spoke longest
 * ago, and stays after that.
 * @param order keys as they stand
 * @param present keys that there are now, in their natural order
 * @param length tiles on the first page
 * @param spokenAt when each spoke last; absent for never
 */
export function keepSpeakerInView(
  order: readonly string[],
  present: readonly string[],
  length: number,
  speakerKey: string | undefined,
  spokenAt: ReadonlyMap<string, number>,
): string[] {
  const known = new Set(present);
  const kept = order.filter((key) => known.has(key));
  const next = [...kept, ...present.filter((key) => !kept.includes(key))];
  const index = speakerKey === undefined ? -1 : next.indexOf(speakerKey);
  if (index < length) return next;
  // Position 0 is oneself.
  let quietest = Math.min(1, length - 1);
  for (let place = quietest; place < length; place++) {
    if ((spokenAt.get(next[place] ?? '') ?? 0) < (spokenAt.get(next[quietest] ?? '') ?? 0)) quietest = place;
  }
  const moved = next[quietest];
  if (moved === undefined || speakerKey === undefined) return next;
  next[quietest] = speakerKey;
  next[index] = moved;
  return next;
}
