// Owns: an RTSP client that records as a connection of a push: units into RTP, with sender reports. May import: core's
// words, media/rtp, its neighbours; the client itself comes from media/push-openers.ts.
import { GatewayError } from '#core/errors.ts';
import type { SourceStream, SourceUnit } from '#core/media-source.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { type PushConnection, type PushEnd, pushEndOf } from './push-connection.ts';
import { RtpStreams, rtpFormatOf } from './rtp-streams.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

/** As gateways/rtsp has it. */
export interface RtspClient {
  readonly done: Promise<unknown>;
  readonly failure: GatewayError | undefined;
  deliver(unit: SourceUnit): void;
  close(reason: 'requested'): Promise<unknown>;
}

const reportIntervalMs = 1_000;
const streamIds = { video: 0, audio: 1 } as const;
const payloadTypes = { video: 96, audio: 97 } as const;

export class RtspConnection implements PushConnection {
  readonly #client: RtspClient;
  readonly #rtp: RtpStreams;
  readonly #timer: NodeJS.Timeout;
  #bytesOut = 0;

  constructor(client: RtspClient, streams: readonly EgressStream[]) {
    this.#client = client;
    this.#rtp = new RtpStreams({
      ...{ streams, payloadTypes },
      send: (kind, what, data) => {
        if (what === 'rtp') this.#bytesOut += data.length;
        client.deliver({ kind: what, streamId: streamIds[kind], data });
      },
    });
    this.#timer = setInterval(() => this.#rtp.report(), reportIntervalMs);
    void client.done.then(() => clearInterval(this.#timer));
  }

  get done(): Promise<PushEnd> {
    return this.#client.done.then(() => pushEndOf(this.#client.failure));
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** The client itself leaves out what does not go. */
  readonly queuedBytes = 0;

  /** The description was given when it was announced: another codec is another session. */
  describe(streams: readonly EgressStream[]): void {
    if (this.#rtp.takes(streams)) return;
    throw new GatewayError('upstream_failed', 'The streams are others now, which RTSP has to be told anew.');
  }

  write(unit: EgressUnit): void {
    this.#rtp.write(unit);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.close('requested');
  }
}

/** What ANNOUNCE says of them. @throws GatewayError `unsupported_media_type` */
export function announcedStreams(streams: readonly EgressStream[]): SourceStream[] {
  return streams.map((stream) => ({
    ...stream,
    id: streamIds[stream.kind],
    framing: { kind: 'rtp' },
    rtp: rtpFormatOf(stream, payloadTypes),
  }));
}

/** Whether a packet of the server asks for a picture that can be decoded by itself. */
export function asksForKeyFrame(packet: Uint8Array): boolean {
  return parseRtcp(packet).some(({ kind }) => kind === 'pli' || kind === 'fir');
}
