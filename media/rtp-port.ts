// Owns: the one UDP socket of a media worker: links to SFU rooms, senders by SSRC, pacing. Folder: the media worker
// process. May import: core/{errors,ids,codecs,media-source,job}, telemetry, and its own folders.

import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { type CaptureClock, ReportClock } from './rtp/capture-clock.ts';
import { Pace } from './rtp/pace.ts';
import { isRtcp } from './rtp/packet.ts';
import { QueueMeter } from './rtp/queue-meter.ts';
import { parseRtcp, type RtcpPacket } from './rtp/rtcp.ts';
import type { RtpSender } from './rtp/sender.ts';
import { clockNowUs } from './rtp/sequence.ts';

/** A key frame of 100 kB would overrun the default receive buffer of the SFU's socket, which has this many times so much room. */
const packetsPerMs = 48;
/** As much as the SFU's socket holds eight times: it gets what ours does, and others send there too. */
const mostAtOnce = 512;
const bytesHeldPerPacket = 2_304;
const retryMs = 1;
const reportIntervalMs = 1_000;
const lookIntervalMs = 100;
/** It comes and goes with the load: said no more often. */
const toldIntervalMs = 10_000;
/**
 * Since the first packet of a sender that was published: reports of a stream of which it has had none the SFU throws away.
 * It goes by reports, instead of by when packets happen to come, once it has had three at different moments; what it tells
 * receivers before that disturbs their idea of what is in step for half a minute.
 */
const firstReportsMs = [0, 5, 10, 200, 400, 600, 800];
const socketBufferBytes = 4 * 1024 * 1024;
/** What waits for its turn; beyond it the oldest is worthless. */
const maxQueuedPackets = 8_192;

export interface RtpFeedback {
  keyFrameRequested(): void;
}

export interface RtpLink {
  readonly id: number;
  readonly ip: string;
  readonly port: number;
}

interface Receiving {
  readonly link: RtpLink;
  readonly receive: (packet: Buffer) => void;
  readonly clock: CaptureClock | undefined;
}

interface Sending {
  readonly sender: RtpSender;
  readonly link: RtpLink;
  readonly feedback: RtpFeedback;
  reportTimer?: NodeJS.Timeout | undefined;
}

export class RtpPort {
  readonly #socket: Socket;
  readonly #links = new Map<number, RtpLink>();
  readonly #sendings = new Map<number, Sending>();
  /** By SSRC: whose first packet for the other end has not gone yet. */
  readonly #unheard = new Set<number>();
  readonly #receivers = new Map<number, Receiving>();
  /** Of the SFU at the other end of each link. */
  readonly #clocks = new WeakMap<RtpLink, ReportClock>();
  readonly #queue: { packet: Buffer; link: RtpLink }[] = [];
  readonly #reports: NodeJS.Timeout;
  readonly #meter = new QueueMeter();
  readonly #looks: NodeJS.Timeout;
  readonly #pace: Pace;
  #drainTimer: NodeJS.Timeout | undefined;
  droppedPackets = 0;
  /** Told when it falls behind, once in a while. */
  onBehind: () => void = () => undefined;
  #behindToldMs = Number.NEGATIVE_INFINITY;

  /** @param port 0 for any; one that is taken is replaced by another */
  static async bind(port: number): Promise<RtpPort> {
    try {
      return new RtpPort(await bindSocket(port));
    } catch (error) {
      if (port === 0) throw error;
      return new RtpPort(await bindSocket(0));
    }
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setRecvBufferSize(socketBufferBytes);
    socket.setSendBufferSize(socketBufferBytes);
    socket.on('message', (data, from) => this.#receive(data, from.address, from.port));
    const eighth = socket.getRecvBufferSize() / bytesHeldPerPacket / 8;
    this.#pace = new Pace({ perMs: packetsPerMs, burst: Math.min(mostAtOnce, Math.max(packetsPerMs, eighth)) });
    // ICMP of a transport that is gone; the SFU tells of it in its own way.
    socket.on('error', () => undefined);
    this.#reports = setInterval(() => this.#sendReports(), reportIntervalMs);
    this.#looks = setInterval(() => this.#look(), lookIntervalMs);
  }

  /** More comes than this process can take in: what can be done without is to be passed over until it has caught up. */
  get isBehind(): boolean {
    return this.#meter.isBehind;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  openLink(link: RtpLink): void {
    this.#links.set(link.id, link);
  }

  closeLink(id: number): void {
    this.#links.delete(id);
  }

  link(id: number): RtpLink | undefined {
    return this.#links.get(id);
  }

  /** An SSRC that nothing here uses. */
  newSsrc(): number {
    for (;;) {
      const ssrc = randomInt(1, 0xffffffff);
      if (!this.#sendings.has(ssrc)) return ssrc;
    }
  }

  add(sender: RtpSender, link: RtpLink, feedback: RtpFeedback): void {
    this.remove(sender.ssrc);
    this.#sendings.set(sender.ssrc, { sender, link, feedback });
  }

  remove(ssrc: number): void {
    clearTimeout(this.#sendings.get(ssrc)?.reportTimer);
    this.#sendings.delete(ssrc);
    this.#unheard.delete(ssrc);
  }

  /** The other end takes this sender from now on, and knows nothing of its clock yet. */
  introduce(ssrc: number): void {
    if (this.#sendings.has(ssrc)) this.#unheard.add(ssrc);
  }

  #introduce(sending: Sending, step: number): void {
    clearTimeout(sending.reportTimer);
    this.#report(sending);
    const next = step + 1;
    if (next === firstReportsMs.length) return;
    const waitMs = (firstReportsMs[next] ?? 0) - (firstReportsMs[step] ?? 0);
    sending.reportTimer = setTimeout(() => this.#introduce(sending, next), waitMs);
  }

  /** Its reports go right behind it. */
  #noteSent(packet: Buffer): void {
    const ssrc = isRtcp(packet) ? undefined : packet.readUInt32BE(8);
    const sending = ssrc === undefined || !this.#unheard.delete(ssrc) ? undefined : this.#sendings.get(ssrc);
    if (sending) this.#introduce(sending, 0);
  }

  /**
   * Lets packets of a stream that the room sends on this link through. They may be kept.
   * @param clock is told of the stream's sender reports
   */
  listen(ssrc: number, link: RtpLink, receive: (packet: Buffer) => void, clock?: CaptureClock): void {
    this.#receivers.set(ssrc, { link, receive, clock });
  }

  unlisten(ssrc: number): void {
    this.#receivers.delete(ssrc);
  }

  send(packet: Buffer, link: RtpLink): void {
    if (this.#queue.length === 0 && this.#pace.take(performance.now())) this.#write(packet, link);
    else if (this.#queue.length < maxQueuedPackets) this.#queue.push({ packet, link });
    else this.droppedPackets += 1;
    if (this.#queue.length > 0) this.#drainTimer ??= setTimeout(() => this.#drain(), retryMs);
    if (this.#unheard.size > 0) this.#noteSent(packet);
  }

  close(): void {
    clearInterval(this.#reports);
    clearInterval(this.#looks);
    clearTimeout(this.#drainTimer);
    for (const ssrc of [...this.#sendings.keys()]) this.remove(ssrc);
    this.#socket.close();
  }

  #drain(): void {
    this.#drainTimer = undefined;
    const nowMs = performance.now();
    const count = this.#queue.findIndex(() => !this.#pace.take(nowMs));
    for (const { packet, link } of this.#queue.splice(0, count < 0 ? this.#queue.length : count))
      this.#write(packet, link);
    if (this.#queue.length > 0) this.#drainTimer = setTimeout(() => this.#drain(), retryMs);
  }

  #write(packet: Buffer, link: RtpLink): void {
    // The transport may have closed since; then there is nobody to care.
    if (this.#links.get(link.id) === link) this.#socket.send(packet, link.port, link.ip, ignoreSendError);
  }

  #look(): void {
    const nowMs = performance.now();
    this.#socket.send(this.#meter.look(nowMs), this.port, ownAddress, ignoreSendError);
    if (!this.isBehind || nowMs - this.#behindToldMs < toldIntervalMs) return;
    this.#behindToldMs = nowMs;
    this.onBehind();
  }

  #receive(data: Buffer, ip: string, port: number): void {
    if (!isRtcp(data)) {
      if (data.length < 12) {
        if (port === this.port && ip === ownAddress) this.#meter.read(data, performance.now());
        return;
      }
      const receiver = this.#receivers.get(data.readUInt32BE(8));
      if (receiver?.link.port === port && receiver.link.ip === ip) receiver.receive(data);
      return;
    }
    for (const packet of parseRtcp(data)) {
      if (packet.kind === 'pli') this.#sendingTo(packet.mediaSsrc, ip, port)?.feedback.keyFrameRequested();
      else if (packet.kind === 'nack')
        this.#sendingTo(packet.mediaSsrc, ip, port)?.sender.resend(packet.sequenceNumbers);
      else if (packet.kind === 'fir') {
        for (const ssrc of packet.mediaSsrcs) this.#sendingTo(ssrc, ip, port)?.feedback.keyFrameRequested();
      } else if (packet.kind === 'sr') this.#noteReport(packet, ip, port);
    }
  }

  #noteReport(report: Extract<RtcpPacket, { kind: 'sr' }>, ip: string, port: number): void {
    const { link, clock } = this.#receivers.get(report.ssrc) ?? {};
    if (!link || link.port !== port || link.ip !== ip || report.ntpSeconds === 0) return;
    const reports = this.#clocks.get(link) ?? new ReportClock();
    this.#clocks.set(link, reports);
    clock?.note(report.rtpTimestamp, reports.toClockUs(report, clockNowUs()));
  }

  /** Only the transport that carries a stream may say something about it. */
  #sendingTo(ssrc: number, ip: string, port: number): Sending | undefined {
    const sending = this.#sendings.get(ssrc);
    return sending && sending.link.port === port && sending.link.ip === ip ? sending : undefined;
  }

  #sendReports(): void {
    for (const sending of this.#sendings.values()) this.#report(sending);
  }

  #report({ sender, link }: Sending): void {
    const report = sender.report();
    if (report) this.send(report, link);
  }
}

const ignoreSendError = () => undefined;
const ownAddress = '127.0.0.1';

function bindSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: 'udp4',
      // Links are numeric addresses; resolving them again for each packet costs a microsecond or two.
      lookup: (host, _options, callback) => callback(null, host, 4),
    });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, ownAddress, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
