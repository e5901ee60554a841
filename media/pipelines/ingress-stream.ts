// Owns: what the streams of an ingress have in common.
import type { IngressJobSpec, StreamVerdict } from '#core/job.ts';
import type { SourceStream, SourceUnit } from '#core/media-source.ts';
import type { JobContext } from '../job-context.ts';
import type { Departures } from './departures.ts';
import type { SourceClock } from './source-clock.ts';

export type AccessUnit = Extract<SourceUnit, { kind: 'access_unit' }> & {
  /** RTP payloads that the unit came in, where it goes out in the same. */
  readonly payloads?: readonly Uint8Array[] | undefined;
};

export interface IngressStreamOptions {
  readonly context: JobContext;
  readonly clock: SourceClock;
  readonly departures: Departures;
  readonly spec: IngressJobSpec;
  readonly stream: SourceStream;
  /** Asks the source; false when it cannot. */
  readonly requestKeyFrame: () => boolean;
  readonly onVerdict: (verdict: StreamVerdict) => void;
  /** Something has gone out into the room. */
  readonly onSent: () => void;
  /** Admission for more CPU. @returns undefined when it is given, else why it is not */
  readonly askCost: (streamId: number, costMsPerS: number) => Promise<string | undefined>;
}

/** One stream from the source to its track. */
export interface IngressStream {
  readonly stream: SourceStream;
  readonly verdict: StreamVerdict | undefined;
  /** How late the last frame left, after when it was to be shown, microseconds. */
  readonly delayUs: number | undefined;
  readonly framesIn: number;
  readonly framesDropped: number;
  readonly keyFrames: number;
  readonly memoryBytes: number;
  /** The source says something new about it. */
  describe(stream: SourceStream): void;
  /** @param isReplay kept from before: brought up to now as fast as it goes */
  deliver(unit: AccessUnit, isReplay: boolean): void;
  /** Its source is away: nothing comes until another takes its place, but who joins is to see where it stood. */
  rest(): void;
  close(): void;
}
