// Owns: the encoders and cameras that tests of ingress watch: each brings test-picture.ts to a gateway in its own way.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NewStreamKeyResource, StreamingInResource, StreamKeyResource } from '#api/contract.ts';
import type { Job } from '#core/job.ts';
import { encodeFiles } from './ffmpeg-clip.ts';
import type { TestGateway } from './gateway.ts';
import { PeerProcess } from './peer-process.ts';
import { freePort } from './ports.ts';
import { obsEncoding, picture, sound, testInputs } from './test-picture.ts';

/** A quarter of the area, so that several leave enough to the rest. */
const small = ['-vf', 'scale=320:180'] as const;
const forCameras = '-pix_fmt yuv420p -tune zerolatency -g 30 -bf 0 -c:a aac -b:a 96k'.split(' ');
const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'];
/** Of AV1 every other picture only, so that one core among several that are busy is enough to encode it live. */
const av1 =
  '-vf scale=320:180,framestep=2 -pix_fmt yuv420p -g 30 -c:v libsvtav1 -preset 12 -svtav1-params pred-struct=1';

/** Arguments of ffmpeg, up to the output. */
const encodings = {
  obs: obsEncoding(0),
  'obs-b-frames': obsEncoding(2),
  'obs-small': [...small, ...obsEncoding(0)],
  h264: [...small, '-c:v', 'libx264', '-preset', 'veryfast', ...forCameras],
  h265: [...small, ...hevc, ...forCameras],
  av1: `${av1} -c:a libopus -ar 48000 -b:a 128k`.split(' '),
} as const;
type Encoding = keyof typeof encodings;

/** Played over and over: the number in the picture, which is 237 at the end, begins with 0 again as if some were missing. */
const clipS = 25;

const support = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const aac = 'aac transcode opus';

interface Push {
  readonly protocol: 'rtmp' | 'rtsp' | 'srt';
  readonly encoding: Encoding;
  /** Arguments of ffmpeg up to the URL; `enhanced`: FFmpeg 8.1, as Debian's has no enhanced RTMP. */
  readonly output: readonly string[] | 'enhanced';
  /** What is done to its streams. */
  readonly verdicts: readonly string[];
}

interface Camera {
  readonly encoding: 'h264' | 'h265';
  readonly transport: 'tcp' | 'udp';
  readonly verdicts: readonly string[];
}

const flv = ['-f', 'flv'];
const h264 = 'h264 forward h264';
const h265 = 'h265 transcode h264';

const sources = {
  'rtmp-b-frames': {
    ...{ protocol: 'rtmp', encoding: 'obs-b-frames', output: flv },
    verdicts: ['h264 transcode h264', aac],
  },
  rtmp: { protocol: 'rtmp', encoding: 'obs', output: flv, verdicts: [h264, aac] },
  'rtmp-hevc': { protocol: 'rtmp', encoding: 'h265', output: 'enhanced', verdicts: [h265, aac] },
  'rtmp-av1': {
    ...{ protocol: 'rtmp', encoding: 'av1', output: 'enhanced' },
    verdicts: ['av1 transcode h264', 'opus forward opus'],
  },
  rtsp: {
    ...{ protocol: 'rtsp', encoding: 'obs-small', output: ['-f', 'rtsp', '-rtsp_transport', 'tcp'] },
    verdicts: [h264, aac],
  },
  srt: { protocol: 'srt', encoding: 'obs-small', output: ['-f', 'mpegts'], verdicts: [h264, aac] },
  'camera-h264-udp': { encoding: 'h264', transport: 'udp', verdicts: [h264, aac] },
  'camera-h264-tcp': { encoding: 'h264', transport: 'tcp', verdicts: [h264, aac] },
  'camera-h265-udp': { encoding: 'h265', transport: 'udp', verdicts: [h265, aac] },
  'camera-h265-tcp': { encoding: 'h265', transport: 'tcp', verdicts: [h265, aac] },
} as const satisfies Readonly<Record<string, Push | Camera>>;

export type SourceName = keyof typeof sources;
export const sourceNames = Object.keys(sources) as SourceName[];

/** One that has begun to come into the room of its name. */
export interface IngressSource {
  readonly room: SourceName;
  readonly verdicts: readonly string[];
  readonly job: () => Promise<Job | undefined>;
}

/** What all of them send, encoded once: what it costs to encode is not to be had from the machine while they send. */
export async function makeClips(folder: string): Promise<void> {
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound];
  const outputs = Object.entries(encodings).flatMap(([name, encoding]) => [
    ...['-map', '0:v', '-map', '1:a', '-t', String(clipS)],
    ...[...encoding, join(folder, `${name}.mp4`)],
  ]);
  await encodeFiles(...inputs, ...outputs);
}

export class IngressSources {
  readonly #gateway: TestGateway;
  readonly #clips: string | undefined;
  readonly #peers: PeerProcess[] = [];

  /** @param clips the folder where they are; without it each encodes for itself */
  constructor(gateway: TestGateway, clips?: string) {
    this.#gateway = gateway;
    this.#clips = clips;
  }

  /** The room has to be there. */
  async start(room: SourceName): Promise<IngressSource> {
    const source: Push | Camera = sources[room];
    const job = await ('protocol' in source ? this.#push(room, source) : this.#serve(room, source));
    return { room, verdicts: source.verdicts, job };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.stop('SIGKILL')));
  }

  async #push(room: SourceName, { protocol, encoding, output }: Push): Promise<IngressSource['job']> {
    const { api } = this.#gateway;
    const { id, url } = await api<NewStreamKeyResource>('POST', '/api/stream-keys', { room, name: room, protocol });
    if (output === 'enhanced') this.#run(process.execPath, ...this.#enhanced(url, encoding));
    else this.#run('ffmpeg', ...this.#media(encoding), ...output, url);
    return async () => this.#jobOf(await api<StreamKeyResource>('GET', `/api/stream-keys/${id}`));
  }

  /** From a camera of GStreamer's, which serves what ffmpeg gives it. */
  async #serve(room: SourceName, { encoding, transport }: Camera): Promise<IngressSource['job']> {
    const { api } = this.#gateway;
    const feedPort = await freePort();
    const camera = this.#run('/usr/bin/python3', support('gst-camera.py'), transport, `${encoding}@${feedPort}`);
    const [, port] = await camera.says(/listening on (\d+)/);
    this.#run('ffmpeg', ...this.#media(encoding), '-f', 'mpegts', `udp://127.0.0.1:${feedPort}?pkt_size=1316`);
    const path = `/api/rooms/${room}/streaming-ins`;
    const url = `rtsp://127.0.0.1:${port}/fed-${encoding}`;
    const { id } = await api<StreamingInResource>('POST', path, { url, transport, name: room });
    return async () => this.#jobOf(await api<StreamingInResource>('GET', `${path}/${id}`));
  }

  #enhanced(url: string, encoding: Encoding): readonly string[] {
    if (this.#clips) return [support('enhanced-pusher.ts'), url, this.#clip(encoding), String(clipS)];
    return [
      support('enhanced-encoder.ts'),
      url,
      ...(encoding === 'av1' ? ['libsvtav1', 'libopus'] : ['libx265', 'aac']),
    ];
  }

  #clip(encoding: Encoding): string {
    return join(this.#clips ?? '', `${encoding}.mp4`);
  }

  /** Arguments of ffmpeg up to the output, in real time. */
  #media(encoding: Encoding): readonly string[] {
    if (!this.#clips) return [...testInputs, ...encodings[encoding]];
    const clip = ['-re', '-stream_loop', '-1', '-i', this.#clip(encoding)];
    return ['-hide_banner', '-nostdin', '-loglevel', 'warning', ...clip, '-c', 'copy'];
  }

  #jobOf({ jobId }: StreamKeyResource | StreamingInResource): Job | undefined {
    return this.#gateway.app.media.jobs.get(jobId as Job['id']);
  }

  #run(program: string, ...args: readonly string[]): PeerProcess {
    const peer = new PeerProcess(program, args);
    this.#peers.push(peer);
    return peer;
  }
}
