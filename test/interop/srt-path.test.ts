// SRT with libsrt at the other end (ffmpeg, srt-live-transmit), over a path that loses: what goes in comes out, whole.
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MediaSource } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { createSrtGateway, defaultSrtConfig, pushSrt, SrtPull } from '#gateways/srt/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort } from '#test/support/ports.ts';
import { UdpRelay } from '#test/support/udp-relay.ts';
import { TsDemuxer } from '#wire/mpegts/demuxer.ts';

const policy = new NetPolicy({ schemes: ['srt'], allow: ['127.0.0.0/8'] });
const passphrase = 'correcthorse';
const cleanups: (() => unknown)[] = [];
let folder: string;
/** A transport stream of four seconds, H264 and AAC, as ffmpeg's copy of it comes out. */
let clip: string;
let bytes: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srt-path-'));
  const made = join(folder, 'made.ts');
  clip = join(folder, 'clip.ts');
  const encode = new PeerProcess('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30'],
    ...[
      '-f',
      'lavfi',
      '-i',
      'sine=1000',
      '-t',
      '4',
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-b:v',
      '2M',
      '-g',
      '30',
    ],
    ...['-c:a', 'aac', '-f', 'mpegts', made],
  ]);
  expect(await encode.exited).toBe(0);
  const copy = new PeerProcess('ffmpeg', ['-nostdin', '-i', made, '-c', 'copy', '-f', 'mpegts', clip]);
  expect(await copy.exited).toBe(0);
  bytes = await readFile(clip);
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What of a stream a decoder gets, to compare by. */
const contentsOf = (sink: CollectingSink, kind: 'audio' | 'video') =>
  sink.of(kind).map(({ data }) => createHash('sha1').update(data).digest('hex'));

/**
 * Nothing is missing or changed between the first unit and the last. libsrt does not wait for what was lost of its last
 * packets when it closes, and reads its UDP input late, so that both ends may be cut.
 */
function expectWhole(sink: CollectingSink): void {
  const whole = expected();
  for (const kind of ['video', 'audio'] as const) {
    const all = contentsOf(whole, kind);
    const got = contentsOf(sink, kind).slice(0, -1); // the last one may be half there
    const from = all.indexOf(got[0] ?? '');
    expect(from).toBeGreaterThanOrEqual(0);
    expect(got).toEqual(all.slice(from, from + got.length));
    expect(got.length).toBeGreaterThan(all.length * 0.8);
  }
}

function expected(): CollectingSink {
  const sink = new CollectingSink();
  const demuxer = new TsDemuxer(sink);
  demuxer.push(bytes);
  demuxer.flush();
  return sink;
}

async function receiver(): Promise<{ sink: CollectingSink; port: number; source: () => MediaSource }> {
  const sink = new CollectingSink();
  let accepted: MediaSource | undefined;
  const gateway = await createSrtGateway(
    {
      log: new KeepingLog(),
      authorizePublish: async ({ streamKey }) => ({
        publisherId: streamKey,
        whenBusy: 'reject',
        passphrase: streamKey === 'secret' ? passphrase : undefined,
        accept: (source) => {
          accepted = source;
          source.start(sink);
        },
      }),
    },
    { ...defaultSrtConfig, host: '127.0.0.1', port: 0, latencyMs: 1_500 },
  );
  cleanups.push(() => gateway.close());
  return { sink, port: gateway.port ?? 0, source: () => accepted as MediaSource };
}

/** Loses one datagram in twenty, both ways, at another address with the same port. */
async function lossyPath(port: number): Promise<UdpRelay> {
  const relay = await UdpRelay.start('127.0.0.2', port);
  relay.lose(0.05);
  cleanups.push(() => relay.close());
  return relay;
}

function peer(command: string, ...args: string[]): PeerProcess {
  const started = new PeerProcess(command, args);
  cleanups.push(() => started.stop('SIGKILL'));
  return started;
}

/** As it would come from a muxer: in time. */
async function feed(send: (piece: Buffer) => void): Promise<void> {
  const pieceBytes = 1_316;
  const perS = bytes.length / 4;
  const startMs = performance.now();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const dueMs = startMs + (at * 1_000) / perS;
    if (dueMs > performance.now()) await new Promise((wake) => setTimeout(wake, dueMs - performance.now()));
    send(bytes.subarray(at, at + pieceBytes));
  }
}

const remux = ['-hide_banner', '-nostdin', '-loglevel', 'warning', '-re'];
const mayBeEncrypted = [
  ['in the clear', 'plain', ''],
  ['encrypted with AES-128', 'secret', `&passphrase=${passphrase}`],
  ['encrypted with AES-256', 'secret', `&passphrase=${passphrase}&pbkeylen=32`],
] as const;

describe.each(mayBeEncrypted)('%s, with 5 % lost', (_title, streamId, secret) => {
  test('what ffmpeg pushes to us arrives whole', async () => {
    const { sink, port, source } = await receiver();
    const relay = await lossyPath(port);
    const url = `srt://127.0.0.2:${port}?streamid=${streamId}&latency=1500000${secret}`;
    peer('ffmpeg', ...remux, '-i', clip, '-c', 'copy', '-f', 'mpegts', url);
    await sink.until(() => sink.units.length > 10);
    expect((await source().done).reason).toMatch(/peer_left|timeout/); // the goodbye may be lost too
    expect(relay.lost).toBeGreaterThan(20);
    expectWhole(sink);
  });

  test('what we pull from ffmpeg arrives whole', async () => {
    const port = await freePort();
    const relay = await lossyPath(port);
    // ffmpeg stops listening as soon as it has accepted: were its answer to the handshake lost, nobody could repeat it.
    relay.lose(0);
    const url = `srt://127.0.0.1:${port}?mode=listener&latency=1500000${secret}`;
    peer('ffmpeg', ...remux, '-i', clip, '-c', 'copy', '-f', 'mpegts', url);
    const sink = new CollectingSink();
    // ffmpeg may not listen yet; through the relay nobody says so.
    const pull = new SrtPull({ url: `srt://127.0.0.2:${port}?latency=1500${secret}`, policy });
    cleanups.push(() => pull.close());
    pull.start(sink);
    await sink.until(() => sink.units.length > 0);
    relay.lose(0.05);
    expect(await pull.done).toMatchObject({ reason: expect.stringMatching(/peer_left|timeout/), mayReturn: true });
    expect(relay.lost).toBeGreaterThan(20);
    expectWhole(sink);
  });

  test('what we push to srt-live-transmit arrives whole, with keys that change on the way', async () => {
    const collected: Buffer[] = [];
    const out = createSocket('udp4');
    out.on('message', (piece) => collected.push(piece));
    out.bind(0, '127.0.0.1');
    await once(out, 'listening');
    out.setRecvBufferSize(4 * 1_024 * 1_024);
    cleanups.push(() => out.close());
    const port = await freePort();
    const relay = await lossyPath(port);
    const listenUrl = `srt://127.0.0.1:${port}?mode=listener&latency=1500${secret}`;
    peer('srt-live-transmit', '-a:no', listenUrl, `udp://127.0.0.1:${out.address().port}`);
    const push = await pushSrt({
      url: `srt://127.0.0.2:${port}?streamid=x&latency=1500${secret}`,
      policy,
      refresh: { refreshPackets: 200, announcePackets: 60 },
    });
    cleanups.push(() => push.close());
    await feed((piece) => push.write(piece));
    await expect.poll(() => Buffer.concat(collected).length, { timeout: 10_000 }).toBe(bytes.length);
    expect(Buffer.concat(collected).equals(bytes)).toBe(true);
    expect(relay.lost).toBeGreaterThan(20);
    expect(push.stats.resentPackets).toBeGreaterThan(0);
    expect(push.stats.tooLatePackets).toBe(0);
  });
});

test.each(['', '&pbkeylen=24'])('srt-live-transmit changes keys as often as it likes%s', async (length) => {
  const { sink, port, source } = await receiver();
  const inPort = await freePort();
  const relay = await lossyPath(port);
  const url = `srt://127.0.0.2:${port}?streamid=secret&latency=1500&passphrase=${passphrase}${length}`;
  peer('srt-live-transmit', `udp://127.0.0.1:${inPort}`, `${url}&kmrefreshrate=200&kmpreannounce=60`);
  const input = createSocket('udp4');
  cleanups.push(() => input.close());
  await expect.poll(() => source() !== undefined, { timeout: 10_000 }).toBe(true);
  await feed((piece) => input.send(piece, inPort, '127.0.0.1'));
  // The last access unit of each stream waits for a next one to end it.
  const last = contentsOf(expected(), 'video').at(-2) ?? '';
  await sink.until(() => contentsOf(sink, 'video').includes(last));
  expectWhole(sink);
  expect(relay.lost).toBeGreaterThan(20);
});
