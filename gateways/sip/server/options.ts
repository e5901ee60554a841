import { privateNetworks } from '#core/private-networks.ts';
import { defaultLocatorOptions, type LocatorOptions } from './locate/locator.ts';
import type { HepOptions } from './trace/hep.ts';
import type { LadderOptions } from './trace/ladder.ts';
import { defaultTimers, type TimerSettings } from './transaction/timers.ts';
import { defaultTransportLimits, type TransportLimits } from './transport/limiter.ts';
import type { TlsOptions } from './transport/stream-listener.ts';

/**
 * Of an INVITE that begins a call, or another request outside of any, before anything is made of it.
 * @returns why it is refused with 503, without state and without a word to the application; undefined: it is not
 */
export type RequestScreen = (request: {
  readonly method: string;
  readonly source: { readonly address: string; readonly port: number; readonly protocol: string };
  readonly uri: string;
  header(name: string): string | undefined;
}) => { readonly reason: string; readonly retryAfterMs: number } | undefined;

/**
 * The header that answers a 401 or 407 to a request of the server's own in a call.
 * @returns undefined where it cannot be answered
 */
export type ChallengeAnswer = (
  challenged: { readonly status: number; header(name: string): string | undefined },
  request: { readonly method: string; readonly uri: string; readonly body: string },
  /** Whether it had that header already. */
  hasShown?: (name: string) => boolean,
) => { readonly name: string; readonly value: string } | undefined;

/** Everything that can be said to the embedded server. Ports of 0 are chosen by the system. */
export interface SipServerOptions {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly tlsPort: number;
  readonly hasUdp: boolean;
  readonly hasTcp: boolean;
  readonly tls?: TlsOptions | undefined;
  readonly externalAddress?: string | undefined;
  readonly localNetworks: readonly string[];
  readonly limits: TransportLimits;
  readonly timers: TimerSettings;
  readonly maxServerTransactions: number;
  readonly screen?: RequestScreen | undefined;
  /** Asked with each request of the server's own in a call, while the application still knows that call. */
  readonly authorityOf?:
    | ((call: { readonly callId: string; readonly localTag: string }) => ChallengeAnswer | undefined)
    | undefined;
  /** The peer has answered a session refresh of the server's own, perhaps otherwise than before. */
  readonly onRefreshed?:
    | ((call: { readonly callId: string; readonly localTag: string }, sdp: string) => void)
    | undefined;
  readonly forcesRport: boolean;
  readonly locator: LocatorOptions;
  readonly appTimeoutMs: number;
  readonly failoverMs: number;
  readonly maxUdpBytes: number;
  readonly defaultRefresher: 'none' | 'uac' | 'uas';
  readonly minSessionSec: number;
  readonly product: string;
  readonly ladder: LadderOptions;
  readonly hep?: HepOptions | undefined;
  /** Of the control protocol; made up at random where absent. */
  readonly control: { readonly host: string; readonly port: number; readonly secret?: string | undefined };
}

export const defaultSipServerOptions: SipServerOptions = {
  hosts: ['0.0.0.0'],
  port: 5060,
  tlsPort: 5061,
  hasUdp: true,
  hasTcp: true,
  localNetworks: privateNetworks,
  limits: defaultTransportLimits,
  timers: defaultTimers,
  maxServerTransactions: 200_000,
  forcesRport: true,
  locator: defaultLocatorOptions,
  appTimeoutMs: 64_000,
  failoverMs: 4000,
  maxUdpBytes: 1300,
  defaultRefresher: 'uac',
  minSessionSec: 90,
  product: 'Switchyard',
  ladder: { calls: 500, messagesPerCall: 64 },
  control: { host: '127.0.0.1', port: 0 },
};
