// Owns: the media playlist of one rendition (RFC 8216bis). Pure. May import: ./timeline.
import type { Rendition, Segment, Timeline } from './timeline.ts';

export interface MediaPlaylistOptions {
  readonly timeline: Timeline;
  readonly rendition: Rendition;
  /** What every address in it carries: `?v=…`, or nothing. */
  readonly query: string;
  /** The client has what was there before, and wants the news only (§6.2.5.1). */
  readonly isDelta: boolean;
  readonly hasEnded: boolean;
  /** Lies on a server that knows nothing of it: whole segments only, and no news to be asked for. */
  readonly isStatic?: boolean | undefined;
}

/** Players start so many parts from the end (§4.4.3.8 wants two at least, three are good). */
const holdBackParts = 3;
/** In target durations (§4.4.3.8). */
const holdBackSegments = 3;
const skipAfterSegments = 6;
/** Parts of older segments are no longer named (§4.4.4.9 wants those of the last three target durations). */
const segmentsWithParts = 4;

const seconds = (us: number) => (us / 1e6).toFixed(5);

export function mediaPlaylist(options: MediaPlaylistOptions): string {
  const { timeline, rendition, query, isDelta, hasEnded, isStatic } = options;
  const { segments, id, next } = rendition;
  const targetS = targetDurationS(rendition, timeline);
  const skipped = isDelta ? skippedSegments(segments, targetS * 1e6 * skipAfterSegments) : 0;
  const [first] = segments;
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${isStatic ? 7 : 9}`,
    `#EXT-X-TARGETDURATION:${targetS}`,
    ...(isStatic ? [] : lowLatencyLines(targetS, timeline.options.partUs)),
    `#EXT-X-MEDIA-SEQUENCE:${first?.number ?? next.number}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${first?.epoch ?? timeline.epoch}`,
    ...(skipped > 0 ? [`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`] : []),
  ];
  let epoch: number | undefined = segments[skipped - 1]?.epoch;
  let hasMap = false;
  segments.slice(skipped).forEach((segment, index, listed) => {
    if (epoch !== undefined && segment.epoch !== epoch) lines.push('#EXT-X-DISCONTINUITY');
    if (segment.epoch !== epoch || !hasMap) lines.push(`#EXT-X-MAP:URI="${id}-${segment.epoch}.mp4${query}"`);
    hasMap = true;
    epoch = segment.epoch;
    lines.push(...segmentLines(segment, options, !isStatic && index >= listed.length - segmentsWithParts));
  });
  if (hasEnded) return `${[...lines, '#EXT-X-ENDLIST'].join('\n')}\n`;
  if (isStatic) return `${lines.join('\n')}\n`;
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${id}-${next.number}.${next.part}.m4s${query}"`);
  for (const other of timeline.renditions) {
    if (other !== rendition) lines.push(reportLine(other, query));
  }
  return `${lines.join('\n')}\n`;
}

function lowLatencyLines(targetS: number, partUs: number): string[] {
  const control = [
    'CAN-BLOCK-RELOAD=YES',
    `PART-HOLD-BACK=${seconds(partUs * holdBackParts)}`,
    `HOLD-BACK=${targetS * holdBackSegments}`,
    `CAN-SKIP-UNTIL=${targetS * skipAfterSegments}`,
  ];
  return [`#EXT-X-SERVER-CONTROL:${control.join(',')}`, `#EXT-X-PART-INF:PART-TARGET=${seconds(partUs)}`];
}

function segmentLines(
  segment: Segment,
  { rendition, timeline, query, isStatic }: MediaPlaylistOptions,
  hasParts: boolean,
): string[] {
  const { number, parts, durationUs, isComplete } = segment;
  if (!isComplete && (isStatic || parts.length === 0)) return [];
  const epoch = timeline.epochOf(segment.epoch);
  const atMs = epoch && epoch.originMs + (segment.startUs - epoch.originUs) / 1_000;
  return [
    ...(atMs === undefined ? [] : [`#EXT-X-PROGRAM-DATE-TIME:${new Date(atMs).toISOString()}`]),
    ...(hasParts
      ? parts.map(
          (part, index) =>
            `#EXT-X-PART:DURATION=${seconds(part.durationUs)},URI="${rendition.id}-${number}.${index}.m4s${query}"${
              part.isIndependent ? ',INDEPENDENT=YES' : ''
            }`,
        )
      : []),
    ...(isComplete ? [`#EXTINF:${seconds(durationUs)},`, `${rendition.id}-${number}.m4s${query}`] : []),
  ];
}

/** §4.4.5.4: where the other playlists are, so that a player that changes to one need not ask twice. */
function reportLine({ id, next }: Rendition, query: string): string {
  const last = next.part > 0 ? { number: next.number, part: next.part - 1 } : { number: next.number - 1, part: -1 };
  const part = last.part >= 0 ? `,LAST-PART=${last.part}` : '';
  return `#EXT-X-RENDITION-REPORT:URI="${id}.m3u8${query}",LAST-MSN=${Math.max(0, last.number)}${part}`;
}

/** §4.4.3.1: no segment, rounded, is longer. */
export function targetDurationS({ longestUs, openUs }: Rendition, { options }: Timeline): number {
  return Math.max(1, Math.round(Math.max(options.segmentUs, longestUs, openUs) / 1e6));
}

/** Those that end before the boundary (§6.2.5.1). */
function skippedSegments(segments: readonly Segment[], boundaryUs: number): number {
  let afterUs = 0;
  for (let index = segments.length - 1; index >= 0; index--) {
    afterUs += segments[index]?.durationUs ?? 0;
    if (afterUs > boundaryUs) return index;
  }
  return 0;
}
