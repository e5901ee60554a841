// Owns: how HLS and DASH leave by files: to an HTTP origin, or into a folder that others serve; for the part of core that
// keeps streams that go out. May import: core.
import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '#core/errors.ts';
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Pusher } from '#core/streaming-out.ts';

export function segmentPusher(rules: NetPolicyRules): Pusher {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['http', 'https'],
    check: (url) => {
      playlistOf(url);
      assertMayPull(policy, url);
    },
    push: ({ url, segments }) => ({ protocol: 'segments', options: { url, policy: rules, ...segments } }),
  };
}

/** @param folders where it may write; none: nowhere */
export function folderPusher(folders: readonly string[]): Pusher {
  const roots = folders.map((folder) => resolve(folder));
  return {
    schemes: ['file'],
    check: (url) => {
      const path = pathOf(playlistOf(url));
      if (roots.some((root) => path.startsWith(`${root}${sep}`))) return;
      const where = roots.length > 0 ? 'That folder is in none of those' : 'There are no folders';
      throw new GatewayError('forbidden', `${where} that egress.folders names.`);
    },
    push: ({ url, segments }) => ({
      protocol: 'segments_folder',
      options: { path: pathOf(playlistOf(url)), folders: roots, ...segments },
    }),
  };
}

/** @throws GatewayError `invalid_request` */
function playlistOf(text: string): URL {
  const url = URL.parse(text);
  if (url && /\/[\w.~-]+\.(m3u8|mpd)$/.test(url.pathname)) return url;
  throw new GatewayError('invalid_request', 'It ends with the name of a playlist: …/index.m3u8 or …/manifest.mpd.');
}

function pathOf(url: URL): string {
  try {
    if (url.host === '') return resolve(fileURLToPath(url));
  } catch {
    // Escapes that are none, and escaped slashes; said below.
  }
  throw new GatewayError('invalid_request', 'A folder looks like file:///var/www/live/index.m3u8.');
}
