// Owns: units of an egress job as fragments of an MP4 file, small enough to be played at once. May import: core, #wire/fmp4.
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import type { MediaKind } from '#core/rtp.ts';
import { initSegment } from '#wire/fmp4/init-segment.ts';
import type { TrackFormat } from '#wire/fmp4/track.ts';
import { FragmentedTrack } from './fragmented-track.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export interface FragmenterOptions {
  readonly onInit: (init: LiveInit) => void;
  readonly onFragment: (fragment: LiveFragment) => void;
  /** Once for each stream that cannot stand in an MP4 file. */
  readonly onUnsupported: (stream: EgressStream) => void;
}

/**
 * One sample a fragment for video, a few for audio. Nothing leaves before every stream's configuration is known, and
 * nothing before the first key picture. Video leaves one picture late: how long a picture stays is known with the next.
 */
export class Fragmenter {
  readonly #options: FragmenterOptions;
  readonly #tracks = new Map<MediaKind, FragmentedTrack>();
  #described = '';
  #hasInit = false;

  constructor(options: FragmenterOptions) {
    this.#options = options;
  }

  describe(streams: readonly EgressStream[]): void {
    const described = JSON.stringify(streams, (_, value) => (value instanceof Uint8Array ? [...value] : value));
    if (described === this.#described) return;
    this.flush();
    this.#described = described;
    this.#hasInit = false;
    this.#tracks.clear();
    const { onFragment, onUnsupported } = this.#options;
    for (const stream of streams) {
      const track = FragmentedTrack.of(stream, onFragment);
      if (track) this.#tracks.set(stream.kind, track);
      else onUnsupported(stream);
    }
  }

  write(unit: EgressUnit): void {
    const track = this.#tracks.get(unit.kind);
    if (!track) return;
    if (!this.#hasInit) {
      track.learn(unit);
      this.#begin();
      if (!this.#hasInit) return;
    }
    // Sound that would play to no picture is left out.
    const beginsUs = this.#tracks.get('video')?.beginsUs ?? 0;
    const isTooEarly = unit.kind === 'audio' && unit.ptsUs < beginsUs;
    if (isTooEarly || (unit.kind === 'video' && !unit.isKey && !Number.isFinite(beginsUs))) return;
    track.write(unit);
  }

  /** What is held back, with the length that it is said to have. */
  flush(): void {
    for (const track of this.#tracks.values()) track.flush();
  }

  #begin(): void {
    const tracks = [...this.#tracks.values()];
    const formats = tracks.map(({ format }) => format).filter((format): format is TrackFormat => format !== undefined);
    if (formats.length < tracks.length) return;
    const muxed = initSegment(formats);
    if (!muxed) return;
    this.#hasInit = true;
    this.#options.onInit({
      muxed: muxed.data,
      tracks: formats.map((format, index) => ({
        kind: format.kind,
        codecs: muxed.codecs[index] ?? '',
        init: initSegment([format])?.data ?? muxed.data,
        ...(format.kind === 'video'
          ? { width: format.width, height: format.height }
          : { sampleRateHz: format.sampleRateHz, channels: format.channels }),
      })),
    });
  }
}
