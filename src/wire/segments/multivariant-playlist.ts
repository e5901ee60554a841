// Owns: the multivariant playlist, which names the renditions (RFC 8216bis §4.4.6). Pure. May import: ./timeline.
import type { LiveTrack } from '#core/live-media.ts';
import { allTracks, renditionId, type Timeline } from './timeline.ts';

/** Before there is enough to measure. */
const leastBitrateBps = 64_000;

/** The largest encoding first: players that know no other way begin with it. */
export function multivariantPlaylist(timeline: Timeline, query: string): string {
  const { tracks } = timeline;
  const audio = tracks.find(({ kind }) => kind === 'audio');
  const videos = allTracks(timeline.init).filter(({ kind }) => kind === 'video');
  const hasGroup = videos.length > 0 && audio !== undefined;
  const channels = audio?.channels === undefined ? '' : `,CHANNELS="${audio.channels}"`;
  const variants = videos.length > 0 ? videos : tracks;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...(hasGroup
      ? [
          `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES${channels},URI="audio.m3u8${query}"`,
        ]
      : []),
    ...variants.flatMap((track) => [
      `#EXT-X-STREAM-INF:${attributesOf(track, hasGroup ? audio : undefined, timeline).join(',')}`,
      `${renditionId(track)}.m3u8${query}`,
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function attributesOf(track: LiveTrack, audio: LiveTrack | undefined, timeline: Timeline): string[] {
  const together = [track, ...(audio ? [audio] : [])];
  const bitrateOf = (one: LiveTrack) =>
    Math.max(one.bitrateBps ?? 0, (timeline.renditionOf(one)?.peakBitrateBps ?? 0) * 1.1);
  const bandwidth = together.reduce((sum, one) => sum + bitrateOf(one), 0);
  return [
    `BANDWIDTH=${Math.max(leastBitrateBps, Math.ceil(bandwidth))}`,
    `CODECS="${together.map(({ codecs }) => codecs).join(',')}"`,
    ...(track.width && track.height ? [`RESOLUTION=${track.width}x${track.height}`] : []),
    ...(audio ? ['AUDIO="sound"'] : []),
  ];
}
