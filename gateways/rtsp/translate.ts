// Owns: the Transport, Session and URL fields of RTSP. Pure. May import: core/errors.
import { GatewayError } from '#core/errors.ts';
import type { Credentials } from './digest.ts';

export interface RtspUrl {
  readonly scheme: 'rtsp' | 'rtsps';
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** For request lines: without credentials. */
  readonly uri: string;
  readonly credentials: Credentials | undefined;
}

/** @throws GatewayError `invalid_request`, without the URL in its message */
export function parseRtspUrl(text: string): RtspUrl {
  // A password may hold what URLs cannot: everything up to the last @ before the path is the user's.
  const match = /^(rtsps?):\/\/(?:([^/?#]*)@)?(\[[0-9a-f:.%]+\]|[^/?#:@]+)(?::(\d{1,5}))?([/?].*)?$/is.exec(text);
  const [, scheme = '', userInfo, authority = '', portText, path = ''] = match ?? [];
  const port = portText === undefined ? (scheme.toLowerCase() === 'rtsps' ? 322 : 554) : Number(portText);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a request line
  if (!match || port < 1 || port > 65_535 || /[\x00-\x20\x7f]/.test(text)) {
    throw new GatewayError('invalid_request', 'An RTSP URL looks like rtsp://user:password@host:554/path or rtsps://…');
  }
  const lower = scheme.toLowerCase() as RtspUrl['scheme'];
  const uri = `${lower}://${authority}${portText === undefined ? '' : `:${port}`}${path}`;
  return { scheme: lower, host: authority.replace(/^\[|\]$/g, ''), port, uri, credentials: credentialsOf(userInfo) };
}

function credentialsOf(userInfo: string | undefined): Credentials | undefined {
  if (userInfo === undefined || userInfo === '') return undefined;
  const colon = userInfo.indexOf(':');
  const [username, password] = colon < 0 ? [userInfo, ''] : [userInfo.slice(0, colon), userInfo.slice(colon + 1)];
  return { username: decode(username), password: decode(password) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % belongs to the password
  }
}

/** `rtsp://host:8554/a/b/trackID=1?x=y` → `a/b` and its query; the track is the last step, where there is one. */
export function placeOf(uri: string): { path: string; query: URLSearchParams; track: number | undefined } {
  const [whole = '', search = ''] = uri.replace(/^rtsps?:\/\/[^/?]*/i, '').split('?');
  // ffmpeg puts what follows a question mark before the track: /a?x=y/trackID=1
  const track = /\/(?:trackID|streamid)=(\d{1,3})\/?$/i.exec(`${whole}${search === '' ? '' : `?${search}`}`)?.[1];
  const withoutTrack = (text: string) => text.replace(/\/(?:trackID|streamid)=\d{1,3}\/?$/i, '');
  const path = decode(withoutTrack(whole).replace(/^\/+|\/+$/g, ''));
  return {
    path,
    query: new URLSearchParams(withoutTrack(search)),
    track: track === undefined ? undefined : Number(track),
  };
}

/** One alternative of a Transport field (RFC 2326 §12.39). */
export interface TransportSpec {
  readonly isTcp: boolean;
  readonly isMulticast: boolean;
  readonly isRecord: boolean;
  readonly interleaved: readonly [number, number] | undefined;
  readonly clientPorts: readonly [number, number] | undefined;
  readonly serverPorts: readonly [number, number] | undefined;
  readonly ssrc: number | undefined;
}

/** Alternatives in the order of preference; those that are not RTP are left out. */
export function parseTransport(value: string): TransportSpec[] {
  return value
    .split(',')
    .slice(0, 8)
    .flatMap((alternative): TransportSpec[] => {
      const [profile = '', ...parameters] = alternative.trim().split(';');
      const match = /^RTP\/S?AVPF?(\/(TCP|UDP))?$/i.exec(profile.trim());
      if (!match) return [];
      const fields = new Map(
        parameters.map((parameter) => {
          const at = parameter.indexOf('=');
          const name = at < 0 ? parameter : parameter.slice(0, at);
          return [
            name.trim().toLowerCase(),
            at < 0
              ? ''
              : parameter
                  .slice(at + 1)
                  .trim()
                  .replace(/^"|"$/g, ''),
          ];
        }),
      );
      const ssrc = /^[0-9a-f]{1,8}$/i.exec(fields.get('ssrc') ?? '');
      return [
        {
          isTcp: match[2]?.toUpperCase() === 'TCP',
          isMulticast: fields.has('multicast'),
          isRecord: fields.get('mode')?.toLowerCase() === 'record' || fields.get('mode')?.toLowerCase() === 'receive',
          interleaved: pairOf(fields.get('interleaved'), 255),
          clientPorts: pairOf(fields.get('client_port'), 65_535),
          serverPorts: pairOf(fields.get('server_port'), 65_535),
          ssrc: ssrc ? Number.parseInt(ssrc[0], 16) : undefined,
        },
      ];
    });
}

/** `4588-4589`; one number alone stands for it and the next. */
function pairOf(text: string | undefined, max: number): readonly [number, number] | undefined {
  const [, first, second] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text ?? '') ?? [];
  if (first === undefined) return undefined;
  const pair = [Number(first), second === undefined ? Number(first) + 1 : Number(second)] as const;
  return pair[0] <= max && pair[1] <= max ? pair : undefined;
}

/** `12345678;timeout=60` (RFC 2326 §12.37). */
export function parseSession(value: string): { readonly id: string; readonly timeoutMs: number } {
  const [id = '', ...parameters] = value.split(';');
  const timeout = parameters.map((one) => /^\s*timeout\s*=\s*(\d{1,5})/i.exec(one)?.[1]).find((found) => found);
  return { id: id.trim(), timeoutMs: Math.max(1, Number(timeout ?? 60)) * 1_000 };
}

/** At least an RTP header of version 2, whose lists and extension fit (RFC 3550 §5.1, §5.3.1). */
export function isRtp(packet: Uint8Array): boolean {
  const first = packet[0];
  if (first === undefined || packet.length < 12 || first >> 6 !== 2) return false;
  const listed = 12 + 4 * (first & 0x0f);
  if ((first & 0x10) === 0) return packet.length >= listed;
  if (packet.length < listed + 4) return false;
  return packet.length >= listed + 4 + 4 * (((packet[listed + 2] as number) << 8) | (packet[listed + 3] as number));
}

/** At least one RTCP packet of version 2 and a type that is one (RFC 3550 §6.1). */
export function isRtcp(packet: Uint8Array): boolean {
  const [first, type] = packet;
  return packet.length >= 8 && (first as number) >> 6 === 2 && (type as number) >= 192 && (type as number) <= 223;
}
