// Owns: the format in which a WHEP player wants its picture, as it is asked for in the query or by PATCH, and a source
// that gives it. May import: zod, core and siblings.
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { MediaKind, RtpCapabilities } from '#core/rtp.ts';
import { formatCodecs, type StreamFormat } from '#core/stream-format.ts';
import type { FormatControl, Publication } from '#core/track.ts';
import type { TranscodedStream, TranscodePort } from '#core/transcode-port.ts';
import type { Played, PlaySource } from './play-source.ts';

const shape = {
  codec: z.enum(formatCodecs).optional(),
  resolution: z.string().max(16).optional(),
  framerate: z.coerce.number().optional(),
  bitrate: z.union([z.string().regex(/^x[\d.]{1,6}$/), z.coerce.number()]).optional(),
  keyFrameInterval: z.coerce.number().optional(),
};
const format = z.strictObject(shape);
const change = z.strictObject({
  codec: shape.codec.nullable(),
  resolution: shape.resolution.nullable(),
  framerate: shape.framerate.nullable(),
  bitrate: shape.bitrate.nullable(),
  keyFrameInterval: shape.keyFrameInterval.nullable(),
});

/** As a JSON merge patch: what is absent stays, null takes it back to the source; null for all of it. */
export type FormatChange = z.output<typeof change> | null;

/** @returns undefined where nothing is asked for @throws GatewayError `invalid_request` with the field */
export function formatOfQuery(query: Readonly<Record<string, string>>): StreamFormat | undefined {
  const asked = Object.entries(query).filter(([name]) => name in shape);
  return asked.length === 0 ? undefined : parsed(format, Object.fromEntries(asked));
}

/** @throws GatewayError `invalid_request` */
export function formatChangeOf(text: string): FormatChange {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('invalid_request', 'The body is no JSON.', { cause });
  }
  return parsed(change.nullable(), body);
}

/** @returns null: as the source is */
export function changedFormat(past: StreamFormat | undefined, wanted: FormatChange): StreamFormat | null {
  if (wanted === null) return null;
  const given = Object.entries({ ...past, ...wanted }).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(given);
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const text = fields.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  throw new GatewayError('invalid_request', `The format is wrong: ${text.slice(0, 500)}.`, { fields });
}

/** What another source plays, its picture in the format that was asked for. */
export class FormattedPlay implements PlaySource, FormatControl {
  readonly #inner: PlaySource;
  readonly #transcodes: TranscodePort;
  readonly #log: Logger;
  #format: StreamFormat;
  #capabilities: RtpCapabilities = {};
  #made: { readonly source: Publication; readonly stream: TranscodedStream } | undefined;
  /** Of which something is being made. */
  #making: Publication | undefined;
  #isClosed = false;

  constructor(inner: PlaySource, format: StreamFormat, transcodes: TranscodePort, log: Logger) {
    this.#inner = inner;
    this.#format = format;
    this.#transcodes = transcodes;
    this.#log = log;
  }

  assertPlayable(): void {
    this.#inner.assertPlayable();
  }

  becomesPlayable(isOver: Promise<unknown>): Promise<void> {
    return this.#inner.becomesPlayable(isOver);
  }

  async prepare(kinds: ReadonlySet<MediaKind>, capabilities: RtpCapabilities): Promise<void> {
    this.#capabilities = capabilities;
    await this.#inner.prepare(kinds, capabilities);
    const { video } = this.#inner.choose(new WeakSet());
    if (video && kinds.has('video')) await this.#make(video);
  }

  choose(without: WeakSet<Publication>): Played {
    const { video, ...rest } = this.#inner.choose(without);
    if (!video) return rest;
    // Its publisher went and came back: what is made of the new stream shows up in the room, and is chosen then.
    if (this.#made?.source !== video || this.#made.stream.publication.isClosed) {
      this.#make(video).catch((err: unknown) => this.#log.warn({ err }, 'stream not made for a player'));
      return rest;
    }
    return { ...rest, video: this.#made.stream.publication };
  }

  get formats(): FormatControl {
    return this;
  }

  get source(): Publication | undefined {
    return this.#made?.source;
  }

  get format(): StreamFormat {
    return this.#format;
  }

  async set(format: StreamFormat | null): Promise<void> {
    if (!this.#made) throw new GatewayError('conflict', 'There is no picture now.', { retryAfterMs: 1_000 });
    await this.#made.stream.change(format ?? {});
    this.#format = format ?? {};
  }

  close(): void {
    this.#isClosed = true;
    this.#inner.close();
    this.#made?.stream.close();
    this.#made = undefined;
  }

  /** @throws GatewayError as `TranscodePort.open()`, `no_common_codec` */
  async #make(source: Publication): Promise<void> {
    if (this.#making === source || this.#isClosed) return;
    this.#making = source;
    try {
      const stream = await this.#transcodes.open(source, { ...this.#format, codec: this.#codecFor(source) });
      this.#made?.stream.close();
      this.#made = { source, stream };
      // The player left while it was made.
      if (this.#isClosed) this.close();
    } finally {
      this.#making = undefined;
    }
  }

  /** The source's own where the player has it. */
  #codecFor({ mimeType }: Publication): StreamFormat['codec'] {
    const { codecs = [] } = this.#capabilities;
    const takes = (name: string) => codecs.some((codec) => codec.mimeType.toLowerCase() === `video/${name}`);
    const { codec } = this.#format;
    if (codec !== undefined) {
      if (takes(codec)) return codec;
      throw new GatewayError('no_common_codec', `The player has not offered ${codec}.`);
    }
    const own = mimeType.replace(/^.*\//, '').toLowerCase();
    return [own, ...formatCodecs].find(
      (name): name is NonNullable<StreamFormat['codec']> => formatCodecs.some((one) => one === name) && takes(name),
    );
  }
}
