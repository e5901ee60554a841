// Owns: a phone whose one codec is L16, which the gateway has not: it calls, is called, sends a tone, keeps what it hears.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { InboundCall } from '#gateways/sip/index.ts';
import { DtmfReceiver, DtmfSender } from '#media/legs/dtmf.ts';
import { buildRtp, isRtcp, parseRtp } from '#media/rtp/packet.ts';
import { decode, encode } from './free-switch-peer.ts';
import type { LinkApp } from './sip-link-app.ts';
import { toneLevel } from './tone.ts';

export type PhoneDialog = Awaited<ReturnType<InboundCall['answer']>>;

const soundType = 97;
const dtmfType = 101;
const frameSamples = 160;

export class LinearPhone {
  readonly digits: string[] = [];
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #toneHz: number;
  readonly #receiver = new DtmfReceiver();
  readonly #keys = new DtmfSender();
  #target = 0;
  #frame = 0;
  #keysFrom = 0;
  #heard: Int16Array[] = [];
  #sequenceNumber = 0;

  static async open(toneHz: number): Promise<LinearPhone> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new LinearPhone(socket, toneHz);
  }

  private constructor(socket: Socket, toneHz: number) {
    this.#socket = socket;
    this.#toneHz = toneHz;
    socket.on('message', (data) => this.#receive(data));
    this.#timer = setInterval(() => this.#speak(), 20);
  }

  sdp(direction = 'sendrecv', formats = `${soundType}`): string {
    return [
      ...['v=0', 'o=linear 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
      `m=audio ${this.#socket.address().port} RTP/AVP ${formats} ${dtmfType}`,
      ...[`a=rtpmap:${soundType} L16/8000`, `a=rtpmap:${dtmfType} telephone-event/8000`, `a=${direction}`, ''],
    ].join('\r\n');
  }

  /** @returns the call once it is answered; rejects with the refusal */
  async call({ sip }: LinkApp, uri: string, sdp = this.sdp()): Promise<PhoneDialog> {
    const outcome = await sip.link.call(uri, { sdp }).outcome;
    if (outcome.kind === 'refused') {
      const { status, header } = outcome.answer;
      throw new Error(`${status} retry-after=${header('retry-after')} ${header('warning')}`);
    }
    this.follow(outcome.dialog.remoteSdp);
    return outcome.dialog;
  }

  follow(sdp: string): void {
    this.#target = Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
  }

  press(keys: string): void {
    this.#keys.push(keys, 160);
  }

  /** Of a tone in the last 400 ms that it heard. */
  level(toneHz: number): number {
    const last = this.#heard.slice(-20);
    if (last.length < 20) return Number.NEGATIVE_INFINITY;
    const samples = new Int16Array(last.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const part of last) {
      samples.set(part, offset);
      offset += part.length;
    }
    return toneLevel(samples, toneHz, 8_000);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #speak(): void {
    if (this.#target === 0) return;
    const timestamp = this.#frame * frameSamples;
    const samples = Int16Array.from({ length: frameSamples }, (_, i) =>
      Math.round(4_000 * Math.sin((2 * Math.PI * this.#toneHz * (timestamp + i)) / 8_000)),
    );
    this.#frame += 1;
    if (!this.#keys.isBusy) {
      this.#send(soundType, timestamp, encode({ codec: 'l16' }, samples), false);
      return;
    }
    const { packets, isBegin } = this.#keys.next(8_000);
    if (isBegin) this.#keysFrom = timestamp;
    for (const { payload, segmentTicks, marker } of packets) {
      this.#send(dtmfType, (this.#keysFrom + segmentTicks) >>> 0, payload, marker);
    }
  }

  #send(payloadType: number, timestamp: number, payload: Uint8Array, marker: boolean): void {
    const sequenceNumber = this.#sequenceNumber++ & 0xffff;
    const packet = buildRtp({ payloadType, timestamp, marker, sequenceNumber, ssrc: 4_711 }, payload);
    this.#socket.send(packet, this.#target, '127.0.0.1', () => undefined);
  }

  #receive(data: Buffer): void {
    const packet = isRtcp(data) ? undefined : parseRtp(data);
    if (packet?.payloadType === soundType) this.#heard.push(decode({ codec: 'l16' }, packet.payload));
    else if (packet?.payloadType === dtmfType) {
      const digit = this.#receiver.receive(packet.payload, packet.timestamp);
      if (digit) this.digits.push(digit);
    }
  }
}
