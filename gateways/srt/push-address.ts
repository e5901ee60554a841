// Owns: the URL that an encoder is told, with its key and whatever else it needs. Pure. May import: core.
import type { PushAddress } from '#core/stream-keys.ts';

export interface SrtPushAddressOptions {
  /** IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  readonly latencyMs: number;
  /** Of the server, for keys without one of their own. */
  readonly passphrase?: string | undefined;
}

/**
 * The latency is ours in milliseconds. Encoders that read microseconds (FFmpeg, OBS) take it for none, which does no
 * harm: the longer wish of the two sides counts.
 */
export function srtPushAddress({ host, port, latencyMs, passphrase }: SrtPushAddressOptions): PushAddress {
  const serverUrl = `srt://${host}:${port}`;
  return {
    serverUrl,
    urlOf: (key, own) => {
      const secret = own ?? passphrase;
      const query = `streamid=${key}&latency=${latencyMs}`;
      return `${serverUrl}?${query}${secret === undefined ? '' : `&passphrase=${encodeURIComponent(secret)}`}`;
    },
  };
}
