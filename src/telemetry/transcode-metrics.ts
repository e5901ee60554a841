// Owns: what Prometheus is told of streams in other formats. May import: core.
import { Gauge, type Registry } from 'prom-client';
import type { TranscodePort } from '#core/transcode-port.ts';

/** Each scrape asks anew. */
export function watchTranscodes(registry: Registry, transcodes: Pick<TranscodePort, 'running'>): void {
  // Before those that it fills: a registry reads one after the other.
  new Gauge({
    name: 'switchyard_transcodes',
    help: 'Streams that are made in other formats now.',
    registers: [registry],
    collect() {
      encoders.reset();
      let count = 0;
      for (const { room, sourceId, stats } of transcodes.running) {
        count += 1;
        encoders.set({ room: room.name, stream: sourceId }, stats?.encoders.length ?? 0);
      }
      this.set(count);
    },
  });
  const labelNames = ['room', 'stream'] as const;
  const help = 'Encoders of a stream in other formats; equal formats share one.';
  const encoders = new Gauge({ name: 'switchyard_transcode_encoders', help, labelNames, registers: [registry] });
}
