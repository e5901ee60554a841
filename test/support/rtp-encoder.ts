// Owns: ffmpeg as an encoder that sends RTP: whatever codec it has, described by the SDP it writes.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'sdp-transform';
import type { RtpFormat } from '#core/media-source.ts';

export interface RtpEncoderOptions {
  /** Before the encoder: `-f lavfi -i sine`; `pipe:0` reads what is written to `input`. */
  readonly input: readonly string[];
  /** Of the encoder: `-c:v libx265 -g 30`. */
  readonly output: readonly string[];
}

/** RFC 3551 §6: these need no a=rtpmap, and ffmpeg writes none. */
const staticFormats: readonly { payload: number; codec: string; rate?: number; encoding?: number }[] = [
  { payload: 0, codec: 'PCMU', rate: 8_000 },
  { payload: 8, codec: 'PCMA', rate: 8_000 },
  { payload: 9, codec: 'G722', rate: 8_000 },
  { payload: 10, codec: 'L16', rate: 44_100, encoding: 2 },
  { payload: 26, codec: 'JPEG', rate: 90_000 },
];

export class RtpEncoder {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #sockets: readonly Socket[];
  readonly #packets: Buffer[] = [];
  #wake: () => void = () => undefined;
  #sdp = '';
  #errors = '';
  #hasEnded = false;
  #packetCount = 0;

  static async start(options: RtpEncoderOptions): Promise<RtpEncoder> {
    const rtp = createSocket('udp4');
    rtp.bind(0, '127.0.0.1');
    await once(rtp, 'listening');
    rtp.setRecvBufferSize(4 * 1024 * 1024);
    return new RtpEncoder(options, rtp);
  }

  private constructor({ input, output }: RtpEncoderOptions, rtp: Socket) {
    this.#sockets = [rtp];
    rtp.on('message', (data) => {
      this.#packets.push(data);
      this.#packetCount += 1;
      this.#wake();
    });
    const target = `rtp://127.0.0.1:${rtp.address().port}?pkt_size=1200`;
    const args = [
      '-hide_banner',
      '-loglevel',
      'error',
      ...input,
      ...output,
      '-f',
      'rtp',
      '-sdp_file',
      'pipe:1',
      target,
    ];
    this.#child = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#sdp += text;
      this.#wake();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    // It may end before it has read everything.
    this.#child.stdin.on('error', () => undefined);
    this.#child.once('exit', () => void this.#drain());
  }

  /** What it sent last is still in the socket when its end is told: goes on until a turn brings nothing more. */
  async #drain(): Promise<void> {
    let known = -1;
    while (known !== this.#packetCount) {
      known = this.#packetCount;
      await setImmediate();
      await setImmediate();
    }
    this.#hasEnded = true;
    this.#wake();
  }

  get input(): Writable {
    return this.#child.stdin;
  }

  /** From its SDP, once it has written it. */
  async format(): Promise<RtpFormat> {
    await this.#until(() => this.#sdp.includes('m=') && this.#sdp.endsWith('\n'));
    const media = parse(this.#sdp).media[0];
    const map = media?.rtp[0] ?? staticFormats.find(({ payload }) => payload === Number(media?.payloads));
    if (!map) throw new Error(`no format in ${this.#sdp}`);
    const config = media?.fmtp[0]?.config ?? '';
    const pairs = config.split(';').map((pair) => pair.trim().split(/=(.*)/s));
    return {
      payloadType: map.payload,
      encodingName: map.codec,
      clockRateHz: map.rate ?? 8_000,
      channels: Number(map.encoding ?? 1),
      formatParameters: Object.fromEntries(pairs.map(([name = '', value = '']) => [name.toLowerCase(), value])),
    };
  }

  /** The next packet; undefined after the last. */
  async next(): Promise<Buffer | undefined> {
    await this.#until(() => this.#packets.length > 0 || this.#hasEnded, true);
    return this.#packets.shift();
  }

  close(): void {
    this.#child.kill('SIGKILL');
    for (const socket of this.#sockets) socket.close();
  }

  async #until(isTrue: () => boolean, mayEnd = false): Promise<void> {
    while (!isTrue()) {
      if (this.#hasEnded && !mayEnd) throw new Error(`ffmpeg ended: ${this.#errors}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
