// Owns: who calls, as the headers of an INVITE say it. Pure.
import { dialledOf } from '#core/dispatch.ts';

export interface Caller {
  readonly uri: string;
  /** Shown in the room. */
  readonly displayName: string;
  /** Number or name before the @. */
  readonly user: string;
}

/** As RFC 3323 §4.1.1.3 writes it. */
export const anonymous: Caller = {
  uri: 'sip:anonymous@anonymous.invalid',
  displayName: 'Anonymous',
  user: 'anonymous',
};

const maxNameLength = 128;
const maxAddressLength = 1_024;

/**
 * P-Asserted-Identity before Remote-Party-ID before From, unless the caller asks for privacy (RFC 3323 §4.2, RFC 3325
 * §9.3): whoever set the first two has checked them, or should have.
 */
export function callerOf(header: (name: string) => string | undefined): Caller {
  const asserted = header('p-asserted-identity') ?? header('remote-party-id');
  if (hidesCaller(header('privacy')) || hidesParty(header('remote-party-id'))) return anonymous;
  const text = asserted ?? header('from') ?? '';
  const { name, uri } = nameAddress(text);
  const user = dialledOf(uri);
  const shown = printable(name) || printable(user) || 'Phone';
  return { uri: uri.slice(0, 512), displayName: shown.slice(0, maxNameLength), user: user.slice(0, maxNameLength) };
}

/** @param privacy the header of that name (RFC 3323 §4.2, RFC 3325 §9.3) */
export function hidesCaller(privacy: string | undefined): boolean {
  return /(^|[;,\s])(id|user|header)([;,\s]|$)/i.test(privacy ?? '');
}

/** What came before RFC 3325 says so within the header, and many a PBX still does (draft-ietf-sip-privacy-04 §5.1). */
function hidesParty(remotePartyId: string | undefined): boolean {
  return /;\s*privacy\s*=\s*"?(full|name|uri)\b/i.test((remotePartyId ?? '').slice(0, maxAddressLength));
}

function nameAddress(text: string): { name: string; uri: string } {
  // The patterns here look at each character many times at worst; nobody's name is that long.
  const bounded = text.slice(0, maxAddressLength).trim();
  const [, quoted, token, uri] = /^(?:"((?:[^"\\]|\\.)*)"|([^<"]*))\s*<([^>]*)>/.exec(bounded) ?? [];
  if (uri === undefined) return { name: '', uri: (bounded.split(/[;,]/)[0] ?? '').trim() };
  return { name: quoted?.replaceAll(/\\(.)/g, '$1') ?? token ?? '', uri };
}

/** For lists and pages: what is no character of a name is left out. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '').trim();
}
