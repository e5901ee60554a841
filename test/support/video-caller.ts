// Owns: a video phone that calls by SIP over UDP: ffmpeg encodes and packs its picture, FFmpeg decodes what it is shown.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import type { SrtpParameters } from '#core/leg-media.ts';
import type { Picture } from '#media/av/picture.ts';
import { VideoDecoder } from '#media/av/video-decoder.ts';
import { SrtpReceiver, SrtpSender } from '#media/legs/srtp.ts';
import { type Depacketiser, H264Depacketiser, Vp8Depacketiser } from '#media/rtp/depacketise.ts';
import { isRtcp, parseRtp } from '#media/rtp/packet.ts';
import { buildFir, buildPli, parseRtcp, type RtcpPacket } from '#media/rtp/rtcp.ts';
import { RtpEncoder } from './rtp-encoder.ts';

const ownSsrc = 0x0bad_cafe;
const waitMs = 20_000;

export type VideoKind = 'h264' | 'h264_mode0' | 'vp8';

/** `[rtpmap, fmtp]` of each kind, as phones write them. */
const described = (kind: VideoKind, type: number): readonly string[] => {
  if (kind === 'vp8') return [`a=rtpmap:${type} VP8/90000`];
  const parameters = kind === 'h264' ? 'profile-level-id=42e015;packetization-mode=1' : 'profile-level-id=42801e';
  return [`a=rtpmap:${type} H264/90000`, `a=fmtp:${type} ${parameters}`];
};
const encoders: Readonly<Record<VideoKind, readonly string[]>> = {
  h264: ['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'],
  h264_mode0: [
    ...['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'],
    ...['-x264-params', 'slice-max-size=1000', '-rtpflags', 'h264_mode0'],
  ],
  vp8: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-auto-alt-ref', '0'],
};

export interface VideoCallerOptions {
  readonly server: { readonly address: string; readonly port: number };
  readonly room: string;
}

export interface OfferedVideo {
  readonly kind: VideoKind;
  /** More lines of the m-line: b=, rtcp-fb, crypto, a direction. */
  readonly lines?: readonly string[];
  readonly protocol?: string;
}

export class VideoCaller {
  readonly events = new EventEmitter<{
    request: [text: string];
    response: [text: string];
    rtcp: [packet: RtcpPacket];
  }>();
  /** The last answer's SDP. */
  answer = '';
  readonly requests: string[] = [];
  readonly rtcp: RtcpPacket[] = [];
  readonly shown = { pictures: 0, keyFrames: 0, packets: 0, largestBytes: 0, unitTypes: new Set<number>() };
  /** To offers of the gateway's: its picture in this format, a voice alone, or a refusal. */
  answersWith: OfferedVideo | 'voice' | 'refusal' = 'refusal';
  /** Lines of its voice, which says nothing: the discard port takes what comes. */
  voice: readonly string[] = ['m=audio 9 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000'];
  onPicture: (picture: Picture) => void = () => undefined;
  /** Of what it is shown. */
  remoteSsrc = 0;
  readonly #options: VideoCallerOptions;
  readonly #sip: Socket;
  readonly #rtp: Socket;
  readonly #callId = randomBytes(8).toString('hex');
  readonly #tag = randomBytes(4).toString('hex');
  #to: string;
  #contact: string;
  #cseq = 0;
  #encoder: RtpEncoder | undefined;
  #decoder: VideoDecoder | undefined;
  #depacketiser: Depacketiser = new H264Depacketiser();
  #isH264 = true;
  #hasKey = false;
  #srtp: { readonly sender: SrtpSender; readonly receiver: SrtpReceiver } | undefined;
  #sent = 0;
  /** Of its picture. */
  #type = 102;
  #isClosed = false;

  static async create(options: VideoCallerOptions): Promise<VideoCaller> {
    const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
    for (const socket of sockets) {
      socket.bind(0, options.server.address);
      await once(socket, 'listening');
    }
    sockets[1].setRecvBufferSize(4 * 1024 * 1024);
    return new VideoCaller(options, ...sockets);
  }

  private constructor(options: VideoCallerOptions, sip: Socket, rtp: Socket) {
    const { server, room } = options;
    this.#options = options;
    this.#sip = sip;
    this.#rtp = rtp;
    this.#to = `<sip:${room}@${server.address}>`;
    this.#contact = `sip:${room}@${server.address}`;
    sip.on('message', (data) => this.#hear(data.toString()));
    rtp.on('message', (data) => this.#receive(data));
  }

  /** First or again; video absent is a voice alone, its m-line refused once there was one. @returns the answer */
  async invite(video?: OfferedVideo, isKept = false): Promise<string> {
    const cseq = ++this.#cseq;
    const answered = this.#final(cseq);
    this.#send('INVITE', cseq, this.#describe(video, isKept), 'application/sdp');
    const text = await answered;
    this.#to = /^To: *(.+)$/im.exec(text)?.[1] ?? this.#to;
    this.#contact = /^Contact: *<([^>]+)>/im.exec(text)?.[1] ?? this.#contact;
    this.#send('ACK', cseq);
    this.answer = text;
    return text;
  }

  async ask(method: string, body = '', contentType = ''): Promise<string> {
    const cseq = ++this.#cseq;
    const answered = this.#final(cseq);
    this.#send(method, cseq, body, contentType);
    return answered;
  }

  /** Begins to send what ffmpeg makes of `color`, in the format that was agreed, and to decode what comes. */
  show(
    kind: VideoKind,
    color: string,
    { keyFrameS = 2, srtp }: { keyFrameS?: number; srtp?: SrtpParameters } = {},
  ): void {
    this.#isH264 = kind !== 'vp8';
    this.#depacketiser = this.#isH264 ? new H264Depacketiser() : new Vp8Depacketiser();
    this.#decoder = new VideoDecoder({ codec: this.#isH264 ? 'h264' : 'vp8' });
    if (srtp) this.#srtp = { sender: new SrtpSender(srtp), receiver: new SrtpReceiver(srtp) };
    void this.#pump(kind, color, keyFrameS);
  }

  requestKeyFrame(by: 'pli' | 'fir'): void {
    const packet = by === 'pli' ? buildPli(ownSsrc, this.remoteSsrc) : buildFir(ownSsrc, this.remoteSsrc, 1);
    const report = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 0]);
    report.writeUInt32BE(ownSsrc, 4);
    const whole = Buffer.concat([report, packet]);
    const { address } = this.#options.server;
    this.#rtp.send(this.#srtp ? this.#srtp.sender.protectRtcp(whole) : whole, this.#videoPort + 1, address);
  }

  async close(): Promise<void> {
    if (!this.#isClosed && this.answer !== '') await this.ask('BYE').catch(() => undefined);
    this.#isClosed = true;
    this.#encoder?.close();
    this.#sip.close();
    this.#rtp.close();
    this.#decoder?.[Symbol.dispose]();
  }

  get #videoPort(): number {
    return Number(/^m=video (\d+)/m.exec(this.answer)?.[1] ?? 0);
  }

  async #pump(kind: VideoKind, color: string, keyFrameS: number): Promise<void> {
    const { address } = this.#options.server;
    const encoder = await RtpEncoder.start({
      input: ['-re', '-f', 'lavfi', '-i', `color=${color}:size=320x240:rate=15`],
      output: [...encoders[kind], '-pix_fmt', 'yuv420p', '-g', String(15 * keyFrameS), '-b:v', '300k'],
    });
    this.#encoder = encoder;
    for (;;) {
      const packet = await encoder.next();
      const port = this.#videoPort;
      if (!packet || this.#isClosed) return;
      if (port === 0) continue;
      packet[1] = ((packet[1] ?? 0) & 0x80) | this.#type;
      packet.writeUInt32BE(ownSsrc, 8);
      const index = this.#sent++;
      packet.writeUInt16BE(index & 0xffff, 2);
      this.#rtp.send(this.#srtp ? this.#srtp.sender.protectRtp(packet, index) : packet, port, address);
    }
  }

  #describe(video: OfferedVideo | undefined, isKept: boolean): string {
    const { address } = this.#options.server;
    const port = this.#rtp.address().port;
    const lines = [
      ...['v=0', `o=- 1 ${this.#cseq} IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0'],
      ...this.voice,
    ];
    if (!video) return [...lines, ...(isKept ? [`m=video 0 RTP/AVP ${this.#type}`] : []), ''].join('\r\n');
    const { kind, protocol = 'RTP/AVP', lines: more = [] } = video;
    const bandwidth = more.filter((line) => line.startsWith('b='));
    const attributes = more.filter((line) => !line.startsWith('b='));
    const type = this.#type;
    const start = [`m=video ${port} ${protocol} ${type}`, ...bandwidth, `a=rtcp:${port}`, ...described(kind, type)];
    return [...lines, ...start, ...attributes, ''].join('\r\n');
  }

  #answerTo(offer: string): string {
    const [, port = '0'] = /^m=video (\d+)/m.exec(offer) ?? [];
    const isVideo = this.answersWith !== 'voice' && this.answersWith !== 'refusal' && port !== '0';
    // What it sends goes there from now on.
    this.answer = offer;
    if (!isVideo) return this.#describe(undefined, /^m=video/m.test(offer));
    const video = this.answersWith as OfferedVideo;
    const map = video.kind === 'vp8' ? /^a=rtpmap:(\d+) VP8/m : /^a=rtpmap:(\d+) H264/m;
    this.#type = Number(map.exec(offer)?.[1] ?? this.#type);
    return this.#describe(video, true);
  }

  #receive(data: Buffer): void {
    if (isRtcp(data)) {
      const plain = this.#srtp ? this.#srtp.receiver.unprotectRtcp(data) : data;
      for (const packet of plain ? parseRtcp(plain) : []) {
        this.rtcp.push(packet);
        this.events.emit('rtcp', packet);
      }
      return;
    }
    const plain = this.#srtp ? this.#srtp.receiver.unprotectRtp(data) : data;
    const packet = plain && parseRtp(plain);
    if (!packet) return;
    this.remoteSsrc = packet.ssrc;
    this.shown.packets += 1;
    this.shown.largestBytes = Math.max(this.shown.largestBytes, packet.payload.length);
    if (this.#isH264) this.shown.unitTypes.add((packet.payload[0] ?? 0) & 0x1f);
    this.#depacketiser.push(packet, ({ data: frame, isKey }) => {
      if (isKey) this.shown.keyFrames += 1;
      this.#hasKey ||= isKey;
      if (!this.#hasKey) return;
      this.#decoder?.decode(frame, 0, (picture) => {
        this.shown.pictures += 1;
        this.onPicture(picture);
      });
    });
  }

  #hear(text: string): void {
    if (text.startsWith('SIP/2.0')) {
      this.events.emit('response', text);
      return;
    }
    this.requests.push(text);
    const copied = text.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    const isOffer = text.startsWith('INVITE');
    const isRefused = isOffer && this.answersWith === 'refusal';
    const body = isOffer && !isRefused ? this.#answerTo(text) : '';
    const more = [`Contact: <sip:video@${this.#options.server.address}:${this.#sip.address().port}>`];
    if (body !== '') more.push('Content-Type: application/sdp');
    const status = isRefused ? '488 Not Acceptable Here' : '200 OK';
    if (!text.startsWith('ACK')) {
      const lines = [`SIP/2.0 ${status}`, ...copied, ...more, `Content-Length: ${Buffer.byteLength(body)}`, '', body];
      this.#transmit(lines.join('\r\n'));
    }
    this.events.emit('request', text);
  }

  async #final(cseq: number): Promise<string> {
    const signal = AbortSignal.timeout(waitMs);
    for (;;) {
      const [text] = (await once(this.events, 'response', { signal })) as [string];
      const status = Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1]);
      if (status < 200 || Number(/^CSeq: *(\d+)/im.exec(text)?.[1]) !== cseq) continue;
      if (status >= 300) throw new Error(text);
      return text;
    }
  }

  #send(method: string, cseq: number, body = '', contentType = ''): void {
    const { address } = this.#options.server;
    const own = `${address}:${this.#sip.address().port}`;
    const lines = [
      `${method} ${this.#contact} SIP/2.0`,
      `Via: SIP/2.0/UDP ${own};rport;branch=z9hG4bK${randomBytes(6).toString('hex')}`,
      ...['Max-Forwards: 70', `From: "Video" <sip:video@${address}>;tag=${this.#tag}`, `To: ${this.#to}`],
      ...[`Call-ID: ${this.#callId}`, `CSeq: ${cseq} ${method}`, `Contact: <sip:video@${own}>`],
      ...(contentType === '' ? [] : [`Content-Type: ${contentType}`]),
      ...[`Content-Length: ${Buffer.byteLength(body)}`, '', body],
    ];
    this.#transmit(lines.join('\r\n'));
  }

  #transmit(text: string): void {
    const { address, port } = this.#options.server;
    if (!this.#isClosed || text.startsWith('BYE')) this.#sip.send(text, port, address);
  }
}

/** Of the middle of a picture: `red`, `blue`, `green`, or what is there. */
export function colorOf(picture: Picture): string {
  const [luma = 0, u = 0, v = 0] = [0, 1, 2].map((plane) => {
    const shift = plane === 0 ? 1 : 2;
    const row = (picture.height >> shift) * (picture.strides[plane] ?? 0);
    return picture.planes[plane]?.[row + (picture.width >> shift)] ?? 0;
  });
  if (v > 180 && u < 130) return 'red';
  if (u > 180 && v < 150) return 'blue';
  if (u < 110 && v < 110 && luma > 40) return 'green';
  return `${luma} ${u} ${v}`;
}
