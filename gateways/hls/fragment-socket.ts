// Owns: fragments over WebSocket, at /fmp4/{room} and /fmp4/{room}/{stream}. May import: core, ws and its siblings here.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LiveInit } from '#core/live-media.ts';
import type { Logger } from '#core/ports.ts';
import type { Broadcast } from './broadcast.ts';
import { type FragmentOutlet, FragmentViewer } from './fragment-viewer.ts';
import { mimeTypeOf } from './media-type.ts';

export interface FragmentSocketsOptions {
  /** @throws GatewayError whatever keeps the viewer out */
  readonly open: (request: IncomingMessage) => Promise<Broadcast>;
  readonly maxBytesPerViewer: number;
  readonly log: Logger;
}

/** They have nothing to say. */
const maxPayloadBytes = 1_024;
const pingIntervalMs = 10_000;
/** RFC 6455 §7.4.1. */
const closeCodes = { normal: 1000, goingAway: 1001, policy: 1008 } as const;

/**
 * Text first: `{"type":"init","mime":…}`, then the initialisation segment and fragments as binary messages. Text comes again
 * before another initialisation, and says how much was left out for a viewer who read too slowly.
 */
export class FragmentSockets extends Owned {
  readonly #options: FragmentSocketsOptions;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: maxPayloadBytes, perMessageDeflate: false });
  readonly #viewers = new Set<FragmentViewer>();

  constructor(options: FragmentSocketsOptions) {
    super();
    this.#options = options;
  }

  get viewers(): ReadonlySet<FragmentViewer> {
    return this.#viewers;
  }

  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      keepAlive(webSocket);
      void this.#serve(webSocket, request);
    });
  };

  async #serve(webSocket: WebSocket, request: IncomingMessage): Promise<void> {
    try {
      const broadcast = await this.#options.open(request);
      if (webSocket.readyState !== webSocket.OPEN) return;
      const viewer = this.own(
        new FragmentViewer(broadcast, new SocketOutlet(webSocket, broadcast), this.#options.maxBytesPerViewer),
      );
      this.#viewers.add(viewer);
      void viewer.done.then(() => this.#viewers.delete(viewer));
      webSocket.once('close', () => void viewer.close('peer_left'));
      if (webSocket.readyState !== webSocket.OPEN) void viewer.close('peer_left');
    } catch (thrown) {
      const { code, message, retryAfterMs, spec } = toGatewayError(thrown);
      if (code === 'internal') this.#options.log.error({ err: thrown }, 'viewer failed');
      // Browsers are not told the status of an upgrade that is refused: it is said here.
      webSocket.send(JSON.stringify({ type: 'error', code, status: spec.http, detail: message, retryAfterMs }));
      webSocket.close(closeCodes.policy, code);
    }
  }

  protected override onClose(): void {
    for (const webSocket of this.#server.clients) webSocket.close(closeCodes.goingAway, 'server is shutting down');
  }
}

class SocketOutlet implements FragmentOutlet {
  readonly #webSocket: WebSocket;
  readonly #broadcast: Broadcast;

  constructor(webSocket: WebSocket, broadcast: Broadcast) {
    this.#webSocket = webSocket;
    this.#broadcast = broadcast;
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  begin(init: LiveInit): boolean {
    const { timeline } = this.#broadcast;
    const epoch = timeline.epochOf(timeline.epoch);
    const tracks = init.tracks.map(({ kind, codecs, width, height }) => ({ kind, codecs, width, height }));
    // When what is at `originUs` was made, so that a player can tell how far behind it is.
    const clock = epoch && { originMs: epoch.originMs, originUs: epoch.originUs };
    this.#say({ type: 'init', mime: mimeTypeOf(init), tracks, ...clock });
    this.send(init.muxed);
    return true;
  }

  send(data: Uint8Array): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.send(data);
  }

  noteSkipped(fragments: number): void {
    this.#say({ type: 'skipped', fragments });
  }

  end(reason: CloseReason): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#say({ type: 'ended', reason });
    this.#webSocket.close(reason === 'parent_closed' ? closeCodes.goingAway : closeCodes.normal, reason);
  }

  #say(message: object): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.send(JSON.stringify(message));
  }
}

/** One that does not answer a ping before the next is gone, whatever waits for it. */
function keepAlive(webSocket: WebSocket): void {
  let missed = 0;
  webSocket.on('pong', () => {
    missed = 0;
  });
  const timer = setInterval(() => {
    // Of a viewer that reads slowly the pings queue behind the media: it gets a little longer.
    if (++missed > 3) webSocket.terminate();
    else webSocket.ping();
  }, pingIntervalMs).unref();
  webSocket.once('close', () => clearInterval(timer));
}
