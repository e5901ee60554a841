// Owns: a participant whose microphone is a tone, sent as Opus by RTP without a browser.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Participant } from '#core/participant.ts';
import type { SfuPlainTransport } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Publication } from '#core/track.ts';
import { VoiceEncoder } from '#media/av/voice-codecs.ts';
import { writeRtp } from './rtp-peer.ts';

export interface VoiceOptions {
  readonly name: string;
  readonly toneHz: number;
  /** Publishes for somebody who is there already. */
  readonly participant?: Participant;
}

const frameSamples = 960;
/** -20 dBov. */
const amplitude = 4_634;
let lastSsrc = 90_000;

export class VoicePeer {
  readonly participant: Participant;
  readonly publication: Publication;
  readonly #socket: Socket;
  readonly #transport: SfuPlainTransport;
  readonly #encoder = new VoiceEncoder({ codec: 'opus', frameMs: 20, bitrateBps: 32_000 });
  readonly #toneHz: number;
  readonly #ssrc: number;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #frames = 0;

  static async join(room: Room, options: VoiceOptions): Promise<VoicePeer> {
    const { name } = options;
    const participant =
      options.participant ?? room.join({ kind: 'webrtc', user: name, displayName: name, role: 'presenter' });
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const transport = await room.media.createPlainTransport();
    await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
    const ssrc = ++lastSsrc;
    const publication = await participant.publish(transport, {
      kind: 'audio',
      source: 'microphone',
      rtpParameters: {
        codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
        encodings: [{ ssrc }],
      },
    });
    return new VoicePeer({ ...options, participant }, publication, transport, socket, ssrc);
  }

  private constructor(
    options: VoiceOptions & { readonly participant: Participant },
    publication: Publication,
    transport: SfuPlainTransport,
    socket: Socket,
    ssrc: number,
  ) {
    this.participant = options.participant;
    this.publication = publication;
    this.#toneHz = options.toneHz;
    this.#transport = transport;
    this.#socket = socket;
    this.#ssrc = ssrc;
    this.#timer = setInterval(() => this.#send(), 5);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.participant.close();
    this.#transport.close();
    this.#socket.close();
    this.#encoder[Symbol.dispose]();
  }

  #send(): void {
    for (; this.#startMs + this.#frames * 20 <= performance.now(); this.#frames++) {
      const at = this.#frames * frameSamples;
      const samples = Int16Array.from(
        { length: frameSamples },
        (_, i) => amplitude * Math.sin((2 * Math.PI * this.#toneHz * (at + i)) / 48_000),
      );
      const payload = Buffer.alloc(1_275);
      const length = this.#encoder.encode(samples, payload);
      if (this.#transport.isClosed) return;
      const packet = { payloadType: 100, sequence: this.#frames, timestamp: at, ssrc: this.#ssrc };
      const data = writeRtp({ ...packet, payload: payload.subarray(0, length) });
      this.#socket.send(data, this.#transport.localPort, this.#transport.localAddress);
    }
  }
}
