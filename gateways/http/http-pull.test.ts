import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MediaSource, SourceEnd, SourceUnit } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { encodeClip, encodeFiles } from '#test/support/ffmpeg-clip.ts';
import { WebServer } from '#test/support/web-server.ts';
import { type HttpPullOptions, pullHttp } from './http-pull.ts';

type AccessUnit = Extract<SourceUnit, { kind: 'access_unit' }>;

const policy = new NetPolicy({ schemes: ['http', 'https'], allow: ['127.0.0.1'] });
const noFlv = {
  flv: () => {
    throw new Error('no FLV in this test');
  },
};
const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25'];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
const codecs = '-c:v libx264 -preset ultrafast -g 25 -bf 0 -c:a aac -ac 2'.split(' ');

let server: WebServer;
let folder: string;
const open: MediaSource[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'http-pull-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  for (const source of open.splice(0)) source.close();
  await server?.close();
});

/** What ffmpeg's HLS muxer makes of three seconds, by path. */
async function hls(name: string, ...args: string[]): Promise<Map<string, Buffer>> {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  const encode = [...picture, ...tone, ...codecs, '-t', '3', '-f', 'hls', '-hls_time', '1', '-hls_list_size', '0'];
  await encodeFiles(...encode, '-hls_segment_filename', join(path, 's%d.seg'), ...args, join(path, 'index.m3u8'));
  return new Map(readdirSync(path).map((file) => [`/${name}/${file}`, readFileSync(join(path, file))]));
}

async function serve(...files: ReadonlyMap<string, Buffer>[]): Promise<WebServer> {
  server = await WebServer.start();
  for (const map of files) for (const [path, data] of map) server.files.set(path, data);
  return server;
}

function pull(
  path: string,
  options: Partial<HttpPullOptions> = {},
): { sink: CollectingSink; done: Promise<SourceEnd> } {
  const source = pullHttp({ url: server.urlOf(path), policy, startTimeoutMs: 10_000, ...options }, noFlv);
  open.push(source);
  const sink = new CollectingSink();
  source.start(sink);
  return { sink, done: source.done };
}

const unitsOf = (sink: CollectingSink, kind: 'audio' | 'video') => sink.of(kind) as AccessUnit[];

/** Pictures without a gap, in step with sound. */
function expectWhole(sink: CollectingSink, pictures: number): void {
  const times = unitsOf(sink, 'video').map(({ ptsUs }) => ptsUs);
  expect(times).toHaveLength(pictures);
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(Math.min(...steps)).toBeGreaterThan(20_000);
  expect(Math.max(...steps)).toBeLessThan(90_000);
  const sounds = unitsOf(sink, 'audio').map(({ ptsUs }) => ptsUs);
  expect(Math.abs((sounds[0] ?? 0) - (times[0] ?? 0))).toBeLessThan(120_000);
  expect(Math.abs((sounds.at(-1) ?? 0) - (times.at(-1) ?? 0))).toBeLessThan(200_000);
}

describe('HLS', () => {
  test.each([
    ['MPEG-TS', []],
    ['fragmented MP4', ['-hls_segment_type', 'fmp4', '-hls_fmp4_init_filename', 'init.mp4']],
    ['byte ranges of one file', ['-hls_flags', 'single_file']],
    ['byte ranges of fragmented MP4', ['-hls_segment_type', 'fmp4', '-hls_flags', 'single_file']],
  ])(
    'recorded, as %s, is played once, whole and in real time, and then it has ended',
    async (name, args) => {
      await serve(await hls(`vod-${name.replaceAll(' ', '-')}`, ...args));
      const path = [...server.files.keys()].find((one) => one.endsWith('index.m3u8')) ?? '';
      const startedMs = performance.now();
      const { sink, done } = pull(path);
      const end = await done;
      expect(end).toEqual({ reason: 'peer_left', error: undefined, mayReturn: false });
      expect(performance.now() - startedMs).toBeGreaterThan(2_700);
      expect(sink.stream('video')).toMatchObject({ id: 0, codec: 'h264' });
      expect(sink.stream('audio')).toMatchObject({ id: 1, codec: 'aac', sampleRateHz: 48_000, channels: 2 });
      expectWhole(sink, 75);
      expect(sink.described).toHaveLength(2); // one segment after another, of the same
    },
    20_000,
  );

  test('encrypted by AES-128, with an IV or by number, is played', async () => {
    const files = await hls('plain');
    const key = randomBytes(16);
    const iv = randomBytes(16);
    const numbered = (sequence: number) => Buffer.from(sequence.toString(16).padStart(32, '0'), 'hex');
    const encrypt = (path: string, vector: Buffer) => {
      const cipher = createCipheriv('aes-128-cbc', key, vector);
      files.set(path, Buffer.concat([cipher.update(files.get(path) ?? ''), cipher.final()]));
    };
    encrypt('/plain/s0.seg', iv);
    encrypt('/plain/s1.seg', numbered(1));
    files.set('/keys/secret', key);
    files.set(
      '/plain/index.m3u8',
      Buffer.from(
        [
          ...['#EXTM3U', '#EXT-X-TARGETDURATION:1'],
          ...[`#EXT-X-KEY:METHOD=AES-128,URI="../keys/secret",IV=0x${iv.toString('hex')}`, '#EXTINF:1', 's0.seg'],
          ...['#EXT-X-KEY:METHOD=AES-128,URI="/keys/secret"', '#EXTINF:1', 's1.seg'],
          ...['#EXT-X-KEY:METHOD=NONE', '#EXTINF:1', 's2.seg', '#EXT-X-ENDLIST'],
        ].join('\n'),
      ),
    );
    await serve(files);
    const { sink, done } = pull('/plain/index.m3u8');
    expect(await done).toMatchObject({ reason: 'peer_left', error: undefined });
    expectWhole(sink, 75);
    expect(server.requests.filter((path) => path === '/keys/secret')).toHaveLength(1);
  }, 20_000);

  test('of several qualities is played in the best that fits, its sound from beside it', async () => {
    const made = await hls('both');
    const sound = await encodeClip(...tone, '-c:a', 'aac', '-t', '3', '-f', 'adts');
    made.set('/both/sound.aac', sound);
    const list = (line: string) => Buffer.from(`#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3\n${line}\n#EXT-X-ENDLIST`);
    made.set('/both/sound.m3u8', list('sound.aac'));
    const variant = (height: number, uri: string) =>
      `#EXT-X-STREAM-INF:BANDWIDTH=${height}000,RESOLUTION=${height}x${height},AUDIO="a"\n${uri}`;
    const lines = ['#EXTM3U', '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="sound.m3u8"'];
    // The best one is not there: the next is taken.
    lines.push(
      variant(2_160, 'uhd.m3u8'),
      variant(1_080, 'gone.m3u8'),
      variant(720, 'index.m3u8'),
      variant(360, 'small.m3u8'),
    );
    made.set('/both/master.m3u8', gzipSync(lines.join('\n')));
    await serve(made);
    server.handlers.set('/both/master.m3u8', (_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(made.get('/both/master.m3u8')),
    );
    const { sink, done } = pull('/both/master.m3u8');
    expect(await done).toMatchObject({ reason: 'peer_left', error: undefined });
    expect(unitsOf(sink, 'video')).toHaveLength(75);
    expect(sink.stream('audio')).toMatchObject({ codec: 'aac', channels: 1 }); // that of beside is mono
    expect(server.requests).not.toContain('/both/small.m3u8');
    expect(server.requests).not.toContain('/both/uhd.m3u8');
  }, 20_000);

  test('goes on over a discontinuity and over a segment that is missing', async () => {
    const [one, two] = [await hls('one'), await hls('two', '-output_ts_offset', '5000')];
    const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:1', '#EXTINF:1', 'one/s0.seg', '#EXTINF:1', 'one/missing.seg'];
    lines.push('#EXTINF:1', 'one/s2.seg', '#EXT-X-DISCONTINUITY', '#EXTINF:1', 'two/s0.seg', '#EXT-X-ENDLIST');
    await serve(one, two, new Map([['/index.m3u8', Buffer.from(lines.join('\n'))]]));
    const { sink, done } = pull('/index.m3u8');
    expect(await done).toMatchObject({ reason: 'peer_left', error: undefined });
    expectWhole(sink, 75);
  }, 20_000);

  test('live begins near its end, goes on as segments come, and ends with its end', async () => {
    const files = await hls('live');
    await serve(files);
    let last = 0;
    const total = 12;
    server.handlers.set('/live/live.m3u8', (_, response) => {
      last = Math.min(total, last === 0 ? 8 : last + 1);
      const first = Math.max(0, last - 6);
      const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:1', `#EXT-X-MEDIA-SEQUENCE:${first}`];
      lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${first}`);
      for (let index = first; index < last; index++) {
        lines.push(...(index > first ? ['#EXT-X-DISCONTINUITY'] : []), '#EXTINF:1', `s${index % 3}.seg?n=${index}`);
      }
      if (last === total) lines.push('#EXT-X-ENDLIST');
      response.end(lines.join('\n'));
    });
    const { sink, done } = pull('/live/live.m3u8');
    expect(await done).toMatchObject({ reason: 'peer_left', error: undefined });
    expectWhole(sink, 25 * (total - 5)); // from the fifth on: three before the end of the first list
  }, 30_000);

  test('live that brings nothing new any more is given up, and may come back', async () => {
    await serve(await hls('stuck'));
    server.files.set('/stuck/index.m3u8', Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1\ns0.seg'));
    const { sink, done } = pull('/stuck/index.m3u8', { stallTimeoutMs: 1_000 });
    expect(await done).toMatchObject({ reason: 'timeout', mayReturn: true });
    expect(unitsOf(sink, 'video')).toHaveLength(25);
  }, 20_000);
});

describe('other bodies', () => {
  test.each([
    ['mp4', ['-movflags', 'frag_keyframe+empty_moov', '-f', 'mp4']],
    ['webm', ['-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus', '-f', 'webm']],
    ['ts', ['-f', 'mpegts']],
  ])(
    'a recording as %s is played once, in real time',
    async (ending, args) => {
      const clip = await encodeClip(...picture, ...tone, ...codecs, '-t', '2', ...args);
      await serve(new Map([[`/clip.${ending}`, clip]]));
      const startedMs = performance.now();
      const { sink, done } = pull(`/clip.${ending}`);
      expect(await done).toEqual({ reason: 'peer_left', error: undefined, mayReturn: false });
      expect(performance.now() - startedMs).toBeGreaterThan(1_700);
      expectWhole(sink, 50);
    },
    20_000,
  );

  test('MPEG-TS without an end is handed on as it comes, and its end is a loss', async () => {
    const clip = await encodeClip(...picture, ...tone, ...codecs, '-t', '4', '-f', 'mpegts');
    await serve();
    server.handlers.set('/live', (_, response) => {
      response.writeHead(200, { 'content-type': 'video/mp2t' });
      response.write(clip.subarray(0, 5 * 188 + 77));
      setImmediate(() => response.end(clip.subarray(5 * 188 + 77)));
    });
    const startedMs = performance.now();
    const { sink, done } = pull('/live');
    expect(await done).toMatchObject({ reason: 'failed', mayReturn: true, error: { code: 'upstream_failed' } });
    expect(performance.now() - startedMs).toBeLessThan(3_000); // four seconds of media
    expectWhole(sink, 100);
  }, 20_000);

  test('internet radio is heard', async () => {
    const clip = await encodeClip(...tone, '-c:a', 'libmp3lame', '-t', '2', '-f', 'mp3', '-write_xing', '0');
    await serve();
    server.handlers.set('/radio', (_, response) => {
      response.writeHead(200, { 'content-type': 'audio/mpeg' });
      response.end(clip);
    });
    const { sink, done } = pull('/radio');
    await done;
    expect(sink.stream('audio')).toMatchObject({ codec: 'mp3', sampleRateHz: 48_000 });
    expect(unitsOf(sink, 'audio').length).toBeGreaterThan(75);
  }, 20_000);

  test('a recording that is looped goes on and on', async () => {
    const clip = await encodeClip(...picture, ...tone, ...codecs, '-t', '1', '-f', 'mpegts');
    await serve(new Map([['/clip.ts', clip]]));
    const { sink } = pull('/clip.ts', { isLooped: true });
    await sink.until(() => unitsOf(sink, 'video').length >= 75);
    const times = unitsOf(sink, 'video').map(({ dtsUs }) => dtsUs);
    const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(Math.max(...steps)).toBeLessThan(120_000);
  }, 20_000);
});

describe('what goes wrong has a reason', () => {
  test.each([
    [
      '/page',
      'unsupported_media_type',
      false,
      (response: import('node:http').ServerResponse) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'.padEnd(2_000)),
    ],
    [
      '/broken',
      'upstream_failed',
      true,
      (response: import('node:http').ServerResponse) => response.writeHead(500).end(),
    ],
    [
      '/secret',
      'upstream_refused',
      false,
      (response: import('node:http').ServerResponse) => response.writeHead(401).end(),
    ],
    [
      '/round',
      'upstream_failed',
      true,
      (response: import('node:http').ServerResponse) => response.writeHead(302, { location: '/round' }).end(),
    ],
    [
      '/metadata',
      'forbidden',
      false,
      (response: import('node:http').ServerResponse) =>
        response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
    ],
    [
      '/file',
      'invalid_request',
      false,
      (response: import('node:http').ServerResponse) =>
        response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    ],
    ['/silent', 'timeout', true, () => undefined],
    [
      '/trickle',
      'timeout',
      true,
      (response: import('node:http').ServerResponse) =>
        response.writeHead(200, { 'content-type': 'video/mp2t' }).write('G'),
    ],
  ] as const)('%s: %s', async (path, code, mayReturn, answer) => {
    await serve();
    server.handlers.set(path, (_, response) => void answer(response));
    const { done } = pull(path, { startTimeoutMs: 1_500 });
    expect(await done).toMatchObject({ mayReturn, error: { code } });
  });

  test('a playlist may not lead to where nobody may go, by a segment, a key, a map or a variant', async () => {
    await serve();
    const inner = 'http://169.254.169.254/latest';
    const head = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n';
    const lists = {
      segment: `${head}#EXTINF:1\n${inner}\n#EXT-X-ENDLIST`,
      key: `${head}#EXT-X-KEY:METHOD=AES-128,URI="${inner}"\n#EXTINF:1\na.ts\n#EXT-X-ENDLIST`,
      map: `${head}#EXT-X-MAP:URI="${inner}"\n#EXTINF:1\na.ts\n#EXT-X-ENDLIST`,
      variant: `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${inner}`,
    };
    server.files.set('/a.ts', randomBytes(188 * 10));
    for (const [name, text] of Object.entries(lists)) {
      server.files.set(`/${name}.m3u8`, Buffer.from(text));
      expect(await pull(`/${name}.m3u8`).done).toMatchObject({ mayReturn: false, error: { code: 'forbidden' } });
    }
  });

  test('a playlist that unpacks to more than one may have is not unpacked to its end', async () => {
    await serve();
    const bomb = gzipSync(Buffer.concat([Buffer.from('#EXTM3U\n'), Buffer.alloc(100_000_000, 0x23)]), { level: 1 });
    server.handlers.set('/bomb.m3u8', (_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/x-mpegurl' }).end(bomb),
    );
    const before = process.memoryUsage().rss;
    expect(await pull('/bomb.m3u8').done).toMatchObject({ error: { code: 'too_large' } });
    expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
  });

  test('credentials go to the host they were given for, and to no other', async () => {
    const clip = await encodeClip(...picture, ...codecs.slice(0, 8), '-t', '1', '-f', 'mpegts');
    await serve(new Map([['/a.ts', clip]]));
    const other = await WebServer.start();
    other.files.set('/b.ts', clip);
    const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:1', '#EXTINF:1', 'a.ts', '#EXT-X-DISCONTINUITY'];
    lines.push('#EXTINF:1', other.urlOf('/b.ts'), '#EXT-X-ENDLIST');
    server.files.set('/index.m3u8', Buffer.from(lines.join('\n')));
    const url = server.urlOf('/index.m3u8').replace('http://', 'http://user:p%40ss@');
    await pull('', { url }).done;
    await other.close();
    const expected = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(new Set(server.authorizations)).toEqual(new Set([expected]));
    expect(other.authorizations).toEqual([undefined]);
  }, 20_000);
});
