// Owns: the door of the WebRTC gateway: WHIP, WHEP and plain SDP sockets. May import: core, config and its siblings here.
import type { IncomingMessage } from 'node:http';
import type { Context, Hono } from 'hono';
import { configSchema, type WebRtcConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import type { OnDemandMedia } from '#core/on-demand.ts';
import type { AuthPort, Gateway, IceServerPort, Logger, RateLimiter } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { TranscodePort } from '#core/transcode-port.ts';
import type { ViewPort } from '#core/view-port.ts';
import { WhepEndpoint, WhipEndpoint } from './endpoints.ts';
import { PlainSdp } from './plain-sdp.ts';
import { createHttpApp } from './server.ts';

export interface WebRtcGatewayPorts {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly auth: AuthPort;
  readonly ice: IceServerPort;
  readonly views?: ViewPort | undefined;
  readonly transcodes?: TranscodePort | undefined;
  /** Counts joins by address. */
  readonly limiter: RateLimiter;
  readonly log: Logger;
  /** Client address, proxies taken into account. */
  readonly addressOf: (request: IncomingMessage) => string;
  readonly onDemand?: OnDemandMedia | undefined;
}

export interface WebRtcGatewayOptions {
  readonly corsOrigins?: readonly string[] | undefined;
  /** Longest SDP. */
  readonly maxSdpBytes?: number | undefined;
  /** What is left out has the default of the configuration. */
  readonly settings?: Partial<WebRtcConfig> | undefined;
}

export class WebRtcGateway extends Owned implements Gateway {
  readonly name = 'webrtc';
  /** Serves `/whip/…` and `/whep/…`; needs the bindings of @hono/node-server. */
  readonly app: Hono;
  /** Takes over sockets whose first message has a `type`. */
  readonly plainSdp: PlainSdp;
  readonly #whip: WhipEndpoint;
  readonly #whep: WhepEndpoint;
  readonly #ports: WebRtcGatewayPorts;
  #isDraining = false;

  constructor(ports: WebRtcGatewayPorts, options: WebRtcGatewayOptions) {
    super();
    this.#ports = ports;
    const { rooms, meetings, auth, views, transcodes, onDemand } = ports;
    const { maxSessions, ...timeouts } = { ...configSchema.parse({}).webrtc, ...options.settings };
    const log = (protocol: string) => ports.log.child({ protocol });
    this.#whip = this.own(new WhipEndpoint({ rooms, meetings, auth, timeouts, maxSessions, log: log('whip') }));
    const watched = { rooms, meetings, auth, views, transcodes, timeouts, maxSessions, onDemand, log: log('whep') };
    this.#whep = this.own(new WhepEndpoint(watched));
    this.plainSdp = this.own(
      new PlainSdp({ meetings, auth, ice: ports.ice, limiter: ports.limiter, timeouts, log: log('plain-sdp') }),
    );
    this.app = createHttpApp([this.#whip, this.#whep], {
      ice: ports.ice,
      corsOrigins: options.corsOrigins ?? ['*'],
      maxBodyBytes: options.maxSdpBytes ?? 65_536,
      log: ports.log,
      admit: (context) => this.#admit(context),
    });
  }

  /** Sessions open now, for metrics. */
  get sessionCounts(): { readonly whip: number; readonly whep: number; readonly plainSdp: number } {
    return {
      whip: this.#whip.sessionCount,
      whep: this.#whep.sessionCount,
      plainSdp: this.plainSdp.sessionCount,
    };
  }

  /** Refuses new peers; those that are in stay. */
  drain(): void {
    this.#isDraining = true;
    this.plainSdp.drain();
  }

  undrain(): void {
    this.#isDraining = false;
    this.plainSdp.undrain();
  }

  #admit(context: Context): string {
    if (this.#isDraining || this.isClosed) {
      throw new GatewayError('draining', 'This server is being drained and takes no new streams.', {
        retryAfterMs: 5_000,
      });
    }
    const { incoming } = context.env as { incoming: IncomingMessage };
    const address = this.#ports.addressOf(incoming);
    this.#ports.limiter.consume(address);
    return address;
  }

  protected override onClose(_reason: CloseReason): void {
    // Sessions are children and have gone by now.
  }
}

/** @returns not listening by itself: mount `app` on the HTTP server */
export function createWebRtcGateway(ports: WebRtcGatewayPorts, options: WebRtcGatewayOptions = {}): WebRtcGateway {
  return new WebRtcGateway(ports, options);
}
