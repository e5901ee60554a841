// Owns: which way the sound of a call goes, by what both sides say (RFC 3264 §6.1, §8.4). Pure.
import type { LegDirection } from '#core/leg-media.ts';
import type { SdpMedia } from './sdp.ts';

const mirrored: Readonly<Record<LegDirection, LegDirection>> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

/**
 * As we see it. By ICE the address of c= says nothing, and is 0.0.0.0 where candidates trickle or come with another m-line
 * (RFC 8839 §4.2.1.2, RFC 9143 §7.3): a description that has it is without an address here.
 * @param wanted by us
 */
export function agreedDirection(theirs: Pick<SdpMedia, 'direction' | 'address'>, wanted: LegDirection): LegDirection {
  return both(mirrored[peerDirection(theirs)], wanted);
}

/** Held by c=0.0.0.0, as RFC 2543 did. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function peerDirection({ direction, address }: Pick<SdpMedia, 'direction' | 'address'>): LegDirection {
  if (address === undefined || !isUnspecified(address)) return direction;
  return direction === 'sendrecv' || direction === 'sendonly' ? 'sendonly' : 'inactive';
}

/** What both allow, each seen from our side. */
function both(a: LegDirection, b: LegDirection): LegDirection {
  const sends = /^send/.test(a) && /^send/.test(b);
  const receives = /recv/.test(a) && /recv/.test(b);
  return sends ? (receives ? 'sendrecv' : 'sendonly') : receives ? 'recvonly' : 'inactive';
}
