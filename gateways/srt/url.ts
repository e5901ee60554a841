// Owns: srt:// URLs taken apart. Pure. May import: core/errors.
import { GatewayError } from '#core/errors.ts';
import { maxLatencyMs } from './agreement.ts';
import { isPassphrase, type KeyLength } from './key-material.ts';

export interface SrtUrl {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** May hold a credential: it goes into no log. */
  readonly streamId: string;
  readonly passphrase: string | undefined;
  readonly keyLength: KeyLength;
  readonly latencyMs: number | undefined;
}

/**
 * `srt://host:port?streamid=…&passphrase=…&latency=…&pbkeylen=…`, with the parameters as libsrt's tools write them. The
 * stream id may hold a # as it is, since everybody writes `#!::r=…` so. Latency is in milliseconds, as in libsrt; a
 * number past ten seconds is what FFmpeg and OBS write: microseconds.
 * @throws GatewayError `invalid_request`, without the URL in its message
 */
export function parseSrtUrl(text: string): SrtUrl {
  const match = /^srt:\/\/(\[[0-9a-f:.]+\]|[^/?#:@]+):(\d{1,5})\/?(?:\?(.*))?$/i.exec(text);
  const port = Number(match?.[2] ?? 0);
  if (!match || port < 1 || port > 65_535) throw invalid('looks like srt://host:port?streamid=…&passphrase=…');
  const parameters = parseQuery(match[3] ?? '');
  const mode = parameters.get('mode') ?? 'caller';
  if (mode !== 'caller') throw invalid('names a server to call: leave "mode" out or set it to caller');
  if ((parameters.get('transtype') ?? 'live') !== 'live') throw invalid('is for live streams: leave "transtype" out');
  const passphrase = parameters.get('passphrase') || undefined;
  if (passphrase !== undefined && !isPassphrase(passphrase)) throw invalid('has a passphrase of 10 to 79 characters');
  const streamId = parameters.get('streamid') ?? '';
  if (Buffer.byteLength(streamId) > 512) throw invalid('has a stream id of at most 512 bytes');
  return {
    host: (match[1] ?? '').replace(/^\[|\]$/g, ''),
    ...{ port, streamId, passphrase },
    keyLength: keyLengthOf(parameters.get('pbkeylen') ?? '0'),
    latencyMs: latencyOf(parameters.get('latency') ?? parameters.get('rcvlatency')),
  };
}

function parseQuery(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split('&')) {
    const at = part.indexOf('=');
    if (at > 0) parameters.set(part.slice(0, at).toLowerCase(), decode(part.slice(at + 1)));
  }
  return parameters;
}

function keyLengthOf(text: string): KeyLength {
  if (text === '0' || text === '16') return 16;
  if (text === '24') return 24;
  if (text === '32') return 32;
  throw invalid('has a "pbkeylen" of 16, 24 or 32');
}

function latencyOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalid('has a "latency" in milliseconds');
  const number = Number(text);
  const latencyMs = number > maxLatencyMs ? Math.round(number / 1_000) : number;
  if (latencyMs > maxLatencyMs) throw invalid(`has a "latency" of at most ${maxLatencyMs} ms`);
  return latencyMs;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % belongs to the value
  }
}

function invalid(what: string): GatewayError {
  return new GatewayError('invalid_request', `An SRT URL ${what}.`);
}
