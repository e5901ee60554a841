// Owns: a trunk in words. Pure.
import type { SipTrunk } from '#api/contract.ts';

type Status = SipTrunk['status'];

export const stateWords: Readonly<Record<Status['state'], string>> = {
  up: 'Up',
  down: 'Down',
  unknown: 'Not known',
  disabled: 'Turned off',
};

export const registrationWords: Readonly<Record<NonNullable<Status['registration']>['state'], string>> = {
  registering: 'registering',
  registered: 'registered',
  failed: 'registration failed',
};

/** Who may call: `192.0.2.0/24, with a password`. */
export function inboundText({ inbound, outbound }: Pick<SipTrunk, 'inbound' | 'outbound'>): string {
  if (!inbound) return outbound?.registration ? 'by our registration' : 'none';
  const ways = [...shortened(inbound.addresses), ...(inbound.username ? [`as ${inbound.username}`] : [])];
  return ways.length > 0 ? ways.join(', ') : 'by our registration';
}

/** `sip1.carrier.example, sip2.carrier.example (TLS)` */
export function outboundText({ outbound }: Pick<SipTrunk, 'outbound'>): string {
  if (!outbound) return 'none';
  return `${outbound.hosts.join(', ')} (${(outbound.transport ?? 'udp').toUpperCase()})`;
}

/** Of one host: `up, 12 ms`. */
export function hostText({ state, roundTripMs, lastError }: Status['hosts'][number]): string {
  const words = { up: 'up', down: 'down', unknown: 'not asked yet' }[state];
  if (roundTripMs !== null && state === 'up') return `${words}, ${Math.round(roundTripMs)} ms`;
  return lastError && state !== 'up' ? `${words}: ${lastError}` : words;
}

const shownAddresses = 3;

function shortened(addresses: readonly string[] = []): string[] {
  if (addresses.length <= shownAddresses) return [...addresses];
  return [...addresses.slice(0, shownAddresses), `${addresses.length - shownAddresses} more`];
}
