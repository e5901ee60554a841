// Owns: one accepted ANNOUNCE/RECORD as a MediaSource of core. May import: core.
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import { buildPli, buildReceiverReport } from './rtcp.ts';
import type { RtspTrack } from './sdp.ts';
import type { SessionTransport } from './session-transport.ts';

export interface PushedStreamOwner {
  pause(): void;
  resume(): void;
  /** The room does not want it any more. */
  dismiss(reason: CloseReason): void;
}

/** We report to pushers under one name; nothing depends on it. */
const reporterSsrc = 0x53574944;

export class PushedStream implements MediaSource {
  readonly tracks: readonly RtspTrack[];
  readonly transports = new Map<number, SessionTransport>();
  readonly #owner: PushedStreamOwner;
  readonly #done = Promise.withResolvers<SourceEnd>();
  readonly #mediaSsrcs = new Map<number, number>();
  /** Of each track, while nobody takes what comes: encoders begin with a sender report, and the next is seconds away. */
  readonly #reports = new Map<number, Buffer>();
  #sink: SourceSink | undefined;
  #isOver = false;

  constructor(tracks: readonly RtspTrack[], owner: PushedStreamOwner) {
    this.tracks = tracks;
    this.#owner = owner;
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#sink || this.#isOver) return;
    this.#sink = sink;
    for (const { stream } of this.tracks) if (this.transports.has(stream.id)) sink.describe(stream);
    for (const [streamId, data] of this.#reports) sink.deliver({ kind: 'rtcp', streamId, data });
    this.#reports.clear();
  }

  requestKeyFrame(streamId: number): boolean {
    const mediaSsrc = this.#mediaSsrcs.get(streamId);
    const track = this.tracks.find(({ stream }) => stream.id === streamId);
    if (!track?.takesPli || mediaSsrc === undefined) return false;
    const packet = Buffer.concat([buildReceiverReport(reporterSsrc, 'switchyard'), buildPli(reporterSsrc, mediaSsrc)]);
    this.transports.get(streamId)?.send('rtcp', packet);
    return true;
  }

  /** Tells pushers by UDP that somebody still listens. */
  report(): void {
    for (const transport of this.transports.values()) {
      transport.send('rtcp', buildReceiverReport(reporterSsrc, 'switchyard'));
    }
  }

  pause(): void {
    if (!this.#isOver) this.#owner.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#owner.resume();
  }

  close(reason: CloseReason = 'requested'): void {
    if (!this.#isOver) this.#owner.dismiss(reason);
  }

  packet(streamId: number, kind: 'rtp' | 'rtcp', data: Buffer): void {
    if (this.#isOver) return;
    if (kind === 'rtp') {
      // Packets of another payload type hold the way through a firewall open, and mean nothing.
      const track = this.tracks.find(({ stream }) => stream.id === streamId);
      if (((data[1] as number) & 0x7f) !== track?.stream.rtp.payloadType) return;
      this.#mediaSsrcs.set(streamId, data.readUInt32BE(8));
    }
    if (this.#sink) this.#sink.deliver({ kind, streamId, data });
    else if (kind === 'rtcp') this.#reports.set(streamId, data);
  }

  /** Called by the session, once. */
  end(end: SourceEnd): void {
    this.#isOver = true;
    this.#done.resolve(end);
  }
}
