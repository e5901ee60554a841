// Owns: what a receiver wants of each publication, and what has to be asked to get there. Pure.
import type { RequestData } from '#signalling/protocol.ts';
import { spatialLayerFor } from './encodings.ts';
import type { SubscriptionView } from './room-state.ts';

export type Layers = RequestData<'setLayers'>['layers'];

/** What is wanted of one publication. It outlives the subscription, so that a new one starts where the old one was. */
export interface Wish {
  readonly isPaused: boolean;
  readonly isPinned: boolean;
  /** 1..255. */
  readonly priority: number;
  /** Height of the tile that shows it, device pixels: no more than fills it is asked for. */
  readonly tilePx: number | undefined;
  /** Asked for by name, whatever the tile. */
  readonly layers: Layers | undefined;
  /** null: as its publisher sends it. */
  readonly format: SubscriptionView['format'];
}

export const defaultWish: Wish = {
  isPaused: false,
  isPinned: false,
  priority: 1,
  tilePx: undefined,
  layers: undefined,
  format: null,
};

/** What the server was last told of one subscription; a field is undefined while that is not known. */
export interface Told {
  isPaused: boolean | undefined;
  isPinned: boolean | undefined;
  priority: number | undefined;
  layers: Layers | undefined;
}

/** As the server makes them: paused, not pinned, lowest priority, all layers. */
export const toldAtStart: Told = { isPaused: true, isPinned: false, priority: 1, layers: undefined };

export interface ActiveSubscription {
  readonly subscriptionId: string;
  /** Spatial layers it comes in. */
  readonly layerCount: number;
  /** Height of the top layer, pixels, as far as one can know. */
  readonly fullPx: number;
  readonly wish: Wish;
  readonly told: Told;
}

export interface Requests {
  readonly resume: readonly string[];
  readonly pause: readonly string[];
  readonly layers: readonly { readonly subscriptionId: string; readonly layers: Layers }[];
  readonly priority: readonly { readonly subscriptionId: string; readonly priority: number }[];
  readonly pinned: readonly { readonly subscriptionId: string; readonly isPinned: boolean }[];
}

/** The smallest set of requests that brings what was told to what is wanted. */
export function difference(active: Iterable<ActiveSubscription>): Requests {
  const requests = {
    resume: [] as string[],
    pause: [] as string[],
    layers: [] as { subscriptionId: string; layers: Layers }[],
    priority: [] as { subscriptionId: string; priority: number }[],
    pinned: [] as { subscriptionId: string; isPinned: boolean }[],
  };
  for (const subscription of active) {
    const { subscriptionId, wish, told } = subscription;
    if (wish.isPaused !== told.isPaused) (wish.isPaused ? requests.pause : requests.resume).push(subscriptionId);
    if (wish.isPinned !== told.isPinned) requests.pinned.push({ subscriptionId, isPinned: wish.isPinned });
    if (wish.priority !== told.priority) requests.priority.push({ subscriptionId, priority: wish.priority });
    const layers = layersFor(subscription);
    if (layers && !sameLayers(layers, told.layers)) requests.layers.push({ subscriptionId, layers });
  }
  return requests;
}

function layersFor({ layerCount, fullPx, wish }: ActiveSubscription): Layers | undefined {
  if (layerCount <= 1) return undefined;
  if (wish.layers) return wish.layers;
  // What is not seen keeps the layer it had.
  if (wish.tilePx === undefined || wish.isPaused) return undefined;
  return { spatialLayer: spatialLayerFor(layerCount, wish.tilePx, fullPx) };
}

function sameLayers(a: Layers | undefined, b: Layers | undefined): boolean {
  return a?.spatialLayer === b?.spatialLayer && a?.temporalLayer === b?.temporalLayer;
}
