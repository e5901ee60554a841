// Owns: what an ingress adds: time from the source's unit to the RTP that leaves the SFU, and CPU for each stream. The
// sources are in this process, as those of gateways/rtmp are. May import: what tests may.
//
//   node scripts/run.mjs node bench/ingest.ts [streams, default 1] [seconds, default 10]
import { setTimeout } from 'node:timers/promises';
import { configSchema } from '#config/schema.ts';
import type { IngressLatency, Job, JobTrack } from '#core/job.ts';
import type { SfuPlainTransport, SfuProducer } from '#core/ports.ts';
import { MediaPool } from '#jobs/pool.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { createSfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';

interface Way {
  readonly title: string;
  readonly isReordered: boolean;
  readonly latency: IngressLatency;
}

const streams = Number(process.argv[2] ?? 1);
const seconds = Number(process.argv[3] ?? 10);
/** Of the machine's monotonic clock, as media workers reckon it. */
const unixOffsetUs = Date.now() * 1_000 - clockNowUs();
const log = new KeepingLog();
const config = configSchema.parse({});
const sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
const pool = new MediaPool({ config: { ...config.media, workers: 1 }, log });
const room = await sfu.createRoom({ log });

/** Notes when it delivered each picture, whose numbers go around after 256, and each piece of sound. */
class TimedSource extends NumberedSource {
  readonly deliveredUs = new Map<number, number>();
  readonly sounds: { readonly endPtsUs: number; readonly atUs: number }[] = [];
  /** Our clock at the time stamp 0, by the piece of least delay. */
  originUs = Number.POSITIVE_INFINITY;

  override start(sink: Parameters<NumberedSource['start']>[0]): void {
    super.start({
      describe: (stream) => sink.describe(stream),
      deliver: (unit) => {
        const atUs = clockNowUs();
        if (unit.streamId === 0) this.deliveredUs.set(this.lastNumber, atUs);
        else if (unit.kind === 'access_unit') this.#noteSound(unit.ptsUs, unit.data.byteLength, atUs);
        sink.deliver(unit);
      },
    });
  }

  #noteSound(ptsUs: number, byteLength: number, atUs: number): void {
    this.originUs = Math.min(this.originUs, atUs - ptsUs);
    // 44.1 kHz, two channels, 16 bits.
    this.sounds.push({ endPtsUs: ptsUs + (byteLength * 1e6) / (4 * 44_100), atUs });
  }

  /** When it had delivered all that a packet of 20 ms holds which begins then. */
  soundDeliveredUs(clockUs: number): number | undefined {
    const endPtsUs = clockUs + 20_000 - this.originUs;
    return this.sounds.find((sound) => sound.endPtsUs >= endPtsUs - 1_000)?.atUs;
  }
}

async function ingest({
  isReordered,
  latency,
}: Way): Promise<{ job: Job; source: TimedSource; producers: SfuProducer[] }> {
  const source = new TimedSource({ width: 640, height: 360, isReordered });
  const producers = [0, 1].map(() => Promise.withResolvers<SfuProducer>());
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      latency,
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

async function measure(way: Way): Promise<void> {
  const all = await Promise.all(Array.from({ length: streams }, () => ingest(way)));
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
  const fromSound = viewers.map(({ heard }) => heard.length);
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
  const audioMs = viewers.flatMap(({ heard }, index) =>
    heard.slice(fromSound[index]).flatMap(({ unixUs, arrivalUs }) => {
      const clockUs = unixUs === undefined ? undefined : unixUs - unixOffsetUs;
      const deliveredUs = clockUs === undefined ? undefined : all[index]?.source.soundDeliveredUs(clockUs);
      return deliveredUs === undefined ? [] : [(arrivalUs - deliveredUs) / 1_000];
    }),
  );
  const worker = pool.describeWorkers().find(({ state }) => state === 'ready');
  console.log(
    `${way.title}: video p50 ${share(videoMs, 0.5)} ms, p99 ${share(videoMs, 0.99)} ms (${videoMs.length} pictures); ` +
      `audio p50 ${share(audioMs, 0.5)} ms, p99 ${share(audioMs, 0.99)} ms (${audioMs.length} packets); job CPU ${share(cpu, 0.5)} ms/s each; ` +
      `worker loop delay p99 ${worker?.eventLoopDelayP99Ms.toFixed(1)} ms, RSS ${((worker?.rssBytes ?? 0) / 1e6).toFixed(0)} MB`,
  );
  for (const viewer of viewers) viewer.close();
  await Promise.all(all.map(({ job }) => job.close()));
}

console.log(`${streams} streams of 640x360 at 30 Hz with audio, ${seconds} s`);
await measure({ title: 'forwarded,  latency low   ', isReordered: false, latency: 'low' });
await measure({ title: 'forwarded,  latency smooth', isReordered: false, latency: 'smooth' });
await measure({ title: 'transcoded, latency low   ', isReordered: true, latency: 'low' });
await pool.close();
await sfu.close();
