// Owns: what a push sink needs of a protocol: one connection that takes streams and units. The protocols are
// joined in media/push-openers.ts.
import type { ErrorCode } from '#core/errors.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export interface PushEnd {
  readonly code: ErrorCode;
  /** For people; names no credentials. */
  readonly message: string;
}

/** One connection; another attempt is another object. */
export interface PushConnection {
  /** Settles when it is over, with why; never rejects. */
  readonly done: Promise<PushEnd>;
  readonly bytesOut: number;
  /** So many bytes were given to it and have not left. */
  readonly queuedBytes: number;
  /** @throws GatewayError `unsupported_media_type` for what the other side does not take */
  describe(streams: readonly EgressStream[]): void;
  write(unit: EgressUnit): void;
  /** Says goodbye; bounded in time. */
  close(): Promise<void>;
}

export interface PushOpenerOptions {
  /** What the control process gave for this protocol; checked by the opener. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly streams: readonly EgressStream[];
  /** The receiver asks for a picture that can be decoded by itself. */
  readonly onKeyFrameWanted: () => void;
  /** Something that people should know while it streams on. Names no credentials. */
  readonly onNotice: (what: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the other side takes media. @throws GatewayError */
export type PushOpener = (options: PushOpenerOptions) => Promise<PushConnection>;

export function pushEndOf(failure: PushEnd | undefined): PushEnd {
  if (!failure) return { code: 'upstream_failed', message: 'The server ended the stream.' };
  return { code: failure.code, message: failure.message };
}
