// Owns: headers that WHIP and WHEP answers carry: CORS and ICE servers. Pure. May import: core.
import type { IceServer } from '#core/rtp.ts';

const exposed = 'Location, ETag, Link, Accept-Patch, Accept-Post, Allow, Retry-After, WWW-Authenticate';

/**
 * Every answer has them, refusals too: a page cannot read the reason otherwise (Fetch §3.2).
 * @param origins `*` or those that may
 */
export function corsHeaders(request: Request, origins: readonly string[], allow: string): Headers {
  const headers = new Headers({
    'access-control-allow-methods': allow,
    'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
    'access-control-expose-headers': exposed,
    'access-control-max-age': '86400',
  });
  const origin = request.headers.get('origin');
  if (origins.includes('*')) {
    headers.set('access-control-allow-origin', '*');
  } else {
    headers.set('vary', 'Origin');
    if (origin !== null && origins.includes(origin)) headers.set('access-control-allow-origin', origin);
  }
  return headers;
}

/** One link per URL (RFC 9725 §4.5). */
export function iceServerLinks(servers: readonly IceServer[]): string[] {
  return servers.flatMap(({ urls, username, credential }) =>
    urls.map((url) => {
      const link = [`<${encodeURI(url)}>`, 'rel="ice-server"'];
      if (username !== undefined) link.push(`username=${quoted(username)}`);
      if (credential !== undefined) link.push(`credential=${quoted(credential)}`, 'credential-type="password"');
      return link.join('; ');
    }),
  );
}

/** A quoted-string (RFC 9110 §5.6.4); what it cannot hold is left out. */
function quoted(text: string): string {
  const printable = [...text].filter((character) => character >= ' ' && character <= '~').join('');
  return `"${printable.replace(/(["\\])/g, '\\$1')}"`;
}
