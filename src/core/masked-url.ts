// Owns: URLs without what is secret in them, for lists and logs. Pure.

/**
 * User, password and the values of the query become `***`. What is no URL is not shown at all; of a path with an @ in it
 * only what follows is, since a password that was not escaped looks the same.
 */
export function maskedUrl(url: string): string {
  const [, scheme, rest = '', query = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^?#]*)(\?[^#]*)?/i.exec(url) ?? [];
  if (scheme === undefined) return '***';
  const at = rest.lastIndexOf('@');
  const shown = at < 0 ? rest : `***:***@${rest.slice(at + 1)}`;
  // A word without a value may be the secret itself.
  return `${scheme}://${shown}${query.replace(/=[^&]*/g, '=***').replace(/([?&])[^=&]+(?=&|$)/g, '$1***')}`;
}

/** The same; of RTMP, and of RTSP to a gateway as this one, the last step of the path is the stream key. */
export function maskedPushUrl(url: string): string {
  return maskedUrl(url).replace(/^(rt[ms]ps?:\/\/[^/?]*\/(?:[^?]*\/)?)[^/?]+/i, '$1***');
}
