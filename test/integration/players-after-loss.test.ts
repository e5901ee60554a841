// Who watches or takes a room while its SFU worker or its media worker dies: each goes on, or is told that it is over and
// finds the room at the same address. What is seen is counted, what is heard is measured.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RecordingResource, StreamingOutResource } from '#api/contract.ts';
import { Ingress } from '#core/ingress.ts';
import { probePackets } from '#test/support/ffmpeg-clip.ts';
import { probeFile } from '#test/support/flash-and-beep.ts';
import { FragmentReader } from '#test/support/fragment-reader.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { type Watched, watchByFfmpeg } from '#test/support/live-player.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { accessUnits, heardTone, PushTarget } from '#test/support/push-target.ts';

const toneHz = 440;
const waitMs = 40_000;
let gateway: TestGateway;
let ingress: Ingress;
let target: PushTarget;
let folder: string;
let rtsp: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'players-after-loss-'));
  gateway = await startGateway({
    ...{ media: { workers: 1, maxLoadPercent: 100 }, netPolicy: { allow: ['127.0.0.1'] } },
    hls: { segmentMs: 1_000, maxHeight: 180, lingerMs: 2_000, startTimeoutMs: 60_000 },
  });
  const video = { width: 320, height: 180, framerateHz: 15 };
  await gateway.api('PATCH', '/api/rooms/demo/views/common', { video });
  const room = await gateway.app.rooms.open('demo');
  ingress = await Ingress.start({
    ...{ room, media: gateway.app.media, user: 'camera', displayName: 'camera', log: gateway.log },
    spec: {
      kind: 'ingress',
      ...{ source: { via: 'fed' }, audio: 'auto', video: 'auto', videoCodec: 'auto', stallTimeoutMs: 5_000 },
    },
    openSource: () => new NumberedSource({ frequencyHz: toneHz }),
  });
  target = await PushTarget.start();
  const made = await gateway.api<{ play: { rtsp: string } }>('POST', '/api/rooms/demo/tokens', {
    ...{ user: 'player', role: 'viewer' },
  });
  rtsp = made.play.rtsp;
});

afterAll(async () => {
  await ingress?.close();
  await gateway?.close();
  await target?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A player of ffmpeg that watches until it has seen a while of what came after the loss, or until it is over. */
class Player {
  readonly name: string;
  readonly over: Promise<'goes on' | 'was told' | 'hangs'>;
  #seen: Watched | undefined;
  #enough: number | undefined;

  constructor(name: string, url: string, input: readonly string[] = []) {
    this.name = name;
    const isEnough = (watched: Watched) => {
      this.#seen = watched;
      return this.#enough !== undefined && watched.numbers.length >= this.#enough;
    };
    this.over = watchByFfmpeg(url, isEnough, { timeoutMs: 120_000, input }).then(
      (watched) => (isEnough(watched) ? 'goes on' : 'hangs'),
      () => 'was told',
    );
  }

  get isWatching(): boolean {
    return (this.#seen?.numbers.length ?? 0) > 15 && (this.#seen?.toneDbov ?? -90) > -30;
  }

  /** Beyond what it may have had in store. */
  expectMore(pictures: number): void {
    this.#enough = (this.#seen?.numbers.length ?? 0) + pictures;
  }
}

const numbersFlow = ({ numbers, toneDbov }: Watched) => new Set(numbers).size > 10 && toneDbov > -30;

const kills = {
  'SFU worker': async () => (await gateway.app.sfu.describeWorkers()).map(({ pid }) => pid),
  'media worker': async () => gateway.app.media.describeWorkers().map(({ pid }) => pid),
};

test.for(Object.entries(kills))(
  'players, a push and a recording when the %s is killed',
  { timeout: 240_000 },
  async ([, pidsOf]) => {
    const outs = '/api/rooms/demo/streaming-outs';
    const before = target.sinks.length;
    const out = await gateway.api<StreamingOutResource>('POST', outs, { url: target.url('loss') }, 40_000);
    const recordings = '/api/rooms/demo/recordings';
    const { id } = await gateway.api<{ id: string }>('POST', recordings, {}, 40_000);
    const read = () => gateway.api<RecordingResource>('GET', `${recordings}/${id}`);
    const addresses = {
      hls: `${gateway.url}/hls/demo/index.m3u8?token=${adminKey}`,
      fmp4: `${gateway.url}/fmp4/demo?token=${adminKey}`,
    };
    const open = {
      hls: () => new Player('HLS', addresses.hls),
      fmp4: () => new Player('fMP4', addresses.fmp4),
      tcp: () => new Player('RTSP by TCP', rtsp, ['-rtsp_transport', 'tcp']),
      udp: () => new Player('RTSP by UDP', rtsp, ['-rtsp_transport', 'udp']),
    };
    const players = Object.values(open).map((one) => one());
    const reader = new FragmentReader(addresses.fmp4.replace(/^http/, 'ws'));
    try {
      await expect
        .poll(() => players.filter(({ isWatching }) => !isWatching).map(({ name }) => name), { timeout: 60_000 })
        .toEqual([]);
      await expect.poll(async () => (await read()).state, { timeout: waitMs }).toBe('recording');
      await expect.poll(() => target.sinks.at(-1)?.units.length, { timeout: waitMs }).toBeGreaterThan(100);
      const fragmentsBefore = reader.count;
      for (const pid of await pidsOf()) process.kill(pid, 'SIGKILL');
      for (const player of players) player.expectMore(player.name === 'HLS' ? 120 : 45);

      const ends = await Promise.all(players.map(async ({ name, over }) => [name, await over] as const));
      expect(ends.filter(([, end]) => end === 'hangs')).toEqual([]);
      // Its playlist stays where it is.
      expect(Object.fromEntries(ends)).toMatchObject({ HLS: 'goes on' });
      // Whoever was told finds the room again, at the same address.
      for (const [name, end] of ends) {
        if (end === 'goes on') continue;
        const [url, input] =
          name === 'fMP4' ? [addresses.fmp4, []] : [rtsp, ['-rtsp_transport', name === 'RTSP by UDP' ? 'udp' : 'tcp']];
        expect(await watchByFfmpeg(url as string, numbersFlow, { input: input as string[] })).toSatisfy(numbersFlow);
      }
      // A page goes on in the same socket, with another initialisation where there is one.
      await expect.poll(() => reader.count, { timeout: waitMs }).toBeGreaterThan(fragmentsBefore + 60);
      expect(reader.isOver).toBe(false);
      for (const pieces of reader.pieces) {
        const packets = await probePackets(Buffer.concat(pieces));
        for (const kind of ['video', 'audio']) {
          const times = packets.filter((one) => one.codec_type === kind).map(({ dts_time }) => Number(dts_time));
          expect(times).toEqual(times.toSorted((a, b) => a - b));
        }
      }
      // The push has picture and sound again, by this connection or by the next.
      const sentBefore = target.sinks.map(({ units }) => units.length).reduce((a, b) => a + b, 0);
      await expect
        .poll(() => target.sinks.map(({ units }) => units.length).reduce((a, b) => a + b, 0), { timeout: waitMs })
        .toBeGreaterThan(sentBefore + 60);
      const last = target.sinks.at(-1);
      expect(target.sinks.length).toBeGreaterThan(before);
      await expect.poll(() => last && heardTone(last, toneHz), { timeout: waitMs }).toBeGreaterThan(-30);
      for (const sink of target.sinks.slice(before)) {
        const times = accessUnits(sink, 'video').map(({ dtsUs }) => dtsUs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
      // Nobody goes on to wait for what is there again.
      await expect
        .poll(() => [...gateway.app.media.jobs.values()].map(({ state }) => state), { timeout: waitMs })
        .toSatisfy((states: string[]) => states.every((state) => state === 'live'));
      expect(await gateway.api('GET', `${outs}/${out.id}`)).toMatchObject({ state: 'live' });
      await gateway.api('POST', `${recordings}/${id}/stop`);
      await expect.poll(async () => (await read()).state, { timeout: waitMs }).toBe('finished');
      for (const { downloadPath, number } of (await read()).parts) {
        const answer = await fetch(`${gateway.url}${downloadPath}`, {
          headers: { authorization: `Bearer ${adminKey}` },
        });
        const file = join(folder, `${id}-${number}.mp4`);
        await writeFile(file, Buffer.from(await answer.arrayBuffer()));
        expect((await probeFile(file)).complaints).toBe('');
      }
    } finally {
      reader.close();
      await gateway.api('DELETE', `${outs}/${out.id}`);
    }
  },
);
