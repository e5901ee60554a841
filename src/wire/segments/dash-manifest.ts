// Owns: the DASH manifest of a broadcast: live profile, one period for each epoch (ISO/IEC 23009-1 §5). Pure. May import:
// ./timeline.
import type { LiveTrack } from '#core/live-media.ts';
import { allTracks, type Epoch, type Rendition, type Segment, type Timeline } from './timeline.ts';

export interface DashManifestOptions {
  readonly timeline: Timeline;
  readonly query: string;
  readonly nowMs: number;
}

const duration = (ms: number) => `PT${(ms / 1_000).toFixed(3)}S`;

export function dashManifest({ timeline, query, nowMs }: DashManifestOptions): string {
  const { segmentUs, windowUs } = timeline.options;
  const periods = periodsOf(timeline);
  const [first] = periods;
  const startMs = first ? first.originMs : nowMs;
  const segmentMs = segmentUs / 1_000;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" ${[
      `availabilityStartTime="${new Date(startMs).toISOString()}"`,
      `publishTime="${new Date(nowMs).toISOString()}"`,
      `minimumUpdatePeriod="${duration(segmentMs)}"`,
      `minBufferTime="${duration(segmentMs)}"`,
      `timeShiftBufferDepth="${duration(windowUs / 1_000)}"`,
      `suggestedPresentationDelay="${duration(segmentMs * 2)}"`,
    ].join(' ')}>`,
    ...periods.map((epoch) => period(epoch, timeline, epoch.originMs - startMs, query)),
    `  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="${new Date(nowMs).toISOString()}"/>`,
    '</MPD>',
    '',
  ].join('\n');
}

/** Those that have a segment to show, and the one that grows. */
function periodsOf(timeline: Timeline): Epoch[] {
  const shown = new Set(
    timeline.renditions.flatMap(({ segments }) =>
      segments.filter(({ isComplete }) => isComplete).map((one) => one.epoch),
    ),
  );
  return [...shown].sort((one, other) => one - other).flatMap((index) => timeline.epochOf(index) ?? []);
}

function period(epoch: Epoch, timeline: Timeline, startMs: number, query: string): string {
  const shown = allTracks(epoch.init).flatMap((track): Shown[] => {
    const rendition = timeline.renditionOf(track);
    const own = rendition?.segments.filter((segment) => segment.epoch === epoch.index && segment.isComplete) ?? [];
    return rendition && own.length > 0 ? [{ track, rendition, segments: own, epoch, query }] : [];
  });
  const sets = [...Map.groupBy(shown, ({ track }) => track.kind)].map(([kind, all], index) =>
    [
      `    <AdaptationSet id="${index}" contentType="${kind}" mimeType="${kind}/mp4" segmentAlignment="true" startWithSAP="1">`,
      ...all.map(representation),
      '    </AdaptationSet>',
    ].join('\n'),
  );
  return [`  <Period id="${epoch.index}" start="${duration(startMs)}">`, ...sets, '  </Period>'].join('\n');
}

interface Shown {
  readonly track: LiveTrack;
  readonly rendition: Rendition;
  readonly segments: readonly Segment[];
  readonly epoch: Epoch;
  readonly query: string;
}

function representation({ track, rendition, segments, epoch, query }: Shown): string {
  const { codecs, width, height, sampleRateHz, channels, bitrateBps = 0 } = track;
  const { id } = rendition;
  const bandwidth = Math.max(1, bitrateBps, Math.ceil(rendition.peakBitrateBps));
  const details = [
    ...(width && height ? [`width="${width}" height="${height}"`] : []),
    ...(sampleRateHz ? [`audioSamplingRate="${sampleRateHz}"`] : []),
  ].join(' ');
  const configuration = 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011';
  return [
    `      <Representation id="${id}" bandwidth="${bandwidth}" codecs="${codecs}" ${details}>`,
    ...(channels ? [`        <AudioChannelConfiguration schemeIdUri="${configuration}" value="${channels}"/>`] : []),
    // Times count in microseconds, from where the period begins.
    `        <SegmentTemplate timescale="1000000" presentationTimeOffset="${epoch.originUs}" startNumber="${segments[0]?.number}" initialization="${id}-${epoch.index}.mp4${query}" media="${id}-$Number$.m4s${query}">`,
    '          <SegmentTimeline>',
    ...segments.map(({ startUs, durationUs }) => `            <S t="${startUs}" d="${durationUs}"/>`),
    '          </SegmentTimeline>',
    '        </SegmentTemplate>',
    '      </Representation>',
  ].join('\n');
}
