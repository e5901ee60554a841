// Owns: pulling whatever an http(s) URL leads to: HLS, MPEG-TS, FLV, MP4, WebM, internet radio. May import: core, wire,
// its neighbours.
import { Readable } from 'node:stream';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { type HttpAnswer, type HttpGetOptions, httpGet, parseHttpUrl, readBody } from '#wire/http-get.ts';
import { type ByteStreamKind, type ForeignDemuxers, openDemuxer, peek } from './byte-stream.ts';
import { readContainer, sourceOf } from './container.ts';
import { Fetcher } from './hls/fetcher.ts';
import { playHls } from './hls/player.ts';
import { headBytes, mediaKindOf } from './media-kind.ts';
import { PulledMedia, type Stage } from './pulled-media.ts';
import { playLooped } from './recording.ts';

export interface HttpPullOptions {
  /** http(s)://user:password@host/path; never logged. */
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly startTimeoutMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
  readonly wantsAudio?: boolean | undefined;
  readonly wantsVideo?: boolean | undefined;
  /** Of HLS: 1080 unless said. */
  readonly maxHeight?: number | undefined;
  readonly maxBitrateBps?: number | undefined;
  /** What has an end begins again there. */
  readonly isLooped?: boolean | undefined;
}

/** Read ahead of what is due. */
const aheadUs = 2_000_000;
/** Of one read of a file behind HTTP. */
const maxReadBytes = 16 * 1024 * 1024;

/** One attempt. @throws GatewayError `invalid_request` for the URL */
export function pullHttp(options: HttpPullOptions, foreign: ForeignDemuxers): MediaSource {
  const url = parseHttpUrl(options.url);
  return new PulledMedia(options, (stage) => play(url, options, foreign, stage));
}

async function play(url: URL, options: HttpPullOptions, foreign: ForeignDemuxers, stage: Stage): Promise<void> {
  const { policy, lookup } = options;
  const { signal, startTimeoutMs: timeoutMs } = stage;
  const get: HttpGetOptions = { policy, lookup, signal, timeoutMs, credentials: url };
  const answer = await httpGet(url, get);
  const { head, whole } = await peek(answer.body as AsyncIterable<Buffer>, headBytes);
  const kind = mediaKindOf(head, answer.contentType);
  if (kind === undefined) {
    answer.body.destroy();
    const what = answer.contentType || 'something of no type';
    throw new GatewayError(
      'unsupported_media_type',
      `The URL leads to ${what.slice(0, 100)}, which is neither HLS, MPEG-TS, FLV, MP4, WebM nor audio.`,
    );
  }
  if (kind === 'hls') {
    const fetcher = new Fetcher({ ...get, credentials: url });
    const first = await fetcher.playlistOf({ ...answer, body: Readable.from(whole) });
    const { maxHeight, maxBitrateBps, wantsAudio = true, wantsVideo = true } = options;
    return playHls(url, first, fetcher, { maxHeight, maxBitrateBps, wantsAudio, wantsVideo }, stage);
  }
  if (kind === 'container') {
    answer.body.destroy();
    return playFile(answer, get, options.isLooped ?? false, stage);
  }
  if (answer.length === undefined) return playLive(whole, kind, foreign, stage);
  let isFirst = true;
  return playLooped(stage, options.isLooped ?? false, async (sink) => {
    const body = isFirst ? whole : ((await httpGet(url, get)).body as AsyncIterable<Buffer>);
    isFirst = false;
    const demuxer = openDemuxer(kind, sink, foreign);
    for await (const data of body) {
      demuxer.push(data);
      await stage.paced.room(aheadUs);
      if (signal.aborted) return;
    }
    demuxer.flush();
  });
}

/** A body without a length has no end: what comes is played when it comes. */
async function playLive(
  body: AsyncIterable<Buffer>,
  kind: ByteStreamKind,
  foreign: ForeignDemuxers,
  stage: Stage,
): Promise<void> {
  const demuxer = openDemuxer(kind, stage.live, foreign);
  let gate: PromiseWithResolvers<void> | undefined;
  stage.onPause((isPaused) => {
    if (isPaused) gate ??= Promise.withResolvers();
    else gate?.resolve();
    if (!isPaused) gate = undefined;
  });
  for await (const data of body) {
    demuxer.push(data);
    await gate?.promise;
    if (stage.signal.aborted) return;
  }
  throw new GatewayError('upstream_failed', 'The HTTP server ended the stream.');
}

/** MP4, WebM and the like: read where its index says, by ranges. */
async function playFile(answer: HttpAnswer, get: HttpGetOptions, isLooped: boolean, stage: Stage): Promise<void> {
  const { url, length, headers } = answer;
  if (length === undefined || headers['accept-ranges'] !== 'bytes') {
    throw new GatewayError(
      'unsupported_media_type',
      'The server gives no ranges of the file (Accept-Ranges), which has to be read by its index.',
    );
  }
  const read = async (start: number, end: number) => {
    if (end - start > maxReadBytes) throw new GatewayError('too_large', 'The file has an index of more than 16 MB.');
    const part = await httpGet(url, { ...get, range: { first: start, last: end - 1 } });
    if (part.status !== 206) throw new GatewayError('upstream_failed', 'The server gave no range of the file.');
    return readBody(part, end - start, stage.stallTimeoutMs + get.timeoutMs);
  };
  await playLooped(stage, isLooped, async (sink) => {
    const source = await sourceOf({ size: length, read, isRemote: true });
    await readContainer(source, undefined, sink, () => stage.paced.room(aheadUs), stage.signal);
  });
}
