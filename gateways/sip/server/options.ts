import { defaultLocatorOptions, type LocatorOptions } from './locate/locator.ts';
import type { HepOptions } from './trace/hep.ts';
import type { LadderOptions } from './trace/ladder.ts';
import { defaultTimers, type TimerSettings } from './transaction/timers.ts';
import { privateNetworks } from './transport/addresses.ts';
import { defaultTransportLimits, type TransportLimits } from './transport/limiter.ts';
import type { TlsOptions } from './transport/stream-listener.ts';

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
  readonly forcesRport: boolean;
  readonly locator: LocatorOptions;
  readonly appTimeoutMs: number;
  readonly failoverMs: number;
  readonly maxUdpBytes: number;
  readonly defaultRefresher: 'none' | 'uac' | 'uas';
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
  product: 'Switchyard',
  ladder: { calls: 500, messagesPerCall: 64 },
  control: { host: '127.0.0.1', port: 0 },
};
