// Owns: where a room is watched without WebRTC, as addresses that can be handed to a player as they are. May import: core.
import { type JoinGrant, limited, permissionsOf } from '#core/grants.ts';
import type { PlayLogin } from '#core/play-login.ts';
import type { RoomRecord } from '#core/room.ts';

export interface PlayAddressesOptions {
  readonly record: RoomRecord;
  readonly grant: Omit<JoinGrant, 'mayCreateRoom'>;
  readonly token: string;
  readonly login: PlayLogin;
  /** Scheme and host of HTTP. */
  readonly base: string;
  /** Of what listens. */
  readonly ports: { readonly rtsp: number | undefined; readonly rtsps: number | undefined };
  readonly hasHls: boolean;
}

export interface PlayAddresses {
  readonly hls: string | null;
  readonly dash: string | null;
  readonly rtsp: string | null;
  readonly rtsps: string | null;
}

/** They hold the credential. @returns null for who may not watch, or once only */
export function playAddresses(options: PlayAddressesOptions): PlayAddresses | null {
  const { record, grant, token, login, base, ports, hasHls } = options;
  const { subscribe } = limited(permissionsOf(record.roles, grant.role), grant.limits);
  if (grant.isOneTime || !subscribe.audio || !subscribe.video) return null;
  const { hostname } = new URL(base);
  const web = (path: string) => (hasHls ? `${new URL(path, base).href}?token=${token}` : null);
  const rtsp = (scheme: string, port: number | undefined) =>
    port === undefined ? null : `${scheme}://${login.username}:${login.password}@${hostname}:${port}/${record.name}`;
  return {
    hls: web(`/hls/${record.name}/index.m3u8`),
    dash: web(`/dash/${record.name}/manifest.mpd`),
    rtsp: rtsp('rtsp', ports.rtsp),
    rtsps: rtsp('rtsps', ports.rtsps),
  };
}
