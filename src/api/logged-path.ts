// Owns: paths as logs may have them. Pure. May import: nothing.

/** WHIP and WHEP sessions are ended by whoever knows their URL (RFC 9725 §4.6), so that part of it is a credential. */
export function loggedPath(path: string): string {
  return path.replace(/(\/session\/)[^/]+/, '$1[redacted]').slice(0, 256);
}
