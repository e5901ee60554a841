// Owns: node-av (FFmpeg's libraries in this process). Only this folder imports it, and only through owners that rule out
// what crashes it: see docs/protocols/media.md. May import: node-av, #core types.

import { AV_LOG_QUIET, AVERROR_EAGAIN, AVERROR_EOF, type FFDecoderCodec, type FFEncoderCodec } from 'node-av/constants';
import * as av from 'node-av/lib';

// Broken input is reported by return codes; FFmpeg's words about it would fill the log of whoever is attacked.
av.Log.setLevel(AV_LOG_QUIET);

export { av };

/** What FFmpeg refused, with its code. A programming error or an unsupported stream, never a broken packet. */
export class AvError extends Error {
  override readonly name = 'AvError';
  readonly operation: string;
  readonly avCode: number;

  constructor(operation: string, avCode = 0, detail = '') {
    const text = avCode < 0 ? av.FFmpegError.strerror(avCode) : 'failed';
    super(`${operation}: ${detail || text}`);
    this.operation = operation;
    this.avCode = avCode;
  }
}

export function assertOk(code: number, operation: string): void {
  if (code < 0) throw new AvError(operation, code);
}

/** Nothing (more) to fetch: the regular end of a receive loop. */
export function isDrained(code: number): boolean {
  return code === AVERROR_EAGAIN || code === AVERROR_EOF;
}

/** @throws AvError when this build has none */
export function findDecoder(...names: readonly string[]): av.Codec {
  for (const name of names) {
    const codec = av.Codec.findDecoderByName(name as FFDecoderCodec);
    if (codec) return codec;
  }
  throw new AvError('decoder', 0, `there is no decoder ${names.join(' or ')}`);
}

export function findEncoder(name: string): av.Codec | undefined {
  return av.Codec.findEncoderByName(name as FFEncoderCodec) ?? undefined;
}

/**
 * Opens a codec with options. Options go in one by one before the open: a Dictionary given to `open2Sync` is freed
 * twice and kills the process at a later garbage collection.
 * @throws AvError also for an option that it has not, or a value out of range: what it did instead could be anything
 */
export function openCodec(context: av.CodecContext, codec: av.Codec, options: CodecOptions): void {
  setOptions(context, codec, options);
  assertOk(context.open2Sync(codec, null), `opening ${codec.name}`);
}

/** As `openCodec`, on a thread beside this one: until it is done the context is not to be touched, nor freed. @throws AvError */
export async function openCodecBeside(context: av.CodecContext, codec: av.Codec, options: CodecOptions): Promise<void> {
  setOptions(context, codec, options);
  assertOk(await context.open2(codec, null), `opening ${codec.name}`);
}

type CodecOptions = Readonly<Record<string, string>>;

function setOptions(context: av.CodecContext, codec: av.Codec, options: CodecOptions): void {
  for (const [name, value] of Object.entries(options)) {
    assertOk(context.setOption(name, value), `option ${name}=${value} of ${codec.name}`);
  }
}

/** Something that owns native memory: closed once, refuses use afterwards and use from within its own callbacks. */
export abstract class NativeOwner implements Disposable {
  #isDisposed = false;
  #isBusy = false;

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /**
   * Runs one operation. A codec is not re-entrant: feeding it from the callback that receives its output corrupts it,
   * and freeing it there pulls the frame from under the caller.
   */
  protected exclusively<T>(work: () => T): T {
    if (this.#isDisposed) throw new AvError(this.constructor.name, 0, 'used after it was closed');
    if (this.#isBusy) throw new AvError(this.constructor.name, 0, 'used from within its own callback');
    this.#isBusy = true;
    try {
      return work();
    } finally {
      this.#isBusy = false;
    }
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    if (this.#isBusy) throw new AvError(this.constructor.name, 0, 'closed from within its own callback');
    this.#isDisposed = true;
    this.free();
  }

  protected abstract free(): void;
}
