// Owns: a viewer without a browser: consumes a room's streams on a plain transport and decodes what comes.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { SfuConsumer, SfuPlainTransport, SfuProducer, SfuRoom } from '#core/ports.ts';
import { AudioDecoder } from '#media/av/audio-decoder.ts';
import type { Picture } from '#media/av/picture.ts';
import { readNumber } from '#media/av/test-signals.ts';
import { VideoDecoder } from '#media/av/video-decoder.ts';
import {
  type Depacketiser,
  H264Depacketiser,
  PlainDepacketiser,
  Vp8Depacketiser,
  Vp9Depacketiser,
} from '#media/rtp/depacketise.ts';
import { isRtcp, parseRtp, type RtpPacket } from '#media/rtp/packet.ts';
import { ReorderBuffer } from '#media/rtp/reorder.ts';
import { buildPli, parseRtcp } from '#media/rtp/rtcp.ts';
import { clockNowUs, fromNtp, timestampDistance } from '#media/rtp/sequence.ts';

export interface SeenPicture {
  readonly number: number;
  readonly width: number;
  readonly height: number;
  readonly rtpTimestamp: number;
  readonly arrivalUs: number;
  /** When it is to be shown by the sender's reports, microseconds since 1970; undefined before the first report. */
  readonly unixUs: number | undefined;
}

export interface HeardFrame {
  /** 48 kHz mono. */
  readonly samples: Int16Array;
  readonly rtpTimestamp: number;
  readonly arrivalUs: number;
  readonly unixUs: number | undefined;
}

/** What time a timestamp of a stream stands for, by the sender (RFC 3550 §6.4.1). */
export interface SeenReport {
  readonly kind: 'audio' | 'video';
  readonly unixUs: number;
  readonly rtpTimestamp: number;
  readonly arrivalUs: number;
}

interface Stream {
  readonly kind: 'audio' | 'video';
  readonly consumer: SfuConsumer;
  readonly clockRateHz: number;
  readonly depacketiser: Depacketiser;
  readonly video: VideoDecoder | undefined;
  readonly audio: AudioDecoder | undefined;
  readonly order: ReorderBuffer;
  report: SeenReport | undefined;
  hasKey: boolean;
}

const ownSsrc = 0x51ee7;

export class RoomViewer {
  readonly pictures: SeenPicture[] = [];
  readonly heard: HeardFrame[] = [];
  readonly reports: SeenReport[] = [];
  readonly #socket: Socket;
  readonly #transport: SfuPlainTransport;
  readonly #room: SfuRoom;
  readonly #streams = new Map<number, Stream>();
  #wake: () => void = () => undefined;
  /** Sees each picture while it is there. */
  onPicture: (picture: Picture) => void = () => undefined;
  packets = 0;

  static async join(room: SfuRoom): Promise<RoomViewer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setRecvBufferSize(4 * 1024 * 1024);
    const transport = await room.createPlainTransport();
    await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
    return new RoomViewer(room, socket, transport);
  }

  private constructor(room: SfuRoom, socket: Socket, transport: SfuPlainTransport) {
    this.#room = room;
    this.#socket = socket;
    this.#transport = transport;
    socket.on('message', (data) => this.#receive(data));
  }

  async watch(producer: SfuProducer): Promise<SfuConsumer> {
    const { codecs = [] } = this.#room.rtpCapabilities;
    const consumer = await this.#transport.consume({
      producer,
      rtpCapabilities: { codecs: codecs.filter((codec) => !/rtx/i.test(codec.mimeType)), headerExtensions: [] },
    });
    const codec = consumer.rtpParameters.codecs[0];
    const ssrc = consumer.rtpParameters.encodings?.[0]?.ssrc ?? 0;
    const name = codec?.mimeType.split('/')[1]?.toLowerCase() ?? '';
    const isVideo = consumer.kind === 'video';
    this.#streams.set(ssrc, {
      kind: consumer.kind,
      consumer,
      clockRateHz: codec?.clockRate ?? 0,
      depacketiser: depacketiserFor(name),
      video: isVideo ? new VideoDecoder({ codec: name === 'vp8' || name === 'vp9' ? name : 'h264' }) : undefined,
      audio: isVideo
        ? undefined
        : new AudioDecoder({
            codec: name === 'opus' || name === 'pcmu' || name === 'pcma' ? name : 'g722',
            sampleRateHz: codec?.clockRate,
            channels: 1,
            output: { sampleRateHz: 48_000, channels: 1 },
          }),
      order: new ReorderBuffer({ maxWaitUs: 200_000, maxPackets: 2_000 }),
      report: undefined,
      hasKey: false,
    });
    await consumer.resume();
    return consumer;
  }

  get packetsLost(): number {
    let lost = 0;
    for (const { order } of this.#streams.values()) lost += order.lost;
    return lost;
  }

  /** Resolves when `isEnough`, asked after each packet. */
  async until(isEnough: (viewer: RoomViewer) => boolean): Promise<void> {
    while (!isEnough(this)) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  requestKeyFrame(): void {
    for (const [ssrc, { kind }] of this.#streams) {
      if (kind !== 'video') continue;
      this.#socket.send(buildPli(ownSsrc, ssrc), this.#transport.localPort, this.#transport.localAddress);
    }
  }

  close(): void {
    this.#transport.close();
    this.#socket.close();
    for (const { video, audio } of this.#streams.values()) {
      video?.[Symbol.dispose]();
      audio?.[Symbol.dispose]();
    }
  }

  #receive(data: Buffer): void {
    if (isRtcp(data)) {
      for (const packet of parseRtcp(data)) {
        const stream = packet.kind === 'sr' ? this.#streams.get(packet.ssrc) : undefined;
        if (packet.kind !== 'sr' || !stream) continue;
        const { ntpSeconds, ntpFraction, rtpTimestamp } = packet;
        const unixUs = fromNtp(ntpSeconds, ntpFraction);
        stream.report = { kind: stream.kind, unixUs, rtpTimestamp, arrivalUs: clockNowUs() };
        this.reports.push(stream.report);
      }
      return;
    }
    const packet = parseRtp(data);
    const stream = packet && this.#streams.get(packet.ssrc);
    if (!packet || !stream) return;
    this.packets += 1;
    const arrivalUs = clockNowUs();
    stream.order.push(packet, arrivalUs, (ordered) => this.#show(ordered, stream, arrivalUs));
    this.#wake();
  }

  #show(packet: RtpPacket, stream: Stream, arrivalUs: number): void {
    stream.depacketiser.push(packet, (frame) => {
      const { report } = stream;
      const rtpTimestamp = frame.timestamp;
      const ticks = report && timestampDistance(rtpTimestamp, report.rtpTimestamp);
      const unixUs = report && ticks !== undefined ? report.unixUs + (ticks * 1e6) / stream.clockRateHz : undefined;
      stream.audio?.decode(frame.data, 0, (samples) => this.heard.push({ samples, rtpTimestamp, arrivalUs, unixUs }));
      stream.hasKey ||= frame.isKey;
      if (!stream.hasKey) return;
      stream.video?.decode(frame.data, 0, (picture) => {
        const { width, height } = picture;
        this.onPicture(picture);
        this.pictures.push({ number: readNumber(picture), width, height, rtpTimestamp, arrivalUs, unixUs });
      });
    });
  }
}

function depacketiserFor(codec: string): Depacketiser {
  if (codec === 'vp8') return new Vp8Depacketiser();
  if (codec === 'vp9') return new Vp9Depacketiser();
  return codec === 'h264' ? new H264Depacketiser() : new PlainDepacketiser();
}
