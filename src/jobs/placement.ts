// Owns: what a job costs and which media worker takes it. Pure. Folder: MediaPort on forked media workers. May import:
// core, media/protocol.
import type { JobSpec } from '#core/job.ts';

/** CPU milliseconds per second of one core; measured on 720p30, see docs/protocols/media.md. */
const costs = {
  forwardIngress: 30,
  audioTranscode: 8,
  videoTranscode720p30: 130,
  mix: 12,
  view720p30: 60,
  decode720p30: 20,
  egress: 25,
  detectPictures: 6,
  detectSound: 10,
} as const;

/** What a job is reckoned to cost before anything is known of its media. */
export function startCostMsPerS(spec: JobSpec): number {
  // It grows with its legs, and shows in what is measured.
  if (spec.kind === 'mix') return costs.mix;
  // Copies pictures, and makes AAC of the sound.
  if (spec.kind === 'egress') return costs.egress;
  // Every picture has to be decoded for the few that are looked at.
  if (spec.kind === 'analytics') {
    const pictures = spec.hasPictures ? costs.decode720p30 + costs.detectPictures : 0;
    return Math.max(1, pictures + (spec.hasSound ? costs.detectSound : 0));
  }
  // Without its encoders, for which it asks when somebody wants one.
  if (spec.kind === 'transcode') return costs.decode720p30;
  if (spec.kind === 'view') {
    const share = ((spec.width * spec.height) / (1_280 * 720)) * (spec.framerateHz / 30);
    return Math.max(1, Math.round(costs.view720p30 * share));
  }
  const video = spec.video === 'off' ? 0 : costs.forwardIngress;
  const audio = spec.audio === 'off' ? 0 : costs.audioTranscode;
  return Math.max(1, video + audio);
}

export interface PlacementWorker {
  readonly id: number;
  /** Reckoned for the jobs it has. */
  readonly costMsPerS: number;
  /** Measured over the last heartbeats; jobs that cost more than reckoned show here. */
  readonly measuredMsPerS: number;
  readonly rssBytes: number;
  /** It serves the same room already, and would need no further transport. */
  readonly hasRoom: boolean;
}

export interface PlacementLimits {
  readonly maxWorkers: number;
  /** Of one core, for one worker. */
  readonly capacityMsPerS: number;
  readonly maxRssBytes: number;
}

export type Placement =
  | { readonly kind: 'existing'; readonly workerId: number }
  | { readonly kind: 'new' }
  | { readonly kind: 'refused'; readonly message: string };

/**
 * A worker that has the room comes first while it is at most half full, then a fresh worker, then the least loaded that
 * can take it.
 */
export function placeJob(costMsPerS: number, workers: readonly PlacementWorker[], limits: PlacementLimits): Placement {
  const fitting = workers
    .filter((worker) => fits(worker, costMsPerS, limits))
    .sort((a, b) => Number(b.hasRoom) - Number(a.hasRoom) || load(a) - load(b));
  const best = fitting[0];
  if (best && load(best) + costMsPerS <= limits.capacityMsPerS / 2) return { kind: 'existing', workerId: best.id };
  if (workers.length < limits.maxWorkers && costMsPerS <= limits.capacityMsPerS) return { kind: 'new' };
  const leastLoaded = fitting.toSorted((a, b) => load(a) - load(b))[0];
  if (leastLoaded) return { kind: 'existing', workerId: leastLoaded.id };
  return { kind: 'refused', message: refusal(costMsPerS, workers, limits) };
}

/** Whether a worker can take so much more. */
export function fits(worker: PlacementWorker, moreMsPerS: number, limits: PlacementLimits): boolean {
  return load(worker) + moreMsPerS <= limits.capacityMsPerS && worker.rssBytes < limits.maxRssBytes;
}

function load(worker: PlacementWorker): number {
  return Math.max(worker.costMsPerS, worker.measuredMsPerS);
}

function refusal(costMsPerS: number, workers: readonly PlacementWorker[], limits: PlacementLimits): string {
  const percent = (ms: number) => `${Math.round(ms / 10)} %`;
  const full = workers.filter((worker) => worker.rssBytes >= limits.maxRssBytes).length;
  const free = workers.map((worker) => Math.max(0, limits.capacityMsPerS - load(worker)));
  const memory = full > 0 ? ` ${full} of them have no memory left.` : '';
  return (
    `This needs about ${percent(costMsPerS)} of a core; the ${workers.length} media workers have at most ` +
    `${percent(Math.max(0, ...free))} left.${memory} Stop something, lower its size, or give the gateway more cores.`
  );
}
