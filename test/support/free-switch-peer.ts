// Owns: what drachtio-fsmrf needs of a FreeSWITCH, for tests: the event socket both ways, a SIP profile, and channels with RTP
// that turn PCMU, PCMA and L16 into each other. It follows FreeSWITCH's documentation of mod_event_socket, not drachtio-fsmrf.
import { randomUUID } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { InboundCall } from '#gateways/sip/index.ts';
import { decodeG711, encodeG711 } from '#media/legs/g711.ts';
import { buildRtp, isRtcp, parseRtp } from '#media/rtp/packet.ts';
import { type LinkApp, startLink } from './sip-link-app.ts';

type SipDialog = Awaited<ReturnType<InboundCall['answer']>>;
type Codec = 'pcmu' | 'pcma' | 'l16';

interface Format {
  readonly codec: Codec;
  readonly payloadType: number;
}

const ownOffer: readonly Format[] = [
  { codec: 'l16', payloadType: 97 },
  { codec: 'pcmu', payloadType: 0 },
];
const rtpmapOf = ({ codec, payloadType }: Format) => `a=rtpmap:${payloadType} ${codec.toUpperCase()}/8000`;

export function decode({ codec }: Pick<Format, 'codec'>, payload: Uint8Array): Int16Array {
  if (codec === 'l16') {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return Int16Array.from({ length: payload.length >> 1 }, (_, i) => view.getInt16(i * 2));
  }
  const samples = new Int16Array(payload.length);
  decodeG711(codec, payload, samples);
  return samples;
}

export function encode({ codec }: Pick<Format, 'codec'>, samples: Int16Array): Uint8Array {
  const payload = new Uint8Array(samples.length * (codec === 'l16' ? 2 : 1));
  if (codec !== 'l16') encodeG711(codec, samples, payload);
  else for (const [i, sample] of samples.entries()) new DataView(payload.buffer).setInt16(i * 2, sample);
  return payload;
}

export class FreeSwitchPeer {
  readonly password = 'clue-of-the-test';
  /** Of its event socket, as they came. */
  readonly commands: string[] = [];
  readonly channels = new Map<string, PeerChannel>();
  readonly eslPort: number;
  readonly #sip: LinkApp;
  readonly #inbound = new Set<Socket>();
  #server: Server | undefined;

  static async start(): Promise<FreeSwitchPeer> {
    const sip = await startLink('embedded');
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    const peer = new FreeSwitchPeer(sip, port);
    await peer.open();
    return peer;
  }

  private constructor(sip: LinkApp, eslPort: number) {
    this.#sip = sip;
    this.eslPort = eslPort;
    sip.sip.link.onCall((call) => void this.#answer(call));
  }

  /** Its event socket is there. */
  async open(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    server.listen(this.eslPort, '127.0.0.1');
    await once(server, 'listening');
  }

  /** As when it is restarted: nobody is at the port, and connections are gone. Channels stay, as in a network that broke. */
  async vanish(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.close();
    for (const socket of this.#inbound) socket.destroy();
    await once(server, 'close');
  }

  /** What no event socket says: a header that cannot be decoded. */
  sayNonsense(): void {
    for (const socket of this.#inbound) socket.write('Content-Type: text/event-plain\nNonsense: %\n\n');
  }

  async close(): Promise<void> {
    await this.vanish();
    for (const channel of this.channels.values()) channel.close();
    await this.#sip.close();
  }

  #serve(socket: Socket): void {
    this.#inbound.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#inbound.delete(socket));
    socket.write('Content-Type: auth/request\n\n');
    let isAuthed = false;
    readCommands(socket, (command) => {
      if (!isAuthed && command !== `auth ${this.password}`) {
        reply(socket, '-ERR invalid');
        socket.end('Content-Type: text/disconnect-notice\nContent-Length: 0\n\n');
        return;
      }
      isAuthed = true;
      if (command.startsWith('auth ')) reply(socket, '+OK accepted');
      else this.execute(socket, command);
    });
  }

  execute(socket: Socket, command: string): void {
    this.commands.push(command);
    const [verb = '', name = '', ...args] = command.split(/[ \n]+/);
    if (verb !== 'api') reply(socket, '+OK');
    else if (name === 'sofia') answerApi(socket, this.#sofiaStatus());
    else if (name === 'version') answerApi(socket, 'FreeSWITCH Version 1.10.12-test (64bit)\n');
    else if (name === 'uuid_bridge') answerApi(socket, this.#bridge(args[0] ?? '', args[1] ?? ''));
    else answerApi(socket, '-ERR no such command\n');
  }

  #sofiaStatus(): string {
    const line = '='.repeat(100);
    return [
      '                     Name          Type                                       Data      State',
      line,
      `            drachtio_mrf       profile           sip:mod_sofia@${this.#sip.target}      RUNNING (0)`,
      line,
      '1 profile 0 aliases\n',
    ].join('\n');
  }

  #bridge(a: string, b: string): string {
    const one = this.channels.get(a);
    const other = this.channels.get(b);
    if (!one || !other) return '-ERR Invalid uuid\n';
    one.partner = other;
    other.partner = one;
    return `+OK ${b}\n`;
  }

  /** What its dialplan does: answers, and connects to the application. */
  async #answer(call: InboundCall): Promise<void> {
    const channel = await PeerChannel.open();
    const sdp = call.body === '' ? channel.offer() : channel.answer(call.body);
    if (sdp === undefined) {
      channel.close();
      call.respond(488);
      return;
    }
    const { uuid } = channel;
    this.channels.set(uuid, channel);
    const dialog = await call.answer(sdp, (made) => channel.attach(made));
    dialog.events.on('ended', () => this.#hungUp(channel));
    const [host = '', port = ''] = (call.header('X-esl-outbound') ?? '').split(':');
    const socket = connect({ host, port: Number(port) });
    channel.socket = socket;
    socket.on('error', () => undefined);
    const variables = {
      'Event-Name': 'CHANNEL_DATA',
      'Unique-ID': uuid,
      'Channel-Unique-ID': uuid,
      'Channel-State': 'CS_EXECUTE',
      variable_sip_user_agent: call.header('user-agent') ?? '',
      variable_switch_r_sdp: call.body,
      variable_rtp_local_sdp_str: sdp,
    };
    readCommands(socket, (command) => {
      if (command === 'connect') writeHeaders(socket, { 'Content-Type': 'command/reply', ...variables });
      else this.execute(socket, command);
    });
  }

  #hungUp(channel: PeerChannel): void {
    channel.tell({
      'Event-Name': 'CHANNEL_CALLSTATE',
      'Channel-Call-State': 'HANGUP',
      'Hangup-Cause': 'NORMAL_CLEARING',
    });
    this.channels.delete(channel.uuid);
    channel.close();
  }
}

export class PeerChannel {
  readonly uuid = randomUUID();
  partner: PeerChannel | undefined;
  socket: Socket | undefined;
  dialog: SipDialog | undefined;
  #remote: { port: number; format: Format; dtmfType: number } | undefined;
  readonly #rtp: UdpSocket;
  readonly #ssrc = Math.floor(Math.random() * 2 ** 32);
  #sequenceNumber = 0;

  static async open(): Promise<PeerChannel> {
    const rtp = createSocket('udp4');
    rtp.bind(0, '127.0.0.1');
    await once(rtp, 'listening');
    return new PeerChannel(rtp);
  }

  private constructor(rtp: UdpSocket) {
    this.#rtp = rtp;
    rtp.on('message', (data) => this.#heard(data));
  }

  attach(dialog: SipDialog): void {
    this.dialog = dialog;
    dialog.events.on('offered', (question) => {
      const sdp = this.answer(question.body);
      if (sdp === undefined) question.respond(488);
      else question.respond(200, { body: sdp });
    });
  }

  /** With its event socket. */
  tell(event: Readonly<Record<string, string>>): void {
    const body = JSON.stringify({ ...event, 'Unique-ID': this.uuid });
    this.socket?.write(`Content-Length: ${Buffer.byteLength(body)}\nContent-Type: text/event-json\n\n${body}`);
  }

  offer(): string {
    return this.#describe(ownOffer, 'sendrecv');
  }

  /** @returns undefined where it has no codec of the offer */
  answer(offer: string): string | undefined {
    const port = Number(/^m=audio (\d+)/m.exec(offer)?.[1]);
    const format = formatsOf(offer)[0];
    if (!format) return undefined;
    const dtmfType = Number(/^a=rtpmap:(\d+) telephone-event\/8000/m.exec(offer)?.[1] ?? 101);
    this.#remote = { port, format, dtmfType };
    const mirrored = { sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' } as const;
    const [, direction] = /^a=(sendonly|recvonly|inactive)/m.exec(offer) ?? [];
    return this.#describe([format], direction ? mirrored[direction as keyof typeof mirrored] : 'sendrecv');
  }

  play(timestamp: number, sound: Int16Array | { readonly digits: Uint8Array }, marker: boolean): void {
    if (!this.#remote) return;
    const { format, dtmfType, port } = this.#remote;
    const isDigits = 'digits' in sound;
    const header = {
      ...{ payloadType: isDigits ? dtmfType : format.payloadType, marker, timestamp },
      ...{ sequenceNumber: this.#sequenceNumber++ & 0xffff, ssrc: this.#ssrc },
    };
    this.#rtp.send(
      buildRtp(header, isDigits ? sound.digits : encode(format, sound)),
      port,
      '127.0.0.1',
      () => undefined,
    );
  }

  close(): void {
    if (this.partner) this.partner.partner = undefined;
    this.socket?.end();
    this.#rtp.close();
  }

  #describe(formats: readonly Format[], direction: string): string {
    const { port } = this.#rtp.address();
    const dtmfType = this.#remote?.dtmfType ?? 101;
    return [
      ...['v=0', `o=FreeSWITCH ${port} ${port + 1} IN IP4 127.0.0.1`, 's=FreeSWITCH', 'c=IN IP4 127.0.0.1', 't=0 0'],
      `m=audio ${port} RTP/AVP ${formats.map(({ payloadType }) => payloadType).join(' ')} ${dtmfType}`,
      ...formats.map(rtpmapOf),
      `a=rtpmap:${dtmfType} telephone-event/8000`,
      `a=${direction}`,
      'a=ptime:20',
      '',
    ].join('\r\n');
  }

  #heard(data: Buffer): void {
    const packet = isRtcp(data) ? undefined : parseRtp(data);
    if (!packet || !this.#remote || !this.partner) return;
    const { payloadType, payload, timestamp, marker } = packet;
    const { format, dtmfType } = this.#remote;
    if (payloadType === dtmfType) this.partner.play(timestamp, { digits: payload }, marker);
    else if (payloadType === format.payloadType) this.partner.play(timestamp, decode(format, payload), marker);
  }
}

/** In the order of the offer. */
function formatsOf(sdp: string): Format[] {
  const types = (/^m=audio \d+ \S+ (.*)$/m.exec(sdp)?.[1] ?? '').trim().split(' ').map(Number);
  const codecOf = (payloadType: number): Codec | undefined => {
    if (payloadType === 0) return 'pcmu';
    if (payloadType === 8) return 'pcma';
    return new RegExp(`^a=rtpmap:${payloadType} L16/8000`, 'm').test(sdp) ? 'l16' : undefined;
  };
  return types.flatMap((payloadType) => {
    const codec = codecOf(payloadType);
    return codec ? [{ codec, payloadType }] : [];
  });
}

/** A command is lines up to an empty one. */
function readCommands(socket: Socket, onCommand: (command: string) => void): void {
  let text = '';
  socket.on('data', (piece) => {
    text += String(piece);
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const command = text.slice(0, end).trim();
      text = text.slice(end + 2);
      if (command === 'exit') socket.end();
      else if (command !== '') onCommand(command);
    }
  });
}

function reply(socket: Socket, text: string): void {
  writeHeaders(socket, { 'Content-Type': 'command/reply', 'Reply-Text': text });
}

function answerApi(socket: Socket, body: string): void {
  socket.write(`Content-Type: api/response\nContent-Length: ${Buffer.byteLength(body)}\n\n${body}`);
}

/** Values of channel data are URL-encoded. */
function writeHeaders(socket: Socket, headers: Readonly<Record<string, string>>): void {
  const isPlain = (name: string) => name === 'Content-Type' || name === 'Reply-Text';
  const lines = Object.entries(headers).map(
    ([name, value]) => `${name}: ${isPlain(name) ? value : encodeURIComponent(value)}`,
  );
  socket.write(`${lines.join('\n')}\n\n`);
}
