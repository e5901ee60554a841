// A room played by RTSP with players of others: ffmpeg and GStreamer, by UDP and TCP. What they record is decoded: the
// counter in the picture goes on, the tone is the source's.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Ingress } from '#core/ingress.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { recordedNumbers, recordedTone, stepsOf } from '#test/support/numbered-recording.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const toneHz = 440;
let gateway: TestGateway;
let ingress: Ingress;
let folder: string;
let token: string;
let login: { readonly username: string; readonly password: string };
let rtspPort: number;
let rtspsPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rtsp-play-'));
  gateway = await startGateway({ media: { maxLoadPercent: 100 }, rtsp: { tlsIsEnabled: true, tlsPort: 0 } });
  // Small, so that the players do not wait for each other on a busy machine.
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
  const made = await gateway.api<{ token: string; play: { rtsp: string; rtsps: string } }>(
    'POST',
    '/api/rooms/demo/tokens',
    { user: 'player', role: 'viewer' },
  );
  token = made.token;
  const { username, password, port } = new URL(made.play.rtsp.replace(/^rtsp/, 'http'));
  login = { username: decodeURIComponent(username), password };
  rtspPort = Number(port);
  rtspsPort = Number(new URL(made.play.rtsps.replace(/^rtsps/, 'http')).port);
});

afterAll(async () => {
  await ingress?.close();
  await gateway?.close();
  rmSync(folder, { recursive: true, force: true });
});

const withToken = (path: string) =>
  `rtsp://127.0.0.1:${rtspPort}/${path}${path.includes('?') ? '&' : '?'}token=${token}`;
const withLogin = (path: string) => `rtsp://${login.username}:${login.password}@127.0.0.1:${rtspPort}/${path}`;

/** Records until what has come is what was sent: sound of a room that has just begun comes a moment later. */
async function record(name: string, program: string, args: readonly string[]): Promise<string> {
  const file = join(folder, name);
  const player = new PeerProcess(
    program,
    args.map((one) => one.replace('FILE', file)),
  );
  const isOver = player.exited.then((code) => expect(`${name} ended with ${code}: ${player.output}`).toBe('recording'));
  isOver.catch(() => undefined);
  const isHeard = expect.poll(() => hasContent(file), { timeout: 80_000, interval: 1_000 }).toBe(true);
  try {
    await Promise.race([isHeard, isOver]);
  } finally {
    await player.stop('SIGINT');
  }
  return file;
}

async function hasContent(file: string): Promise<boolean> {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < 30_000) return false;
  const { forward } = stepsOf(await numbersIn(file));
  return forward > 10 && (await recordedTone(file, toneHz)) > -30;
}

/** A view that has just begun is black, and black reads as zero. */
async function numbersIn(file: string): Promise<number[]> {
  const recorded = await recordedNumbers(file);
  return recorded.slice(recorded.findIndex((number) => number > 0));
}

const byFfmpeg = (url: string, transport: string) =>
  record(`ffmpeg-${transport}-${Math.random()}.mkv`, 'ffmpeg', [
    ...[
      '-hide_banner',
      '-nostdin',
      '-y',
      '-rtsp_transport',
      transport,
      '-i',
      url,
      '-c',
      'copy',
      '-flush_packets',
      '1',
      'FILE',
    ],
  ]);

const byGStreamer = (url: string, protocols: string) =>
  record(`gst-${protocols}.mkv`, 'gst-launch-1.0', [
    ...['-e', 'rtspsrc', `location=${url}`, `protocols=${protocols}`, 'latency=200', 'name=s'],
    ...['s.', '!', 'application/x-rtp,media=video', '!', 'rtph264depay', '!', 'h264parse', '!', 'queue', '!', 'm.'],
    ...['s.', '!', 'application/x-rtp,media=audio', '!', 'rtpopusdepay', '!', 'opusparse', '!', 'queue', '!', 'm.'],
    ...['matroskamux', 'name=m', 'streamable=true', '!', 'filesink', 'location=FILE'],
  ]);

async function assertContent(file: string): Promise<void> {
  const numbers = await numbersIn(file);
  expect([stepsOf(numbers).back, numbers]).toEqual([0, numbers]);
  expect(await recordedTone(file, 3 * toneHz)).toBeLessThan(-40);
}

test('ffmpeg plays the view by UDP and TCP, with the token in the address', async () => {
  const files = await Promise.all(['udp', 'tcp'].map((transport) => byFfmpeg(withToken('demo'), transport)));
  for (const file of files) await assertContent(file);
}, 120_000);

test('GStreamer plays it by UDP and TCP, with a login by Digest and with the token in the address', async () => {
  const views = { udp: withLogin('demo/views/common'), tcp: withToken('demo') };
  const files = await Promise.all(Object.entries(views).map(([how, url]) => byGStreamer(url, how)));
  for (const file of files) await assertContent(file);
}, 120_000);

// Debian has no live555, on which VLC's RTSP rests: `OPEN_RTSP=…/testProgs/openRTSP` names one that was built.
const openRtsp = process.env.OPEN_RTSP ?? '';

test.skipIf(openRtsp === '')(
  'live555 plays it by UDP, which the SFU sends, and by TCP',
  { timeout: 120_000 },
  async () => {
    const play = async (name: string, kind: 'v' | 'a', ...transport: readonly string[]) => {
      // One kind alone comes as it is, by its standard output; sound wants a container around it.
      const output = join(folder, `${name}.${kind === 'v' ? 'h264' : 'mp4'}`);
      const given = [
        `-${kind}`,
        ...(kind === 'a' ? ['-4'] : []),
        '-d',
        '8',
        '-b',
        '400000',
        ...transport,
        '-u',
        login.username,
        login.password,
      ];
      const path = kind === 'v' ? 'demo' : 'demo?audio=aac';
      const command = [openRtsp, ...given, `rtsp://127.0.0.1:${rtspPort}/${path}`];
      const player = new PeerProcess('sh', ['-c', `exec "$0" "$@" > ${output}`, ...command]);
      expect([await player.exited, player.output]).toEqual([0, expect.anything()]);
      return output;
    };
    const [byUdp, byTcp, sound] = await Promise.all([
      play('by-udp', 'v'),
      play('by-tcp', 'v', '-t'),
      play('sound', 'a', '-t'),
    ]);
    for (const file of [byUdp, byTcp]) {
      const { forward, back } = stepsOf(await numbersIn(file));
      expect([forward > 10, back]).toEqual([true, 0]);
    }
    expect(await recordedTone(sound, toneHz)).toBeGreaterThan(-30);
  },
);

test('one participant alone is played, also with AAC, over TLS', async () => {
  const secure = withLogin('demo/camera?audio=aac')
    .replace(`rtsp:`, 'rtsps:')
    .replace(`:${rtspPort}/`, `:${rtspsPort}/`);
  const files = await Promise.all([byFfmpeg(withToken('demo/camera'), 'udp'), byFfmpeg(secure, 'tcp')]);
  for (const file of files) await assertContent(file);
  const probe = new PeerProcess('ffprobe', ['-v', 'error', '-show_streams', files[1] ?? '']);
  await probe.exited;
  expect(probe.output).toMatch(/codec_name=h264[\s\S]*codec_name=aac/);
}, 120_000);

test('without a login, with a wrong one, or for another room nobody plays, and is told why', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'other' });
  const play = async (url: string) => {
    const player = new PeerProcess('ffprobe', ['-v', 'error', '-rtsp_transport', 'tcp', '-i', url]);
    await player.exited;
    return player.output;
  };
  const answers = await Promise.all([
    play(`rtsp://127.0.0.1:${rtspPort}/demo`),
    play(withLogin('demo').replace(login.password, 'wrong')),
    ...[withToken('other'), withLogin('other'), withToken('demo/nobody'), withToken('demo/views/nothing')].map(play),
  ]);
  expect(answers.map((answer) => /40[134]/.exec(answer)?.[0])).toEqual(['401', '401', '403', '403', '404', '404']);
  expect(JSON.stringify(gateway.log.lines)).not.toContain(login.password);
  expect(JSON.stringify(gateway.log.lines)).not.toContain(token);
}, 30_000);
