// Owns: one audio stream of an ingress, from access units to its track: forwarded, or made Opus.
import type { StreamVerdict } from '#core/job.ts';
import type { AudioCodec, SourceStream } from '#core/media-source.ts';
import { AudioDecoder } from '../av/audio-decoder.ts';
import { OpusEncoder } from '../av/audio-encoder.ts';
import { AvError } from '../av/library.ts';
import type { TrackEvents } from '../job-context.ts';
import { PacketLine } from '../rtp/packet-line.ts';
import type { RtpSender } from '../rtp/sender.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { durationOf } from '../rtp/voice-duration.ts';
import { roomPayloads, type TrackCodec } from '../track-codecs.ts';
import type { AccessUnit, IngressStream, IngressStreamOptions } from './ingress-stream.ts';
import { judge } from './verdict.ts';

/** Music in stereo without a word of complaint; speech needs less and takes it. */
const opusBitrateBps = { 1: 48_000, 2: 96_000 } as const;

export class IngressAudio implements IngressStream, TrackEvents {
  readonly #options: IngressStreamOptions;
  readonly #line = new PacketLine();
  #stream: SourceStream;
  #verdict: StreamVerdict | undefined;
  #sender: RtpSender | undefined;
  #decoder: AudioDecoder | undefined;
  #encoder: OpusEncoder | undefined;
  /** The source's line stands: a listener's jitter buffer would remember for long how sound began that moves with it. */
  #isSettled = false;
  delayUs: number | undefined;
  framesIn = 0;
  framesDropped = 0;
  readonly keyFrames = 0;

  constructor(options: IngressStreamOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.describe(options.stream);
  }

  get stream(): SourceStream {
    return this.#stream;
  }

  get verdict(): StreamVerdict | undefined {
    return this.#verdict;
  }

  get memoryBytes(): number {
    return this.#encoder ? 100_000 : 0;
  }

  describe(stream: SourceStream): void {
    this.#stream = stream;
    const verdict = judge(stream, {}, this.#options.spec);
    const isNew = this.#verdict?.to !== verdict.to || this.#verdict?.action !== verdict.action;
    this.#verdict = verdict;
    if (isNew) this.#options.onVerdict(verdict);
    this.#closeCodecs();
    if (verdict.to === undefined) return;
    if (isNew) this.#sender = this.#options.context.openTrack(stream.id, 'audio', verdict.to as TrackCodec, this);
  }

  deliver(unit: AccessUnit, isReplay: boolean): void {
    // What was heard before must not be heard again.
    if (isReplay || unit.data.length === 0) return;
    this.framesIn += 1;
    const nowUs = clockNowUs();
    const { clock } = this.#options;
    clock.place(unit, nowUs);
    if (!this.#isSettled && clock.isSettled(nowUs)) {
      this.#isSettled = true;
      // Laid end to end with what came while the line moved, sound would be beside its picture for the next ten seconds.
      this.#encoder?.beginAnew();
    }
    // By the line as it stands now.
    if (this.#verdict?.action === 'forward') this.#forward(unit, clock.at(unit.ptsUs));
    else if (this.#verdict?.action === 'transcode') this.#transcode(unit.data, unit.ptsUs);
  }

  keyFrameRequested(): void {
    // Audio has none.
  }

  published(): void {
    this.#options.departures.beginAnew();
    this.#options.onSent();
  }

  rest(): void {
    this.#closeCodecs();
  }

  close(): void {
    this.#closeCodecs();
  }

  #forward({ data, ptsUs }: AccessUnit, wantedUs: number): void {
    if (!this.#isSettled) {
      this.#options.departures.note('audio', wantedUs);
      return;
    }
    const codec = this.#verdict?.to as 'opus' | 'pcmu' | 'pcma' | 'g722';
    const durationUs = (durationOf(codec, data) * 1e6) / roomPayloads[codec].clockRateHz;
    const clockUs = this.#line.place(ptsUs, wantedUs, durationUs);
    if (clockUs === undefined) this.framesDropped += 1;
    else this.#send(data, clockUs);
  }

  #send(data: Uint8Array, clockUs: number): void {
    const { departures } = this.#options;
    if (!this.#isSettled) {
      departures.note('audio', clockUs);
      return;
    }
    const isInTime = departures.leave('audio', clockUs, () => {
      this.#sender?.sendFrame([data], clockUs, { marker: false });
      this.delayUs = clockNowUs() - clockUs;
      this.#options.onSent();
    });
    if (!isInTime) this.framesDropped += 1;
  }

  #transcode(data: Uint8Array, ptsUs: number): void {
    const chain = this.#openCodecs();
    if (!chain) {
      this.framesDropped += 1;
      return;
    }
    const isWhole = chain.decoder.decode(data, ptsUs, (samples, samplesPtsUs) => {
      chain.encoder.push(samples, this.#options.clock.at(samplesPtsUs), (frame, clockUs) => this.#send(frame, clockUs));
    });
    if (!isWhole) this.framesDropped += 1;
  }

  #openCodecs(): { decoder: AudioDecoder; encoder: OpusEncoder } | undefined {
    if (this.#decoder && this.#encoder) return { decoder: this.#decoder, encoder: this.#encoder };
    const { codec, config, sampleRateHz, channels, rtp } = this.#stream;
    const outChannels = (channels ?? rtp?.channels ?? 2) === 1 ? 1 : 2;
    try {
      this.#encoder = new OpusEncoder({ channels: outChannels, bitrateBps: opusBitrateBps[outChannels] });
      this.#decoder = new AudioDecoder({
        codec: codec as AudioCodec,
        config,
        sampleRateHz: sampleRateHz ?? rtp?.clockRateHz,
        channels: channels ?? rtp?.channels,
        bitsPerSample: bitsPerSample(rtp?.encodingName),
        isAal2: codec === 'g726' && /^AAL2-/i.test(rtp?.encodingName ?? ''),
        output: this.#encoder.shape,
      });
      return { decoder: this.#decoder, encoder: this.#encoder };
    } catch (error) {
      if (!(error instanceof AvError)) throw error;
      this.#closeCodecs();
      this.#verdict = {
        streamId: this.#stream.id,
        kind: 'audio',
        from: codec,
        to: undefined,
        action: 'drop',
        reasons: [error.message],
      };
      this.#options.context.endTrack(this.#stream.id);
      this.#options.onVerdict(this.#verdict);
      return undefined;
    }
  }

  #closeCodecs(): void {
    this.#decoder?.[Symbol.dispose]();
    this.#encoder?.[Symbol.dispose]();
    this.#decoder = undefined;
    this.#encoder = undefined;
  }
}

/** `G726-32` is 4 bits of 8 kHz. */
function bitsPerSample(encodingName: string | undefined): number | undefined {
  const kbps = /^(?:AAL2-)?G726-(16|24|32|40)$/i.exec(encodingName ?? '')?.[1];
  return kbps ? Number(kbps) / 8 : undefined;
}
