// Owns: what is measured of rooms that are watched without WebRTC. May import: prom-client.
import { Counter, Gauge, type Registry } from 'prom-client';

/** What the HLS gateway says of itself. */
export interface LiveCounts {
  readonly counts: {
    readonly viewers: Readonly<Record<string, number>>;
    readonly broadcasts: number;
    readonly bytes: number;
    readonly waitingBytes: number;
    readonly segmentsMade: number;
  };
}

/** @param plays players by RTSP */
export function watchLive(registry: Registry, live: LiveCounts, plays: { readonly playerCount: number }): void {
  const gauge = (name: string, help: string, read: (gauge: Gauge) => void) =>
    new Gauge({
      name: `switchyard_live_${name}`,
      help,
      registers: [registry],
      collect() {
        read(this);
      },
    });
  new Gauge({
    name: 'switchyard_live_viewers',
    help: 'Players that watch now, by way: hls (and dash), http, websocket, rtsp.',
    labelNames: ['way'],
    registers: [registry],
    collect() {
      for (const [way, count] of Object.entries(live.counts.viewers)) this.set({ way }, count);
      this.set({ way: 'rtsp' }, plays.playerCount);
    },
  });
  gauge('broadcasts', 'Rooms and streams that are sent without WebRTC.', (one) => one.set(live.counts.broadcasts));
  gauge('bytes', 'Memory that their segments take.', (one) => one.set(live.counts.bytes));
  gauge('waiting_bytes', 'Memory of what fMP4 viewers have not read yet.', (one) => one.set(live.counts.waitingBytes));
  new Counter({
    name: 'switchyard_live_segments_total',
    help: 'Segments made since the start.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(live.counts.segmentsMade);
    },
  });
}
