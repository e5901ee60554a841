// Owns: an HLS presentation: which variant is played, and its renditions side by side. May import: core, its neighbours.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { parseHttpUrl } from '#wire/http-get.ts';
import type { Stage } from '../pulled-media.ts';
import { SpliceClock } from '../splice-clock.ts';
import type { Fetcher, LoadedPlaylist } from './fetcher.ts';
import type { MasterPlaylist, MediaPlaylist } from './playlist.ts';
import { Rendition } from './rendition.ts';
import { audioUriOf, preferredVariants, type VariantWish } from './variant-choice.ts';

export interface HlsWish extends VariantWish {
  readonly wantsAudio: boolean;
}

/** Variants that are tried when the best ones cannot be had. */
const maxTries = 3;

/**
 * Plays until all is over.
 * @param first what `url` led to, which has been loaded already
 * @throws GatewayError
 */
export async function playHls(
  url: URL,
  first: LoadedPlaylist,
  fetcher: Fetcher,
  wish: HlsWish,
  stage: Stage,
): Promise<void> {
  const { playlist, base } = first;
  const clock = new SpliceClock();
  if (playlist.kind === 'media') {
    const only = newRendition(url, ['video', 'audio'], fetcher, stage, clock, () => undefined);
    await only.play({ playlist, base });
  } else {
    await playVariant(playlist, base, fetcher, wish, stage, clock);
  }
  await stage.paced.drained();
}

async function playVariant(
  master: MasterPlaylist,
  base: URL,
  fetcher: Fetcher,
  wish: HlsWish,
  stage: Stage,
  clock: SpliceClock,
): Promise<void> {
  const found = await findVariant(master, base, fetcher, wish);
  const audioUri = wish.wantsAudio ? audioUriOf(master, found.variant) : undefined;
  if (audioUri === undefined) {
    const only = newRendition(found.url, ['video', 'audio'], fetcher, stage, clock, () => undefined);
    return only.play(found.loaded);
  }
  // Both begin together, or the sound would come in late.
  stage.paced.hold();
  let missing = 2;
  const onFirst = () => {
    missing -= 1;
    if (missing === 0) stage.paced.release();
  };
  const audioUrl = parseHttpUrl(audioUri, base);
  const video = newRendition(found.url, ['video'], fetcher, stage, clock, onFirst);
  const audio = newRendition(audioUrl, ['audio'], fetcher, stage, clock, onFirst);
  await Promise.all([video.play(found.loaded), audio.play()]);
  stage.paced.release();
}

type FoundVariant = {
  readonly variant: MasterPlaylist['variants'][number];
  readonly url: URL;
  readonly loaded: { readonly playlist: MediaPlaylist; readonly base: URL };
};

async function findVariant(
  master: MasterPlaylist,
  base: URL,
  fetcher: Fetcher,
  wish: VariantWish,
): Promise<FoundVariant> {
  let lastError: GatewayError | undefined;
  for (const variant of preferredVariants(master, wish).slice(0, maxTries)) {
    try {
      const url = parseHttpUrl(variant.uri, base);
      const { playlist, base: mediaBase } = await fetcher.playlist(url);
      if (playlist.kind === 'media') return { variant, url, loaded: { playlist, base: mediaBase } };
      lastError = new GatewayError('unsupported_media_type', 'A variant of the HLS playlist has variants itself.');
    } catch (thrown) {
      lastError = toGatewayError(thrown);
      if (lastError.code === 'closed') throw lastError;
    }
  }
  throw lastError ?? new GatewayError('unsupported_media_type', 'The HLS playlist names no variant.');
}

function newRendition(
  url: URL,
  kinds: readonly ('audio' | 'video')[],
  fetcher: Fetcher,
  stage: Stage,
  clock: SpliceClock,
  onFirst: () => void,
): Rendition {
  const { signal, paced: pacer, stallTimeoutMs } = stage;
  const onTargetDuration = (seconds: number) => stage.allowSilence(2 * seconds * 1_000);
  return new Rendition({ url, fetcher, pacer, clock, kinds, signal, stallTimeoutMs, onTargetDuration, onFirst });
}
