// Owns: pushing a stream to an RTMP server: another service, another gateway. May import: core.
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { AudioCodec, SourceSink, SourceStream, SourceUnit, VideoCodec } from '#core/media-source.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { AmfEcmaArray, type AmfObject, objectOf } from './amf0.ts';
import { ClientConnection } from './client-connection.ts';
import { DropPolicy } from './drop-policy.ts';
import { fourCcOf } from './flv.ts';
import { dataMessage, publishCapabilities } from './messages.ts';
import { assertCarried, configMessage, frameMessage, legacyCodecs } from './translate.ts';
import { parseRtmpUrl, type RtmpUrl } from './url.ts';

export interface RtmpPushOptions {
  /** rtmp(s)://host/app/key */
  readonly url: string;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly authorities?: string | undefined;
  readonly startTimeoutMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
  /** Past it, video is left out up to the next key frame. */
  readonly maxQueuedBytes?: number | undefined;
}

const defaultStartTimeoutMs = 10_000;
const defaultStallTimeoutMs = 10_000;
const defaultMaxQueuedBytes = 4 * 1_048_576;
/** nginx-rtmp and others first accept and then close when their authorisation says no. */
const refusedWithinMs = 2_000;

/** Told of streams and units as any sink; closed by its owner or by the other side, with `failure` saying why. */
export class RtmpPush extends Owned implements SourceSink {
  readonly #client: ClientConnection;
  readonly #url: RtmpUrl;
  readonly #policy: DropPolicy;
  readonly #streams = new Map<number, SourceStream>();
  readonly #unsentConfigs = new Set<number>();
  #originUs: number | undefined;
  #lastTimestampMs = 0;
  #isMetadataDue = true;
  #startedAtMs = 0;
  #sentFrames = 0;
  #failure: GatewayError | undefined;

  constructor(client: ClientConnection, url: RtmpUrl, maxQueuedBytes: number) {
    super();
    this.#client = client;
    this.#url = url;
    this.#policy = new DropPolicy(maxQueuedBytes);
    void client.done.then((reason) => this.#lost(reason));
  }

  /** Once closed: why, unless its owner closed it. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  get droppedFrames(): number {
    return this.#policy.droppedFrames;
  }

  get sentFrames(): number {
    return this.#sentFrames;
  }

  get queuedBytes(): number {
    return this.#client.unsentBytes;
  }

  /** Whether the server takes a codec: the legacy ones always, others when it announces their fourcc. */
  canCarry(codec: VideoCodec | AudioCodec): boolean {
    if (legacyCodecs.includes(codec)) return true;
    const fourCc = fourCcOf(codec);
    return (
      fourCc !== undefined &&
      announcedFourCcs(this.#client.serverProperties).some((one) => one === fourCc || one === '*')
    );
  }

  /** @internal by `pushRtmp` */
  async start(): Promise<void> {
    const { streamName } = this.#url;
    const before = ['releaseStream', 'FCPublish'].map((name, i) => ({
      name,
      transactionId: 100 + i, // answers to these are not waited for
      args: [null, streamName],
    }));
    const properties = { type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; Switchyard)', ...publishCapabilities() };
    await this.#client.open(before, properties);
    const publish = { name: 'publish', transactionId: 0, args: [null, streamName, 'live'] };
    await this.#client.start(publish, 'NetStream.Publish.Start');
    this.#startedAtMs = performance.now();
  }

  /** @throws GatewayError `unsupported_media_type` when the server would not understand it */
  describe(stream: SourceStream): void {
    assertCarried(stream);
    if (!this.canCarry(stream.codec)) {
      throw new GatewayError('unsupported_media_type', `The RTMP server does not say that it takes ${stream.codec}.`);
    }
    this.#streams.set(stream.id, stream);
    this.#unsentConfigs.add(stream.id);
    this.#isMetadataDue = true;
  }

  deliver(unit: SourceUnit): void {
    const stream = this.#streams.get(unit.streamId);
    if (this.isClosed || !stream || unit.kind !== 'access_unit') return;
    if (!this.#policy.admit({ kind: stream.kind, isKey: unit.isKey }, this.#client.unsentBytes)) return;
    this.#originUs ??= unit.dtsUs;
    // Sound of before the first picture: it would all have the time 0.
    if (unit.dtsUs < this.#originUs) return;
    this.#lastTimestampMs = Math.max(0, Math.round((unit.dtsUs - this.#originUs) / 1_000));
    if (this.#isMetadataDue) this.#sendMetadata();
    if (this.#unsentConfigs.delete(stream.id)) {
      const config = configMessage(stream, this.#client.streamId, this.#lastTimestampMs);
      if (config) this.#client.send(config);
    }
    this.#client.send(frameMessage(stream, unit, this.#client.streamId, this.#originUs));
    this.#sentFrames += 1;
  }

  #sendMetadata(): void {
    this.#isMetadataDue = false;
    const metadata = new AmfEcmaArray(metadataOf([...this.#streams.values()]));
    const values = ['@setDataFrame', 'onMetaData', metadata];
    this.#client.send(dataMessage(values, this.#client.streamId, this.#lastTimestampMs));
  }

  #lost(reason: CloseReason): void {
    if (this.isClosed) return;
    const isRefused = this.#startedAtMs > 0 && performance.now() - this.#startedAtMs < refusedWithinMs;
    this.#failure =
      this.#client.failure ??
      (isRefused
        ? new GatewayError('upstream_refused', 'The RTMP server accepted the stream and closed: check the stream key.')
        : new GatewayError('upstream_failed', 'The RTMP server closed the connection.'));
    void this.close(reason === 'requested' ? 'peer_left' : reason);
  }

  /** Tells the server that the stream has ended, and gives what is queued a second to leave. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    this.#streams.clear();
    if (reason === 'requested') {
      this.#client.finish([
        { name: 'FCUnpublish', transactionId: 0, args: [null, this.#url.streamName] },
        { name: 'deleteStream', transactionId: 0, args: [null, this.#client.streamId] },
      ]);
    } else {
      void this.#client.close(reason);
    }
    await this.#client.done;
  }
}

/**
 * Connects and resolves when the server has accepted the stream.
 * @throws GatewayError `invalid_request` for the URL, `forbidden` by policy, `upstream_refused` with the server's
 *   words, `upstream_failed`, `timeout`, `closed` when the signal fires
 */
export async function pushRtmp(options: RtmpPushOptions, signal?: AbortSignal): Promise<RtmpPush> {
  const url = parseRtmpUrl(options.url);
  const client = new ClientConnection({
    url,
    policy: options.policy,
    lookup: options.lookup,
    authorities: options.authorities,
    startTimeoutMs: options.startTimeoutMs ?? defaultStartTimeoutMs,
    stallTimeoutMs: options.stallTimeoutMs ?? defaultStallTimeoutMs,
    expectsMedia: false,
  });
  const push = new RtmpPush(client, url, options.maxQueuedBytes ?? defaultMaxQueuedBytes);
  const onAbort = () => client.fail(new GatewayError('closed', 'The push is not wanted any more.'), 'requested');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await push.start();
    return push;
  } catch (error) {
    await push.close('failed');
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function announcedFourCcs(properties: AmfObject): string[] {
  const list = Array.isArray(properties.fourCcList) ? properties.fourCcList : [];
  const maps = [properties.videoFourCcInfoMap, properties.audioFourCcInfoMap].flatMap((map) =>
    Object.keys(objectOf(map) ?? {}),
  );
  return [...list.filter((one) => typeof one === 'string'), ...maps];
}

/** FLV's ids of the legacy codecs; Enhanced RTMP puts the fourcc there, as a number. */
const codecIds: Readonly<Record<string, number>> = { h264: 7, aac: 10, mp3: 2, pcma: 7, pcmu: 8 };

function metadataOf(streams: readonly SourceStream[]): AmfObject {
  const metadata: Record<string, number | string> = { encoder: 'Switchyard' };
  const put = (key: string, value: number | undefined) => {
    if (value !== undefined) metadata[key] = value;
  };
  for (const stream of streams) {
    const fourCc = fourCcOf(stream.codec);
    const codecId = codecIds[stream.codec] ?? (fourCc ? Buffer.from(fourCc, 'latin1').readUInt32BE() : undefined);
    put(stream.kind === 'video' ? 'videocodecid' : 'audiocodecid', codecId);
    put('width', stream.width);
    put('height', stream.height);
    put('framerate', stream.framerateHz);
    put('audiosamplerate', stream.sampleRateHz);
    put('audiochannels', stream.channels);
  }
  return metadata;
}
