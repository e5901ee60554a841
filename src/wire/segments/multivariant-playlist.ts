// Owns: the multivariant playlist, which names the renditions (RFC 8216bis §4.4.6). Pure. May import: ./timeline.
import type { Timeline } from './timeline.ts';

/** Before there is enough to measure. */
const leastBitrateBps = 64_000;

export function multivariantPlaylist(timeline: Timeline, query: string): string {
  const { tracks } = timeline;
  const video = tracks.find(({ kind }) => kind === 'video');
  const audio = tracks.find(({ kind }) => kind === 'audio');
  const hasGroup = video !== undefined && audio !== undefined;
  const peakBps = timeline.renditions.reduce((sum, { peakBitrateBps }) => sum + peakBitrateBps, 0);
  const attributes = [
    `BANDWIDTH=${Math.max(leastBitrateBps, Math.ceil(peakBps * 1.1))}`,
    `CODECS="${tracks.map(({ codecs }) => codecs).join(',')}"`,
    ...(video?.width && video.height ? [`RESOLUTION=${video.width}x${video.height}`] : []),
    ...(hasGroup ? ['AUDIO="sound"'] : []),
  ];
  const channels = audio?.channels === undefined ? '' : `,CHANNELS="${audio.channels}"`;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...(hasGroup
      ? [
          `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES${channels},URI="audio.m3u8${query}"`,
        ]
      : []),
    `#EXT-X-STREAM-INF:${attributes.join(',')}`,
    `${video ? 'video' : 'audio'}.m3u8${query}`,
  ];
  return `${lines.join('\n')}\n`;
}
