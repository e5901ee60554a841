import type { EventEmitter } from 'node:events';
import Mrf from 'drachtio-fsmrf';
import type { SrfApp, SrfDialog } from '../srf-shapes.ts';

// What we use of drachtio-fsmrf 4, as it is.

/** A channel of FreeSWITCH. */
export interface FsmrfEndpoint extends EventEmitter {
  readonly connected: boolean;
  /** With FreeSWITCH's SIP profile. */
  readonly dialog: SrfDialog;
  bridge(other: FsmrfEndpoint): Promise<void>;
}

export interface FsmrfServer extends EventEmitter {
  /** Where FreeSWITCH is. */
  readonly address: string;
  /** Where it waits for the connections that FreeSWITCH makes for each channel. */
  readonly listenPort: number;
  api(command: string): Promise<string>;
  /** @param options.remoteSdp absent: FreeSWITCH makes the offer */
  createEndpoint(options: { remoteSdp?: string | undefined }): Promise<FsmrfEndpoint>;
  disconnect(): void;
}

export interface Fsmrf {
  connect(options: {
    readonly address: string;
    readonly port: number;
    readonly secret: string;
    readonly profile: string;
    readonly listenAddress: string;
    readonly listenPort: number;
    readonly advertisedAddress: string;
    readonly advertisedPort: number;
  }): Promise<FsmrfServer>;
}

export function createFsmrf(srf: SrfApp): Fsmrf {
  return new (Mrf as new (srf: SrfApp) => Fsmrf)(srf);
}
