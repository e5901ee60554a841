// Owns: the door of live viewing without WebRTC: HLS, DASH, fMP4 over HTTP and WebSocket. May import: core, config and its
// siblings here.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Context, Hono } from 'hono';
import type { HlsConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveFeedPort, LiveTarget } from '#core/live-feed.ts';
import type { Gateway, Logger, RateLimiter } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { ViewerDoor } from '#core/viewer-door.ts';
import { Admission } from './admission.ts';
import type { Broadcast } from './broadcast.ts';
import { Broadcasts } from './broadcasts.ts';
import { FragmentSockets } from './fragment-socket.ts';
import { fragmentStream } from './fragment-stream.ts';
import type { FragmentViewer } from './fragment-viewer.ts';
import { createLiveApp, nameFrom, targetFrom } from './server.ts';

export interface HlsGatewayPorts {
  readonly rooms: Rooms;
  readonly door: ViewerDoor;
  readonly feeds: LiveFeedPort;
  /** Counts those who begin to watch by fMP4, by address. */
  readonly limiter: RateLimiter;
  readonly log: Logger;
  /** Client address, proxies taken into account. */
  readonly addressOf: (request: IncomingMessage) => string;
}

export class HlsGateway extends Owned implements Gateway {
  readonly name = 'hls';
  /** Serves `/hls/…`, `/dash/…` and `/fmp4/…`; needs the bindings of @hono/node-server. */
  readonly app: Hono;
  readonly #ports: HlsGatewayPorts;
  readonly #config: HlsConfig;
  readonly #admission: Admission;
  readonly #broadcasts: Broadcasts;
  readonly #sockets: FragmentSockets;
  readonly #streams = new Set<FragmentViewer>();
  #isDraining = false;

  constructor(ports: HlsGatewayPorts, config: HlsConfig) {
    super();
    this.#ports = ports;
    this.#config = config;
    const { rooms, door, feeds, log } = ports;
    const { partMs, segmentMs, windowMs, maxBytesPerBroadcast, maxBytesPerViewer } = config;
    this.#admission = new Admission({ rooms, door, maxViewers: config.maxViewers });
    this.#broadcasts = this.own(
      new Broadcasts({
        ...{ rooms, feeds, lingerMs: config.lingerMs, maxBroadcasts: config.maxBroadcasts },
        timeline: {
          ...{ partUs: partMs * 1_000, segmentUs: segmentMs * 1_000, windowUs: windowMs * 1_000 },
          maxBytes: maxBytesPerBroadcast,
        },
      }),
    );
    this.#sockets = this.own(
      new FragmentSockets({ open: (request) => this.#openFor(request), maxBytesPerViewer, log }),
    );
    this.app = createLiveApp({
      admission: this.#admission,
      open: (roomId, target) => this.#open(roomId, target),
      admit: (context) => this.#admit(context),
      stream: (broadcast) => this.#stream(broadcast),
    });
  }

  /** Now, for metrics. */
  get counts() {
    return {
      viewers: { hls: this.#admission.watching, http: this.#streams.size, websocket: this.#sockets.viewers.size },
      broadcasts: this.#broadcasts.size,
      bytes: this.#broadcasts.bytes,
      waitingBytes: [...this.#streams, ...this.#sockets.viewers].reduce((sum, one) => sum + one.waitingBytes, 0),
      segmentsMade: this.#broadcasts.segmentsMade,
    };
  }

  /** Those who watch stay. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** For `/fmp4/…` of the HTTP servers. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#sockets.handleUpgrade(request, socket, head);
  };

  #admit(context: Context): string {
    const { incoming } = context.env as { incoming: IncomingMessage };
    return this.#ports.addressOf(incoming);
  }

  async #openFor(request: IncomingMessage): Promise<Broadcast> {
    const address = this.#ports.addressOf(request);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const [, , room, stream, view, ...rest] = pathname.split('/').map(decodePath);
    if (rest.length > 0 || (view !== undefined && stream !== 'views')) {
      const ways = '/fmp4/{room}, /fmp4/{room}/{stream} or /fmp4/{room}/views/{view}';
      throw new GatewayError('not_found', `The address is ${ways}.`);
    }
    const [, bearer] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    const credential = bearer ?? searchParams.get('token') ?? undefined;
    const roomId = await this.#admission.authorize({ room: nameFrom(room, 'room'), credential, address });
    this.#ports.limiter.consume(address);
    return this.#open(roomId, targetFrom(stream, view));
  }

  /** @throws GatewayError `draining`, `overloaded`, `media_lost` when there is nothing to show within the bound */
  async #open(roomId: string, target: LiveTarget): Promise<Broadcast> {
    if (this.isClosed || this.#isDraining) {
      throw new GatewayError('draining', 'This server is being drained and takes no new viewers.', {
        retryAfterMs: 5_000,
      });
    }
    const broadcast = await this.#broadcasts.of(roomId, target);
    const hasMedia = () =>
      broadcast.timeline.init !== undefined &&
      broadcast.timeline.renditions.every(({ next }) => next.number > 0 || next.part > 0);
    if (await broadcast.until(hasMedia, this.#config.startTimeoutMs, this.signal)) return broadcast;
    throw new GatewayError('media_lost', `There is nothing to see yet. ${broadcast.state}`, { retryAfterMs: 1_000 });
  }

  #stream(broadcast: Broadcast): ReadableStream<Uint8Array> {
    const { body, viewer } = fragmentStream(broadcast, this.#config.maxBytesPerViewer);
    this.#streams.add(this.own(viewer));
    void viewer.done.then(() => this.#streams.delete(viewer));
    return body;
  }

  protected override onClose(_reason: CloseReason): void {
    // Viewers and broadcasts were children and have gone.
  }
}

function decodePath(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    throw new GatewayError('not_found', 'There is nothing at this address.');
  }
}

export { folderPusher, segmentPusher } from './pusher.ts';

/** @returns not listening by itself: mount `app` on the HTTP server, `handleUpgrade` below `/fmp4/` */
export function createHlsGateway(ports: HlsGatewayPorts, config: HlsConfig): HlsGateway {
  return new HlsGateway(ports, config);
}
