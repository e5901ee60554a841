// Owns: a participant whose camera is a plain colour with its frame number, sent by RTP without a browser.
import { randomFillSync } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Participant } from '#core/participant.ts';
import type { SfuPlainTransport } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Publication, TrackSource } from '#core/track.ts';
import type { Rotation, Yuv } from '#media/av/canvas.ts';
import { Picture } from '#media/av/picture.ts';
import { VideoEncoder } from '#media/av/video-encoder.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { splitAnnexB } from '#media/rtp/h264.ts';
import { isRtcp } from '#media/rtp/packet.ts';
import { packetiseH264, packetiseVp8, packetiseVp9 } from '#media/rtp/packetise.ts';
import { parseRtcp } from '#media/rtp/rtcp.ts';
import { RtpSender } from '#media/rtp/sender.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { roomPayloads } from '#media/track-codecs.ts';

export interface CameraOptions {
  readonly name: string;
  /** `#rrggbb` */
  readonly color: string;
  readonly codec?: 'h264' | 'vp8' | 'vp9';
  readonly width?: number;
  readonly height?: number;
  readonly framerateHz?: number;
  readonly source?: TrackSource;
  readonly displayName?: string;
  /**
   * What a telephone films: the colour is that of its lower half. It is sent as the camera lies in the hand, and each
   * frame says how to turn it (CVO, 3GPP TS 26.114 §7.4.5).
   */
  readonly sky?: string;
  /** Noise in the second quarter from above, which takes all the bits that there are. */
  readonly isGrainy?: boolean;
}

let lastSsrc = 70_000;
const orientation = { uri: 'urn:3gpp:video-orientation', id: 4 } as const;

export class CameraPeer {
  readonly participant: Participant;
  readonly publication: Publication;
  readonly #options: CameraOptions;
  readonly #socket: Socket;
  readonly #transport: SfuPlainTransport;
  readonly #sender: RtpSender;
  #encoder: VideoEncoder | undefined;
  #picture: Picture | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #color: string;
  #turn: Rotation = 0;
  #pictureId = 0;
  #isClosed = false;
  frames = 0;
  keyFramesAsked = 0;

  static async join(room: Room, options: CameraOptions): Promise<CameraPeer> {
    const { name, displayName = name, source = 'camera', codec = 'h264' } = options;
    const participant = room.join({ kind: 'webrtc', user: name, displayName, role: 'presenter' });
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const transport = await room.media.createPlainTransport();
    await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
    const ssrc = ++lastSsrc;
    const publication = await participant.publish(transport, {
      kind: 'video',
      source,
      rtpParameters: {
        codecs: [roomPayloads[codec].parameters],
        encodings: [{ ssrc }],
        ...(options.sky !== undefined && { headerExtensions: [orientation] }),
      },
    });
    return new CameraPeer(options, participant, publication, transport, socket, ssrc);
  }

  private constructor(
    options: CameraOptions,
    participant: Participant,
    publication: Publication,
    transport: SfuPlainTransport,
    socket: Socket,
    ssrc: number,
  ) {
    this.#options = options;
    this.#color = options.color;
    this.participant = participant;
    this.publication = publication;
    this.#transport = transport;
    this.#socket = socket;
    this.#sender = new RtpSender({
      payloadType: roomPayloads[options.codec ?? 'h264'].payloadType,
      clockRateHz: 90_000,
      cname: options.name,
      position: { ssrc, sequenceNumber: 1, rtpTimestamp: 1, clockUs: clockNowUs() },
      send: (packet) => this.sendRaw(options.sky === undefined ? packet : oriented(packet, this.#turn)),
    });
    socket.on('message', (data) => {
      if (!isRtcp(data) || !parseRtcp(data).some(({ kind }) => kind === 'pli' || kind === 'fir')) return;
      this.keyFramesAsked += 1;
      this.#encoder?.requestKeyFrame();
    });
    this.setSize(options.width ?? 320, options.height ?? 180);
    this.resume();
  }

  get color(): string {
    return this.#color;
  }

  setColor(color: string): void {
    this.#color = color;
  }

  /** @param degrees clockwise, by which what it sends is to be turned */
  hold(degrees: Rotation): void {
    this.#turn = degrees;
  }

  setSize(width: number, height: number): void {
    this.#encoder?.[Symbol.dispose]();
    this.#picture?.[Symbol.dispose]();
    const { codec = 'h264', framerateHz = 30 } = this.#options;
    this.#encoder = new VideoEncoder({ codec, width, height, framerateHz, bitrateBps: 800_000, preset: 'ultrafast' });
    this.#picture = Picture.blank(width, height);
  }

  /** Sends no more, as a camera that hangs. */
  freeze(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    if (this.#timer) return;
    this.#dueMs = performance.now();
    this.#schedule();
  }

  /** Timers go by whole milliseconds: counted from each other, 60 a second are 60. What is missed is left out. */
  #schedule(): void {
    const nowMs = performance.now();
    this.#dueMs = Math.max(nowMs, this.#dueMs + 1_000 / (this.#options.framerateHz ?? 30));
    this.#timer = setTimeout(() => {
      this.#send();
      if (this.#timer) this.#schedule();
    }, this.#dueMs - nowMs);
  }

  /** Past the encoder. */
  sendRaw(packet: Buffer): void {
    if (!this.#transport.isClosed) this.#socket.send(packet, this.#transport.localPort, this.#transport.localAddress);
  }

  /** Payloads of anybody's making, in order with the rest. */
  sendPayloads(payloads: readonly Uint8Array[]): void {
    this.#sender.sendFrame(payloads, clockNowUs(), { isKey: false });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.freeze();
    await this.participant.close();
    this.#transport.close();
    this.#socket.close();
    this.#encoder?.[Symbol.dispose]();
    this.#picture?.[Symbol.dispose]();
  }

  #send(): void {
    const picture = this.#picture;
    if (!picture) return;
    picture.makeWritable();
    const { y, u, v } = toYuv(this.#color);
    for (const [index, value] of [y, u, v].entries()) picture.planes[index]?.fill(value);
    if (this.#options.isGrainy) drawGrain(picture);
    if (this.#options.sky === undefined) this.#drawNumber(picture);
    else drawSky(picture, toYuv(this.#options.sky), this.#turn);
    this.#encoder?.encode(picture, clockNowUs(), ({ data, isKey }) => {
      this.#sender.sendFrame(this.#packetise(data, isKey), clockNowUs(), { isKey });
    });
    this.frames += 1;
  }

  /** Eight boxes in the upper quarter, for those that are large enough. */
  #drawNumber({ planes: [luma, blue, red], strides: [stride = 0, halfStride = 0], width, height }: Picture): void {
    if (width < 128) return;
    for (let row = 0; row < height >> 2; row++) {
      for (let bit = 0; bit < 8; bit++) {
        const isSet = (this.frames >> bit) & 1;
        luma?.fill(isSet ? 235 : 16, row * stride + bit * (width >> 3), row * stride + (bit + 1) * (width >> 3));
      }
    }
    for (const plane of [blue, red]) plane?.fill(128, 0, (height >> 3) * halfStride);
  }

  #packetise(data: Buffer, isKey: boolean): Uint8Array[] {
    const { codec = 'h264' } = this.#options;
    if (codec === 'vp8') return packetiseVp8(data, this.#pictureId++);
    return codec === 'vp9' ? packetiseVp9(data, this.#pictureId++, isKey) : packetiseH264(splitAnnexB(data));
  }
}

/** Where the upper half of what is seen lies in the picture before it is turned. */
function drawSky({ planes, strides, width, height }: Picture, { y, u, v }: Yuv, turn: Rotation): void {
  for (const [index, value] of [y, u, v].entries()) {
    const [columns, rows] = index === 0 ? [width, height] : [width >> 1, height >> 1];
    const isSide = turn === 90 || turn === 270;
    const [left, right] = isSide ? (turn === 90 ? [0, columns >> 1] : [columns >> 1, columns]) : [0, columns];
    const [top, bottom] = isSide ? [0, rows] : turn === 0 ? [0, rows >> 1] : [rows >> 1, rows];
    for (let row = top; row < bottom; row++) {
      const start = row * (strides[index] ?? 0);
      planes[index]?.fill(value, start + left, start + right);
    }
  }
}

/** With its orientation in a one-byte header extension (RFC 8285 §4.2). */
function oriented(packet: Buffer, turn: Rotation): Buffer {
  const extension = Buffer.from([0xbe, 0xde, 0, 1, orientation.id << 4, turn / 90, 0, 0]);
  const whole = Buffer.concat([packet.subarray(0, 12), extension, packet.subarray(12)]);
  whole[0] = (whole[0] ?? 0) | 0x10;
  return whole;
}

function drawGrain({ planes: [luma], strides: [stride = 0], height }: Picture): void {
  const grain = luma?.subarray((height >> 2) * stride, (height >> 1) * stride);
  if (grain) randomFillSync(grain);
}
