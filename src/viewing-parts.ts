// Owns: how rooms are watched without WebRTC: HLS, DASH, fMP4 and RTSP. May import: everything, like app.ts, which uses it.
import type { IncomingMessage } from 'node:http';
import type { Auth } from '#api/auth.ts';
import type { Config } from '#config/schema.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Logger, RateLimiter } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { ViewPort } from '#core/view-port.ts';
import { ViewerDoor } from '#core/viewer-door.ts';
import { createHlsGateway, type HlsGateway } from '#gateways/hls/index.ts';
import { createRtspPlays, type RtspPlays } from '#gateways/rtsp/index.ts';
import { LiveFeeds } from '#jobs/live-feeds.ts';
import type { MediaPool } from '#jobs/pool.ts';
import { RtpFeeds } from '#jobs/rtp-feeds.ts';
import { watchLive } from '#telemetry/live-metrics.ts';
import type { Metrics } from '#telemetry/metrics.ts';

export interface ViewingPartsOptions {
  readonly config: Config;
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly auth: Auth;
  readonly media: MediaPool;
  readonly views: ViewPort;
  readonly limiter: RateLimiter;
  readonly metrics: Metrics;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly log: Logger;
}

export class ViewingParts extends Owned {
  readonly hls: HlsGateway;
  readonly plays: RtspPlays;
  readonly #feeds: LiveFeeds;
  readonly #rtpFeeds: RtpFeeds;

  constructor({ config, rooms, meetings, auth, media, views, limiter, metrics, addressOf, log }: ViewingPartsOptions) {
    super();
    const door = new ViewerDoor({ rooms, meetings, auth });
    const { segmentMs: keyFrameIntervalMs, maxHeight, ladder } = config.hls;
    this.#feeds = new LiveFeeds({ media, views, keyFrameIntervalMs, maxHeight, ladder, log });
    this.hls = createHlsGateway({ rooms, door, feeds: this.#feeds, limiter, log, addressOf }, config.hls);
    this.#rtpFeeds = new RtpFeeds({ media, views, log });
    const { maxPlayers } = config.rtsp;
    const logins = auth.playLogins;
    this.plays = createRtspPlays({ rooms, views, door, logins, feeds: this.#rtpFeeds, maxPlayers, log });
    watchLive(metrics.registry, this.hls, this.plays);
  }

  drain(): void {
    this.hls.drain();
  }

  undrain(): void {
    this.hls.undrain();
  }

  /** Who watches goes before what they watch. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    await Promise.all([this.hls.close(reason), this.plays.close(reason)]);
    await Promise.all([this.#feeds.close(reason), this.#rtpFeeds.close(reason)]);
  }
}
