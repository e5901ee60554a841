// Owns: rtmp:// and rtmps:// URLs taken apart. Pure. May import: core/errors.
import { GatewayError } from '#core/errors.ts';

export interface RtmpUrl {
  readonly scheme: 'rtmp' | 'rtmps';
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  readonly app: string;
  /** With its query, as services want it back: it is the credential, so it goes into no log. */
  readonly streamName: string;
  /** For the connect command: everything but the stream name and what stands before an @. */
  readonly tcUrl: string;
}

/**
 * `rtmp://host/app/key?token` and `rtmp://host/app/instance/key`: the last step of the path is the stream.
 * @throws GatewayError `invalid_request`, without the URL in its message
 */
export function parseRtmpUrl(text: string): RtmpUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.slice(0, -1);
  if (!url || url.hostname === '' || (scheme !== 'rtmp' && scheme !== 'rtmps')) {
    throw new GatewayError('invalid_request', 'An RTMP URL looks like rtmp://host/app/stream-key or rtmps://…');
  }
  const path = url.pathname.replace(/^\/+/, '');
  const lastSlash = path.lastIndexOf('/');
  const app = decode(path.slice(0, Math.max(0, lastSlash)));
  const streamName = decode(path.slice(lastSlash + 1)) + url.search;
  if (app === '' || streamName === '') {
    throw new GatewayError('invalid_request', 'An RTMP URL has an application and a stream key: rtmp://host/app/key');
  }
  const port = url.port === '' ? (scheme === 'rtmps' ? 443 : 1935) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const authority = url.port === '' ? url.hostname : `${url.hostname}:${port}`;
  return { scheme, host, port, app, streamName, tcUrl: `${scheme}://${authority}/${app}` };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % belongs to the key
  }
}
