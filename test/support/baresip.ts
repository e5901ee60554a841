// Owns: baresip as a phone in tests: a real user agent with its own SIP, RTP and SRTP, driven over its control socket.
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { PeerProcess } from './peer-process.ts';
import { freePort, whenListening } from './ports.ts';

export interface BaresipOptions {
  /** Of the tone that it speaks. */
  readonly toneHz: number;
  /** `srtp-mand` for SDES that must be. */
  readonly mediaEncryption?: string;
  readonly codec?: 'pcmu' | 'opus' | 'G722';
  /** It sends a green picture of 320×240 in this codec. */
  readonly video?: 'vp8' | 'h264' | undefined;
  /** Registers there: `alice@127.0.0.1:5060;transport=tcp`. It answers calls by itself then. */
  readonly account?: { readonly address: string; readonly password: string } | undefined;
}

/** Its last chunk, IEND, with its checksum. */
const pngEnd = Buffer.from('49454e44ae426082', 'hex');

const modulesFolder = '/usr/lib/baresip/modules';

/** Its package has VP8; H264 comes with baresip-ffmpeg. */
export const baresipHasH264 = (): boolean => existsSync(join(modulesFolder, 'avcodec.so'));

interface Heard {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
}

export class Baresip {
  readonly process: PeerProcess;
  readonly #folder: string;
  readonly #socket: Socket;
  readonly #events = new EventEmitter();
  readonly #seen: string[] = [];
  #waiting = '';

  private constructor(process: PeerProcess, folder: string, socket: Socket) {
    this.process = process;
    this.#folder = folder;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
  }

  static async start({
    toneHz,
    mediaEncryption,
    codec = 'pcmu',
    video,
    account: registered,
  }: BaresipOptions): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), 'baresip-'));
    const [control, sip] = [await freePort(), await freePort()];
    const pictures = video ? [video === 'h264' ? 'avcodec' : 'vp8', 'fakevideo', 'snapshot'] : [];
    const modules = ['g711', 'g722', 'opus', 'ausine', 'aubridge', 'sndfile', 'srtp', ...pictures];
    const config = [
      `module_path ${modulesFolder}`,
      ...modules.map((name) => `module ${name}.so`),
      ...['account', 'menu', 'ctrl_tcp'].map((name) => `module_app ${name}.so`),
      `ctrl_tcp_listen 127.0.0.1:${control}`,
      `sip_listen 127.0.0.1:${sip}`,
      'net_interface 127.0.0.1',
      `audio_source ausine,${toneHz}`,
      'audio_player aubridge,nobody',
      'audio_alert aubridge,nobody',
      // Its tone comes in stereo and at 48 kHz alone.
      'ausrc_srate 48000',
      'ausrc_channels 2',
      'auplay_channels 1',
      `snd_path ${folder}`,
      'statmode_default off',
      ...(video
        ? ['video_source fakevideo,nil', 'video_display fakevideo,nil', 'video_fps 15', 'video_size 320x240']
        : []),
    ];
    const encryption = mediaEncryption === undefined ? '' : `;mediaenc=${mediaEncryption}`;
    await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
    const login = registered ? `;regint=60;auth_pass=${registered.password};answermode=auto` : ';regint=0';
    const address = registered?.address ?? 'bare@127.0.0.1';
    const account = `"Bare Sip" <sip:${address}>${login};audio_codecs=${codec}${encryption}`;
    await writeFile(join(folder, 'accounts'), `${account}\n`);
    await writeFile(join(folder, 'contacts'), '');
    const process = new PeerProcess('baresip', ['-f', folder, '-v'], { cwd: folder });
    await whenListening(control);
    const socket = connect(control, '127.0.0.1');
    await once(socket, 'connect');
    return new Baresip(process, folder, socket);
  }

  /** A command of its menu: `dial`, `hangup`, `hold`, `resume`, `sndcode`. */
  command(command: string, params = ''): void {
    const text = JSON.stringify({ command, params });
    this.#socket.write(`${Buffer.byteLength(text)}:${text},`);
  }

  /** Until baresip has told of such an event (`CALL_ESTABLISHED`), or has before. */
  async saw(type: string): Promise<void> {
    const signal = AbortSignal.timeout(15_000);
    while (!this.#seen.includes(type)) {
      await once(this.#events, 'seen', { signal }).catch(() => {
        throw new Error(`no ${type}, only ${this.#seen.join(', ')}: ${this.process.output.slice(-3_000)}`);
      });
    }
  }

  /** What it decoded so far in its calls. */
  async heard(): Promise<Heard> {
    const name = (await readdir(this.#folder)).find((each) => /^dump.*-dec\.wav$/.test(each));
    if (name === undefined) return { samples: new Int16Array(), sampleRateHz: 8_000 };
    const bytes = await readFile(join(this.#folder, name));
    // The header is 44 bytes; its length stands there only after the file was closed.
    const pcm = bytes.subarray(44, bytes.length - (bytes.length % 2));
    return {
      samples: Int16Array.from({ length: pcm.length / 2 }, (_, i) => pcm.readInt16LE(i * 2)),
      sampleRateHz: bytes.readUInt32LE(24),
    };
  }

  /** @returns a PNG of what it is shown now; rejects where it ends before */
  async snapshot(): Promise<Buffer> {
    const written = /wrote (snapshot-recv\S+)/g;
    const before = [...this.process.output.matchAll(written)].length;
    this.command('snapshot');
    const after = new RegExp(`(?:wrote snapshot-recv[^]*?){${before}}${written.source}`);
    const [, name = ''] = await this.process.says(after);
    // It says so before all of it is in the file, which two snapshots of one second share.
    const read = () => readFile(join(this.#folder, name));
    let image: Buffer = Buffer.alloc(0);
    await vi.waitUntil(async () => {
      image = await read();
      return image.subarray(-pngEnd.length).equals(pngEnd);
    });
    return image;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.process.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #receive(chunk: Buffer): void {
    this.#waiting += chunk.toString('latin1');
    for (;;) {
      const head = /^(\d+):/.exec(this.#waiting);
      const end = head ? head[0].length + Number(head[1]) : 0;
      if (!head || this.#waiting.length < end + 1) return;
      const { type } = JSON.parse(this.#waiting.slice(head[0].length, end)) as { type?: string };
      this.#waiting = this.#waiting.slice(end + 1);
      if (type !== undefined) this.#seen.push(type);
      this.#events.emit('seen');
    }
  }
}
