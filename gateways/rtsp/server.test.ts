import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import type { PlayerTransportOptions } from '#core/player-transport.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { Authenticator, chooseChallenge } from './digest.ts';
import { type InterleavedFrame, interleavedHead, RtspReader } from './interleaved.ts';
import { type HeaderFields, headerOf, type RtspResponse, serializeRequest } from './message.ts';
import type { RtspAccessRequest, RtspOutlet, RtspPlayback } from './ports.ts';
import { defaultRtspConfig, type RtspGatewayConfig, RtspServer } from './server.ts';
import { parseSession } from './translate.ts';

const rtp = (sequence: number) => Buffer.from(`8060${sequence.toString(16).padStart(4, '0')}000000000000000bff`, 'hex');
const senderReport = Buffer.from(`80c80006${'00'.repeat(23)}0b`, 'hex');
const sdp =
  'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\nm=audio 0 RTP/AVP 0\r\na=control:streamid=1\r\n';

/** An RTSP client that says what it is told to. */
class Peer {
  readonly socket: Socket;
  readonly frames: InterleavedFrame[] = [];
  readonly closed: Promise<unknown>;
  readonly #reader = new RtspReader();
  readonly #responses: RtspResponse[] = [];
  #wake: () => void = () => undefined;
  #cSeq = 0;
  session: string | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.on('data', (data) => {
      this.#reader.write(data);
      for (let one = this.#reader.read(); one; one = this.#reader.read()) {
        if (one.kind === 'interleaved') this.frames.push(one);
        else if (one.kind === 'response') this.#responses.push(one);
      }
      this.#wake();
    });
    this.closed = once(this.socket, 'close').then(() => this.#wake());
  }

  async ask(method: string, path: string, fields: HeaderFields = {}, body = ''): Promise<RtspResponse> {
    this.#cSeq += 1;
    const all = { CSeq: String(this.#cSeq), Session: this.session, ...fields };
    this.socket.write(serializeRequest(method, `rtsp://127.0.0.1/${path}`, all, body));
    const response = await this.answer();
    expect(headerOf(response, 'cseq')).toBe(String(this.#cSeq));
    this.session = headerOf(response, 'session')?.split(';')[0];
    return response;
  }

  async answer(): Promise<RtspResponse> {
    for (;;) {
      const response = this.#responses.shift();
      if (response) return response;
      if (this.socket.destroyed) throw new Error('the server hung up');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  frame(channel: number, payload: Buffer): void {
    this.socket.write(Buffer.concat([interleavedHead(channel, payload.length), payload]));
  }

  async announce(path: string, transport = 'RTP/AVP/TCP;unicast;interleaved=0-1;mode=record'): Promise<RtspResponse> {
    const announced = await this.ask('ANNOUNCE', path, { 'Content-Type': 'application/sdp' }, sdp);
    if (announced.status !== 200) return announced;
    const setup = await this.ask('SETUP', `${path}/streamid=0`, { Transport: transport });
    if (setup.status !== 200) return setup;
    await this.ask('RECORD', path);
    return setup;
  }
}

class Playback implements RtspPlayback {
  outlet: RtspOutlet | undefined;
  readonly heard: Uint8Array[] = [];
  readonly calls: string[] = [];
  readonly paths: PlayerTransportOptions[] = [];
  sendDirectly: RtspPlayback['sendDirectly'];

  allowDirect(): void {
    this.sendDirectly = async (_track, path) => void this.paths.push(path);
  }

  async relay(_track: number, outlet: RtspOutlet) {
    this.outlet = outlet;
    return { ssrc: 11 };
  }

  async begin() {
    return [{ track: 0, sequenceNumber: 1, rtpTimestamp: 90 }];
  }

  receiveRtcp(_track: number, packet: Uint8Array): void {
    this.heard.push(packet);
  }

  async play(): Promise<void> {
    this.calls.push('play');
    this.outlet?.send('rtp', rtp(1));
  }

  async pause(): Promise<void> {
    this.calls.push('pause');
  }

  close(reason: CloseReason): void {
    this.calls.push(reason);
  }
}

let server: RtspServer;
let sink: CollectingSink;
let source: MediaSource | undefined;
let ends: SourceEnd[];
let requests: RtspAccessRequest[];
let playback: Playback;
let whenBusy: 'reject' | 'take_over';
/** The job that takes what is pushed has begun by the time of RECORD. */
let isTakenAtOnce: boolean;
let log: KeepingLog;
const peers: Peer[] = [];
const sockets: UdpSocket[] = [];

async function serve(config: Partial<RtspGatewayConfig> = {}): Promise<void> {
  await server?.close();
  const authorize = (request: RtspAccessRequest) => {
    requests.push(request);
    if (request.path.startsWith('locked') && request.username !== 'viewer') {
      throw new GatewayError('unauthorized', 'Sign in.');
    }
    if (!/^(good|locked)/.test(request.path)) throw new GatewayError('not_found', 'There is nothing.');
  };
  server = await RtspServer.create(
    {
      log,
      passwordOf: async (username) => (username === 'viewer' ? 'secret' : undefined),
      authorizePublish: async (request) => {
        authorize(request);
        const accept = (accepted: MediaSource) => {
          source = accepted;
          if (isTakenAtOnce) accepted.start(sink);
          void accepted.done.then((end) => ends.push(end));
        };
        return { publisherId: request.path, whenBusy, accept };
      },
      authorizePlay: async (request) => {
        authorize(request);
        const format = { payloadType: 96, encodingName: 'VP8', clockRateHz: 90_000, channels: 1, formatParameters: {} };
        return { name: 'room', tracks: [{ kind: 'video', rtp: format }], open: () => playback };
      },
    },
    {
      ...defaultRtspConfig,
      host: '127.0.0.1',
      port: 0,
      tlsPort: undefined,
      firstUdpPort: 0,
      lastUdpPort: 0,
      ...config,
    },
  );
}

function peer(): Peer {
  const made = new Peer(server.port as number);
  peers.push(made);
  return made;
}

async function udp(): Promise<UdpSocket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'listening');
  return socket;
}

beforeEach(async () => {
  sink = new CollectingSink();
  ends = [];
  requests = [];
  playback = new Playback();
  whenBusy = 'reject';
  isTakenAtOnce = true;
  log = new KeepingLog();
  await serve();
});

afterEach(async () => {
  for (const one of peers.splice(0)) one.socket.destroy();
  for (const one of sockets.splice(0)) one.close();
  await server.close();
});

describe('a pusher', () => {
  test('in the connection: described and delivered, RTP and RTCP, and TEARDOWN ends it', async () => {
    const encoder = peer();
    await encoder.announce('good?token=1');
    expect(requests[0]).toMatchObject({ path: 'good', remoteAddress: '127.0.0.1', username: undefined });
    encoder.frame(0, rtp(7));
    encoder.frame(1, senderReport);
    encoder.frame(0, Buffer.from('noise'));
    encoder.frame(9, rtp(8));
    await sink.until(() => sink.units.length === 2);
    expect(sink.described).toMatchObject([{ id: 0, codec: 'h264', framing: { kind: 'rtp' } }]);
    expect(sink.units.map(({ kind }) => kind)).toEqual(['rtp', 'rtcp']);
    expect((await encoder.ask('TEARDOWN', 'good')).status).toBe(200);
    await encoder.closed;
    await expect.poll(() => ends).toMatchObject([{ reason: 'peer_left', mayReturn: false }]);
  });

  test('its sender report from before anybody took the stream is told first: the next is seconds away', async () => {
    isTakenAtOnce = false;
    const encoder = peer();
    await encoder.announce('good');
    encoder.frame(1, senderReport);
    encoder.frame(0, rtp(7));
    // Answered behind them.
    await encoder.ask('OPTIONS', 'good');
    source?.start(sink);
    expect(sink.units).toMatchObject([{ kind: 'rtcp', streamId: 0, data: senderReport }]);
    encoder.frame(0, rtp(8));
    await sink.until(() => sink.units.length === 2);
    expect(sink.units[1]).toMatchObject({ kind: 'rtp', data: rtp(8) });
  });

  test('by UDP: only packets from its own address and port count', async () => {
    const [media, stranger] = [await udp(), await udp()];
    const { port } = media.address();
    const encoder = peer();
    const setup = await encoder.announce('good', `RTP/AVP;unicast;client_port=${port}-${port + 1};mode=record`);
    const [, serverPort] = /server_port=(\d+)-/.exec(headerOf(setup, 'transport') ?? '') ?? [];
    expect(Number(serverPort) % 2).toBe(0);
    stranger.send(rtp(1), Number(serverPort), '127.0.0.1');
    media.send(rtp(2), Number(serverPort), '127.0.0.1');
    await sink.until(() => sink.units.length > 0);
    expect(sink.units).toMatchObject([{ kind: 'rtp', data: rtp(2) }]);
  });

  test('that is cut off may return; the second with its path is refused meanwhile, or takes over', async () => {
    const first = peer();
    await first.announce('good');
    expect((await peer().announce('good')).status).toBe(455);
    whenBusy = 'take_over';
    expect((await peer().announce('good')).status).toBe(200);
    await first.closed;
    expect(ends).toMatchObject([{ reason: 'replaced', mayReturn: false }]);
    peers.at(-1)?.socket.destroy();
    await expect.poll(() => ends.length).toBe(2);
    expect(ends[1]).toMatchObject({ reason: 'peer_left', mayReturn: true });
  });

  test('whose key is not known is refused, and the log says so', async () => {
    const encoder = peer();
    expect((await encoder.ask('ANNOUNCE', 'locked', { 'Content-Type': 'application/sdp' }, sdp)).status).toBe(401);
    const told = log.lines.filter(({ level }) => level === 'warn');
    expect(told).toMatchObject([{ message: 'rtsp request refused', fields: { code: 'unauthorized' } }]);
  });

  test('that the room closes is cut off', async () => {
    const encoder = peer();
    await encoder.announce('good');
    source?.close('kicked');
    await encoder.closed;
    await expect.poll(() => ends).toMatchObject([{ reason: 'kicked' }]);
  });
});

describe('a player', () => {
  test('in the connection: describes, sets up, plays, pauses, reports', async () => {
    const player = peer();
    const described = await player.ask('DESCRIBE', 'good?token=x');
    expect(headerOf(described, 'content-base')).toBe('rtsp://127.0.0.1/good/');
    expect(described.body.toString()).toContain('a=rtpmap:96 VP8/90000');
    const setup = await player.ask('SETUP', 'good/trackID=0', { Transport: 'RTP/AVP/TCP;interleaved=4-5' });
    expect(headerOf(setup, 'transport')).toBe('RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=0000000B;mode=play');
    expect(parseSession(headerOf(setup, 'session') ?? '').timeoutMs).toBe(60_000);
    const played = await player.ask('PLAY', 'good');
    expect(headerOf(played, 'rtp-info')).toBe('url=rtsp://127.0.0.1/good/trackID=0;seq=1;rtptime=90');
    await expect.poll(() => player.frames.length).toBe(1);
    expect(player.frames[0]).toMatchObject({ channel: 4, payload: rtp(1) });
    player.frame(5, senderReport);
    await expect.poll(() => playback.heard.length).toBe(1);
    expect((await player.ask('PAUSE', 'good')).status).toBe(200);
    await player.ask('TEARDOWN', 'good');
    await expect.poll(() => playback.calls).toEqual(['play', 'pause', 'peer_left']);
  });

  test('by UDP is sent to at its own address, whatever destination it names', async () => {
    const media = await udp();
    const { port } = media.address();
    const arrived = once(media, 'message');
    const player = peer();
    const transport = `RTP/AVP;unicast;destination=192.0.2.1;client_port=${port}-${port + 1}`;
    await player.ask('SETUP', 'good', { Transport: transport });
    await player.ask('PLAY', 'good');
    expect(((await arrived) as [Buffer])[0]).toEqual(rtp(1));
  });

  test('by UDP is served by the SFU from ports that are free then, to where it has knocked from, and to nobody else', async () => {
    playback.allowDirect();
    const [knocking, stranger] = [await udp(), createSocket('udp4').bind(0, '127.0.0.2')];
    sockets.push(stranger);
    await once(stranger, 'listening');
    const player = peer();
    const setup = await player.ask('SETUP', 'good', { Transport: 'RTP/AVP;unicast;client_port=5000-5001' });
    const [, serverPort] = /server_port=(\d+)-\d+;mode=play/.exec(headerOf(setup, 'transport') ?? '') ?? [];
    const localPort = Number(serverPort);
    knocking.send(rtp(1), localPort, '127.0.0.1');
    stranger.send(rtp(1), localPort, '127.0.0.1');
    await player.ask('OPTIONS', '*');
    await player.ask('PLAY', 'good');
    await expect.poll(() => playback.calls).toEqual(['play']);
    const local = { localAddress: '127.0.0.1', localPort };
    const remote = { address: '127.0.0.1', rtpPort: knocking.address().port, rtcpPort: 5_001 };
    expect(playback.paths).toEqual([{ ...local, ...remote }]);
    const again = createSocket('udp4').bind(localPort, '127.0.0.1');
    sockets.push(again);
    await once(again, 'listening');
  });

  test('that says PAUSE while the SFU gets ready for it is not sent anything', async () => {
    const ready = Promise.withResolvers<void>();
    playback.sendDirectly = () => ready.promise;
    const player = peer();
    await player.ask('SETUP', 'good', { Transport: 'RTP/AVP;unicast;client_port=5000-5001' });
    await player.ask('PLAY', 'good');
    expect((await player.ask('PAUSE', 'good')).status).toBe(200);
    ready.resolve();
    await player.ask('OPTIONS', '*');
    expect(playback.calls).toEqual(['pause']);
    await player.ask('PLAY', 'good');
    await expect.poll(() => playback.calls).toEqual(['pause', 'play']);
  });

  test('that stops reading loses packets instead of filling our memory', async () => {
    const player = peer();
    await player.ask('SETUP', 'good', { Transport: 'RTP/AVP/TCP;interleaved=0-1' });
    await player.ask('PLAY', 'good');
    player.socket.pause();
    const before = process.memoryUsage().arrayBuffers;
    const big = Buffer.concat([rtp(1), Buffer.alloc(60_000)]);
    for (let i = 0; i < 5_000; i++) playback.outlet?.send('rtp', big);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
  });
});

describe('logins', () => {
  test('a client that has none is challenged, answers and is let in', async () => {
    const player = peer();
    const challenged = await player.ask('DESCRIBE', 'locked');
    expect(challenged.status).toBe(401);
    const challenge = chooseChallenge(challenged.headers.get('www-authenticate') ?? []) as never;
    const login = new Authenticator(challenge, { username: 'viewer', password: 'secret' });
    const authorization = login.authorization('DESCRIBE', 'rtsp://127.0.0.1/locked');
    expect((await player.ask('DESCRIBE', 'locked', { Authorization: authorization })).status).toBe(200);
    expect(requests.at(-1)?.username).toBe('viewer');
    // As every player begins: nothing that an operator would have to look at.
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('five wrong passwords end the connection', async () => {
    const player = peer();
    for (let i = 0; i < 5; i++) {
      const Authorization = `Basic ${Buffer.from('viewer:wrong').toString('base64')}`;
      expect((await player.ask('DESCRIBE', 'locked', { Authorization })).status).toBe(401);
    }
    await player.closed;
    expect(log.lines.filter(({ message }) => message === 'rtsp request refused')).toHaveLength(5);
    expect(JSON.stringify(log.lines)).not.toContain('wrong"');
  });
});

describe('what does not fit is answered', () => {
  test.each<[string, (p: Peer) => Promise<RtspResponse>, number]>([
    ['an unknown path', (p) => p.ask('DESCRIBE', 'nothing'), 404],
    ['an unknown method', (p) => p.ask('FLY', 'good'), 501],
    ['PLAY before SETUP', (p) => p.ask('PLAY', 'good'), 455],
    ['RECORD before ANNOUNCE', (p) => p.ask('RECORD', 'good'), 455],
    ['another session', (p) => p.ask('PLAY', 'good', { Session: 'other' }), 454],
    ['a required feature', (p) => p.ask('SETUP', 'good', { Require: 'play.scale' }), 551],
    ['multicast', (p) => p.ask('SETUP', 'good', { Transport: 'RTP/AVP;multicast;client_port=1-2' }), 461],
    ['UDP without ports', (p) => p.ask('SETUP', 'good', { Transport: 'RTP/AVP;unicast' }), 461],
    ['no transport', (p) => p.ask('SETUP', 'good'), 461],
    ['a track that is not there', (p) => p.ask('SETUP', 'good/trackID=9', { Transport: 'RTP/AVP/TCP' }), 404],
    ['an announcement without codecs', (p) => p.ask('ANNOUNCE', 'good', {}, 'v=0\r\n'), 415],
    ['MP4 instead of SDP', (p) => p.ask('DESCRIBE', 'good', { Accept: 'video/mp4' }), 406],
  ])('%s', async (_name, ask, status) => {
    expect((await ask(peer())).status).toBe(status);
  });

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['a head without end', 'A'.repeat(20_000)],
    ['a body of 4 GB', 'ANNOUNCE rtsp://a/good RTSP/1.0\r\nContent-Length: 4000000000\r\n\r\n'],
    ['noise', '\x01\x02\r\n\r\n'],
    ['a flood of requests', 'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n'.repeat(3_000)],
  ])('%s ends the connection, and the server lives', async (_name, text) => {
    const attacker = peer();
    attacker.socket.write(text);
    await attacker.closed;
    expect((await peer().ask('OPTIONS', '*')).status).toBe(200);
    const told = log.lines.findLast(({ message }) => message === 'rtsp connection cut off');
    expect(told).toMatchObject({ level: 'info', fields: { address: '127.0.0.1', failure: expect.any(String) } });
  });
});

describe('time and number', () => {
  test('who sets nothing up is cut off', async () => {
    await serve({ setupTimeoutMs: 60 });
    await peer().closed;
  });

  test('a pusher that falls silent is cut off, and may return', async () => {
    await serve({ sessionTimeoutMs: 80 });
    const encoder = peer();
    await encoder.announce('good');
    await encoder.closed;
    await expect.poll(() => ends).toMatchObject([{ reason: 'timeout', mayReturn: true }]);
  });

  test('an address has so many connections and no more', async () => {
    await serve({ maxConnectionsPerAddress: 2 });
    await Promise.all([peer().ask('OPTIONS', '*'), peer().ask('OPTIONS', '*')]);
    await peer().closed;
  });

  test('a draining server refuses what is new', async () => {
    const encoder = peer();
    await encoder.announce('good');
    server.drain();
    expect((await peer().ask('DESCRIBE', 'good')).status).toBe(503);
    encoder.frame(0, rtp(1));
    await sink.until(() => sink.units.length === 1);
  });

  test('closing it ends everybody', async () => {
    const encoder = peer();
    await encoder.announce('good');
    await server.close();
    await encoder.closed;
    expect(ends).toMatchObject([{ reason: 'parent_closed' }]);
  });
});
