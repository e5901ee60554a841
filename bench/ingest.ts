// Owns: what an ingress adds: time from the source's unit to the RTP that leaves the SFU, and CPU for each stream. The
// sources are in this process, as those of gateways/rtmp are. May import: what tests may.
//
//   node scripts/run.mjs node bench/ingest.ts [streams, default 1] [seconds, default 10]
import { setTimeout } from 'node:timers/promises';
import { configSchema } from '#config/schema.ts';
import type { Job, JobTrack } from '#core/job.ts';
import type { SfuPlainTransport, SfuProducer } from '#core/ports.ts';
import { MediaPool } from '#jobs/pool.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { createSfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';

const streams = Number(process.argv[2] ?? 1);
const seconds = Number(process.argv[3] ?? 10);
const log = new KeepingLog();
const config = configSchema.parse({});
const sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
const pool = new MediaPool({ config: { ...config.media, workers: 1 }, log });
const room = await sfu.createRoom({ log });

/** Notes when it delivered each picture; the numbers go around after 256. */
class TimedSource extends NumberedSource {
  readonly deliveredUs = new Map<number, number>();

  override start(sink: Parameters<NumberedSource['start']>[0]): void {
    super.start({
      describe: (stream) => sink.describe(stream),
      deliver: (unit) => {
        if (unit.streamId === 0) this.deliveredUs.set(this.lastNumber, clockNowUs());
        sink.deliver(unit);
      },
    });
  }
}

async function ingest(isReordered: boolean): Promise<{ job: Job; source: TimedSource; producers: SfuProducer[] }> {
  const source = new TimedSource({ width: 640, height: 360, isReordered });
  const producers = [0, 1].map(() => Promise.withResolvers<SfuProducer>());
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 5_000,
    },
    host: {
      media: room,
      publishTrack: async (transport: SfuPlainTransport, { id, kind, rtpParameters }: JobTrack) =>
        producers[id]?.resolve(await transport.produce({ kind, rtpParameters })),
      unpublishTrack: () => undefined,
    },
    log,
    openSource: () => source,
  });
  return { job, source, producers: await Promise.all(producers.map(({ promise }) => promise)) };
}

const share = (values: readonly number[], part: number) =>
  (values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN).toFixed(1);

async function measure(title: string, isReordered: boolean): Promise<void> {
  const all = await Promise.all(Array.from({ length: streams }, () => ingest(isReordered)));
  const viewers = await Promise.all(
    all.map(async ({ producers }) => {
      const viewer = await RoomViewer.join(room);
      for (const producer of producers) await viewer.watch(producer);
      return viewer;
    }),
  );
  await setTimeout(2_000);
  const before = all.map(({ job }) => job.info.progress?.cpuMs ?? 0);
  const fromPicture = viewers.map(({ pictures }) => pictures.length);
  const startMs = performance.now();
  await setTimeout(seconds * 1_000);
  const passedS = (performance.now() - startMs) / 1_000;
  const videoMs = viewers.flatMap(({ pictures }, index) =>
    pictures.slice(fromPicture[index]).flatMap(({ number, arrivalUs }) => {
      // The viewer decodes as it receives; what it noted is the arrival of the last packet of the picture.
      const deliveredUs = all[index]?.source.deliveredUs.get(number);
      const addedMs = deliveredUs === undefined ? Number.NaN : (arrivalUs - deliveredUs) / 1_000;
      return addedMs >= 0 && addedMs < 5_000 ? [addedMs] : [];
    }),
  );
  const cpu = all.map(({ job }, index) => ((job.info.progress?.cpuMs ?? 0) - (before[index] ?? 0)) / passedS);
  const audioMs = all.map(({ job }) => job.info.progress?.avOffsetMs ?? Number.NaN);
  const worker = pool.describeWorkers().find(({ state }) => state === 'ready');
  console.log(
    `${title}: video p50 ${share(videoMs, 0.5)} ms, p99 ${share(videoMs, 0.99)} ms (${videoMs.length} pictures); ` +
      `audio leaves ${(-Math.min(...audioMs)).toFixed(1)} ms later than video; job CPU ${share(cpu, 0.5)} ms/s each; ` +
      `worker loop delay p99 ${worker?.eventLoopDelayP99Ms.toFixed(1)} ms, RSS ${((worker?.rssBytes ?? 0) / 1e6).toFixed(0)} MB`,
  );
  for (const viewer of viewers) viewer.close();
  await Promise.all(all.map(({ job }) => job.close()));
}

console.log(`${streams} streams of 640x360 at 30 Hz with audio, ${seconds} s`);
await measure('forwarded ', false);
await measure('transcoded', true);
await pool.close();
await sfu.close();
