// Owns: a phone that calls by SIP over UDP, no more than one call needs, with real media on what the answer says.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type LegCodec, type SrtpSuite, srtpKeyLength } from '#core/leg-media.ts';
import { PhonePeer } from './phone-peer.ts';
import { UdpRelay } from './udp-relay.ts';

const rtpmaps: Readonly<Record<LegCodec, string>> = {
  opus: '111 opus/48000/2',
  g722: '9 G722/8000',
  pcmu: '0 PCMU/8000',
  pcma: '8 PCMA/8000',
};

export interface SipCallerOptions {
  readonly server: { readonly address: string; readonly port: number };
  /** Where it calls from; the address of the server if absent. */
  readonly ownAddress?: string;
  readonly room: string;
  readonly codec: LegCodec;
  readonly toneHz: number;
  readonly levelDbov?: number;
  /** SDES with this suite. */
  readonly suite?: SrtpSuite | undefined;
  /** false: never sends an ACK, and whatever comes after the answer is not heeded. */
  readonly acknowledges?: boolean | undefined;
  /** Its media goes through a relay at 127.0.0.2 that loses and delays packets, both ways. */
  readonly network?: { readonly lossShare: number; readonly jitterMs: number } | undefined;
}

export class SipCaller {
  readonly phone: PhonePeer;
  /** m= port of the answer. */
  remotePort = 0;
  readonly #options: SipCallerOptions;
  readonly #socket: Socket;
  readonly #callId = randomBytes(8).toString('hex');
  readonly #tag = randomBytes(4).toString('hex');
  #cseq = 1;
  #offer = '';
  #to = '';
  #contact = '';
  #relay: UdpRelay | undefined;

  /** Resolves when it is answered and talks. */
  static async call(options: SipCallerOptions): Promise<SipCaller> {
    const { ownAddress: address = options.server.address } = options;
    const { codec, toneHz, levelDbov = -20 } = options;
    const phone = await PhonePeer.open({ codec, toneHz, levelDbov, address });
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    const caller = new SipCaller(options, phone, socket);
    await caller.#invite();
    return caller;
  }

  private constructor(options: SipCallerOptions, phone: PhonePeer, socket: Socket) {
    this.#options = options;
    this.phone = phone;
    this.#socket = socket;
    this.#to = `<sip:${options.room}@${this.#host}>`;
    this.#contact = `sip:${options.room}@${this.#host}`;
  }

  /** Offers the same again in another direction: `sendonly` holds, `sendrecv` takes up again. */
  async reoffer(direction: 'sendonly' | 'sendrecv'): Promise<void> {
    this.#cseq += 1;
    this.#send('INVITE', this.#cseq, `${this.#offer}a=${direction}\r\n`);
    await this.#final();
    this.#send('ACK', this.#cseq);
  }

  async close(): Promise<void> {
    const answered = once(this.#socket, 'message', { signal: AbortSignal.timeout(5_000) });
    this.#cseq += 1;
    this.#send('BYE', this.#cseq);
    await answered;
    this.phone.close();
    this.#relay?.close();
    this.#socket.close();
  }

  async #invite(): Promise<void> {
    const { suite, codec, server, network, ownAddress = server.address } = this.#options;
    const sendKey = suite && randomBytes(srtpKeyLength[suite]).toString('base64');
    const family = server.address.includes(':') ? 'IP6' : 'IP4';
    const type = rtpmaps[codec].split(' ')[0];
    const sdp = [
      ...['v=0', `o=- 1 1 IN ${family} ${ownAddress}`, 's=-', `c=IN ${family} ${ownAddress}`, 't=0 0'],
      `m=audio ${this.phone.port} RTP/${suite ? 'SAVP' : 'AVP'} ${type} 101`,
      `a=rtpmap:${rtpmaps[codec]}`,
      `a=rtpmap:101 telephone-event/${codec === 'opus' ? 48_000 : 8_000}`,
      ...(suite ? [`a=crypto:1 ${suite} inline:${sendKey}`] : []),
      '',
    ].join('\r\n');
    this.#offer = sdp;
    this.#send('INVITE', 1, sdp);
    const answer = await this.#final();
    this.#to = /^To: *(.+)$/im.exec(answer)?.[1] ?? '';
    this.#contact = /^Contact: *<([^>]+)>/im.exec(answer)?.[1] ?? this.#contact;
    if (this.#options.acknowledges !== false) this.#send('ACK', 1);
    this.remotePort = Number(/^m=audio (\d+)/m.exec(answer)?.[1]);
    if (suite && sendKey !== undefined) {
      const [, ours, receiveKey] = /^a=crypto:1 (\S+) inline:([^|\s]+)/m.exec(answer) ?? [];
      if (ours !== suite || receiveKey === undefined) throw new Error(`not answered with ${suite}`);
      this.phone.secure({ suite, sendKey, receiveKey });
    }
    if (network) {
      this.#relay = await UdpRelay.start('127.0.0.2', this.remotePort);
      this.#relay.lose(network.lossShare);
      this.#relay.delay(network.jitterMs);
    }
    this.phone.talkTo(this.remotePort, network ? '127.0.0.2' : server.address);
  }

  async #final(): Promise<string> {
    for (;;) {
      const [data] = (await once(this.#socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
      const text = data.toString();
      const status = Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1]);
      if (status >= 300) throw new Error(text);
      if (status >= 200) return text;
    }
  }

  #send(method: string, cseq: number, body = ''): void {
    const { address, port } = this.#options.server;
    const own = `${hostOf(this.#socket.address().address)}:${this.#socket.address().port}`;
    const lines = [
      `${method} ${cseq === 1 && method === 'INVITE' ? `sip:${this.#options.room}@${this.#host}` : this.#contact} SIP/2.0`,
      `Via: SIP/2.0/UDP ${own};rport;branch=z9hG4bK${randomBytes(6).toString('hex')}`,
      'Max-Forwards: 70',
      `From: "${this.#options.codec}" <sip:${this.#options.codec}@${this.#host}>;tag=${this.#tag}`,
      `To: ${this.#to}`,
      `Call-ID: ${this.#callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:phone@${own}>`,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ];
    this.#socket.send(lines.join('\r\n'), port, address);
  }

  get #host(): string {
    return hostOf(this.#options.server.address);
  }
}

function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
