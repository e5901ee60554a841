// Owns: one video stream of an ingress, from access units to its track: forwarded, or transcoded when that fails.
import type { StreamVerdict } from '#core/job.ts';
import type { SourceStream, VideoCodec } from '#core/media-source.ts';
import type { EncodedUnit } from '../av/video-encoder.ts';
import type { TrackEvents } from '../job-context.ts';
import { h264Nal, h264NalType, parseAvcConfig, splitAnnexB, splitLengthPrefixed, toAnnexB } from '../rtp/h264.ts';
import { packetiseH264, packetiseVp8 } from '../rtp/packetise.ts';
import type { RtpSender } from '../rtp/sender.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { GopCache } from './gop-cache.ts';
import { H264Inspector } from './h264-inspector.ts';
import type { AccessUnit, IngressStream, IngressStreamOptions } from './ingress-stream.ts';
import { type BridgeUnit, KeyFrameBridge } from './key-frame-bridge.ts';
import { judge } from './verdict.ts';
import { transcodeCostMsPerS, VideoTranscoder } from './video-transcoder.ts';

/** A key frame that is sent again for somebody who joins is heavy for all: not more often than this. */
const replayIntervalMs = 300;
/** A source that says it makes key frames on request and has made none by then is one that cannot. */
const keyFrameAnswerMs = 500;
/** Without a picture for so long who joins is shown the last one. */
const quietMs = 1_000;

interface CachedUnit {
  readonly nals: readonly Uint8Array[];
  readonly data: Uint8Array;
  readonly payloads: readonly Uint8Array[] | undefined;
  readonly ptsUs: number;
  readonly isKey: boolean;
}

export class IngressVideo implements IngressStream, TrackEvents {
  readonly #options: IngressStreamOptions;
  readonly #inspector = new H264Inspector();
  readonly #gop = new GopCache<CachedUnit>();
  #stream: SourceStream;
  #verdict: StreamVerdict | undefined;
  #sender: RtpSender | undefined;
  #transcoder: VideoTranscoder | undefined;
  /** While admission is asked for; false after it was refused. */
  #admission: 'unasked' | 'asked' | 'granted' | 'refused' = 'unasked';
  #hasKey = false;
  #pictureId = 0;
  #lastReplayMs = Number.NEGATIVE_INFINITY;
  #replayTimer: NodeJS.Timeout | undefined;
  #answerTimer: NodeJS.Timeout | undefined;
  #bridge: KeyFrameBridge | undefined;
  #isBridgeAsked = false;
  #hasBridgeCost = false;
  #lastClockUs = Number.NEGATIVE_INFINITY;
  #lastUnitMs = performance.now();
  #isResting = false;
  #isClosed = false;
  delayUs: number | undefined;
  framesIn = 0;
  framesDropped = 0;
  keyFrames = 0;

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
    return this.#gop.byteLength + (this.#transcoder?.memoryBytes ?? 0);
  }

  describe(stream: SourceStream): void {
    const hasOtherDecoder = stream.codec !== this.#stream.codec || !sameBytes(stream.config, this.#stream.config);
    this.#stream = stream;
    if (stream.codec === 'h264' && stream.config) {
      this.#inspector.noteConfig(parseAvcConfig(stream.config) ?? annexBSets(stream.config));
    }
    if (hasOtherDecoder) {
      this.#closeBridge();
      this.#closeTranscoder();
      this.#gop.clear();
      this.#hasKey = false;
    }
  }

  deliver(unit: AccessUnit, isReplay: boolean): void {
    if (this.#isClosed || this.#isResting) return;
    this.#lastUnitMs = performance.now();
    this.framesIn += 1;
    const cached = this.#read(unit);
    if (!cached) {
      this.framesDropped += 1;
      return;
    }
    if (cached.isKey) this.#noteKeyFrame();
    this.#judge();
    this.#gop.push(cached, unit.data.byteLength, cached.isKey);
    const arrivalUs = clockNowUs();
    const clockUs = this.#options.clock.place(unit, arrivalUs);
    if (this.#verdict?.action === 'forward') this.#forward(cached, isReplay ? arrivalUs : clockUs);
    else if (this.#verdict?.action === 'transcode') this.#transcode(cached, isReplay);
  }

  keyFrameRequested(): void {
    if (this.#transcoder && !this.#isQuiet) {
      this.#transcoder.requestKeyFrame();
      return;
    }
    // Whoever asks in between is served too, a little later: the SFU would repeat its request only after a second.
    const waitMs = Math.max(0, this.#lastReplayMs + replayIntervalMs - performance.now());
    this.#replayTimer ??= setTimeout(() => this.#bringKeyFrame(), waitMs);
  }

  #bringKeyFrame(): void {
    this.#replayTimer = undefined;
    this.#lastReplayMs = performance.now();
    if (this.#isClosed) return;
    if (!this.#isQuiet && this.#options.requestKeyFrame())
      this.#answerTimer ??= setTimeout(() => this.#fillIn(), keyFrameAnswerMs);
    else this.#fillIn();
  }

  /** Brings a picture to who joins, without the source. */
  #fillIn(): void {
    this.#answerTimer = undefined;
    if (this.#isQuiet && (this.#transcoder ?? this.#bridge)) this.#showLast();
    else if (this.#bridge) this.#bridge.requestKeyFrame();
    // The first that goes is a key frame, and it goes in a moment.
    else if (this.#sender?.packetCount === 0 && !this.#isQuiet) return;
    // What is sent again does not reach players while nothing follows it.
    else if (this.#isQuiet || !this.#sender?.replayFromKeyFrame()) void this.#openBridge();
  }

  get #isQuiet(): boolean {
    return this.#isResting || performance.now() - this.#lastUnitMs > quietMs;
  }

  /** Nothing comes that could become a key frame: the picture that everybody else still sees becomes one. */
  #showLast(): void {
    const onUnit = (unit: EncodedUnit) => this.#send(this.#packetiseEncoded(unit.data), clockNowUs(), unit.isKey);
    this.#options.context.account(() => (this.#transcoder ?? this.#bridge)?.repeatLast(onUnit));
  }

  async #openBridge(): Promise<void> {
    const { codec } = this.#stream;
    if (this.#isBridgeAsked || this.#verdict?.action !== 'forward' || (codec !== 'h264' && codec !== 'vp8')) return;
    this.#isBridgeAsked = true;
    const group = this.#gop.units[0];
    // One picture costs nothing that lasts.
    this.#hasBridgeCost = !this.#isQuiet;
    const refusal = this.#hasBridgeCost
      ? await this.#options.askCost(this.#stream.id, this.#transcodeCost())
      : undefined;
    // The source's own key frame may have come meanwhile.
    const isWanted = refusal === undefined && !this.#isClosed && group !== undefined && this.#gop.units[0] === group;
    if (isWanted) {
      this.#bridge = new KeyFrameBridge({
        transcoder: this.#makeTranscoder(codec),
        group: this.#gop.units.map((unit) => this.#decodable(unit)),
        account: (work) => this.#options.context.account(work),
        onUnit: (unit) => this.#sendEncoded(unit),
        onOpen: () => this.#isQuiet && this.#showLast(),
      });
    } else {
      this.#closeBridge();
    }
  }

  #closeBridge(): void {
    this.#bridge?.[Symbol.dispose]();
    this.#bridge = undefined;
    if (!this.#isBridgeAsked) return;
    this.#isBridgeAsked = false;
    // A transcoder for good has asked for its own.
    const isOwed = this.#hasBridgeCost && !this.#isResting && !this.#isClosed;
    if (isOwed && this.#verdict?.action === 'forward') void this.#options.askCost(this.#stream.id, 0);
  }

  #noteKeyFrame(): void {
    this.keyFrames += 1;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
    if (this.#bridge) this.#closeBridge();
  }

  published(): void {
    this.#options.departures.beginAnew();
    if (!this.#isResting) this.#options.onSent();
    // What went out before went nowhere.
    if (this.#transcoder && !this.#isQuiet) this.#transcoder.requestKeyFrame();
    else this.#fillIn();
  }

  rest(): void {
    // What it costs is over with its media.
    if (this.#hasBridgeCost && this.#isBridgeAsked) void this.#options.askCost(this.#stream.id, 0);
    this.#hasBridgeCost = false;
    this.#isResting = true;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#replayTimer);
    clearTimeout(this.#answerTimer);
    this.#closeBridge();
    this.#closeTranscoder();
    this.#gop.clear();
  }

  #read(unit: AccessUnit): CachedUnit | undefined {
    const { framing, codec } = this.#stream;
    const { data, payloads, ptsUs, dtsUs } = unit;
    // HEVC may stay length-prefixed beside its configuration record: the decoder reads both.
    if (codec !== 'h264') return { nals: [], data, payloads, ptsUs, isKey: unit.isKey };
    const nals = framing.kind === 'length_prefixed' ? splitLengthPrefixed(data, framing.lengthSize) : splitAnnexB(data);
    if (!nals || nals.length === 0) return undefined;
    const isKey = this.#inspector.inspect(nals, ptsUs, dtsUs);
    return { nals, data, payloads, ptsUs, isKey };
  }

  #withEncoder(verdict: StreamVerdict): StreamVerdict {
    const outcome = verdict.action === 'transcode' ? this.#transcoder?.hardwareOutcome : undefined;
    return outcome ? { ...verdict, reasons: [...verdict.reasons, outcome] } : verdict;
  }

  #judge(): void {
    const verdict = this.#withEncoder(judge(this.#stream, this.#inspector.facts, this.#options.spec));
    const known = this.#verdict;
    if (known && known.action === verdict.action && known.to === verdict.to && sameReasons(known, verdict)) return;
    // Once transcoded it stays so: going back would change the picture's parameters for nothing.
    if (known?.action === 'transcode' && verdict.action === 'forward') return;
    this.#verdict = verdict;
    this.#options.onVerdict(verdict);
    if (verdict.action === 'drop' || verdict.to === undefined) return;
    if (known?.to !== verdict.to) {
      const { context, stream } = this.#options;
      this.#sender = context.openTrack(stream.id, 'video', verdict.to as 'h264' | 'vp8', this);
    }
    if (verdict.action === 'transcode' && this.#admission === 'unasked') void this.#askAdmission();
  }

  #forward(unit: CachedUnit, clockUs: number): void {
    const { nals, data, payloads: own, isKey } = unit;
    this.#hasKey ||= isKey;
    if (!this.#hasKey || (this.#stream.codec === 'h264' && !this.#inspector.hasParameterSets)) return;
    if (this.#bridge?.push(this.#decodable(unit))) return;
    const isVp8 = this.#stream.codec === 'vp8';
    const made = () =>
      isVp8 ? packetiseVp8(data, this.#pictureId++) : packetiseH264(this.#inspector.clean(nals, isKey));
    this.#send(own ?? made(), clockUs, isKey);
  }

  #send(payloads: readonly Uint8Array[], wantedUs: number, isKey: boolean): void {
    // Replayed pictures come at once: each needs a later time than the last all the same.
    const clockUs = Math.max(wantedUs, this.#lastClockUs + 1_000);
    this.#lastClockUs = clockUs;
    this.#options.departures.leave('video', clockUs, () => {
      this.#sender?.sendFrame(payloads, clockUs, { isKey });
      this.delayUs = clockNowUs() - clockUs;
      if (!this.#isResting) this.#options.onSent();
    });
  }

  #decodable({ data, ptsUs, nals, isKey }: CachedUnit): BridgeUnit {
    if (this.#stream.codec !== 'h264') return { data, ptsUs };
    return { data: toAnnexB(isKey ? this.#inspector.clean(nals, true) : nals), ptsUs };
  }

  #sendEncoded({ data, ptsUs, isKey }: EncodedUnit): void {
    this.#send(this.#packetiseEncoded(data), this.#options.clock.at(ptsUs), isKey);
  }

  #packetiseEncoded(data: Uint8Array): readonly Uint8Array[] {
    return this.#verdict?.to === 'vp8' ? packetiseVp8(data, this.#pictureId++) : packetiseH264(splitAnnexB(data));
  }

  #transcode(unit: CachedUnit, isReplay: boolean): void {
    if (this.#admission !== 'granted') return;
    if (!this.#transcoder) {
      this.#openTranscoder();
      return;
    }
    if (!this.#hasKey && !unit.isKey) return;
    this.#hasKey = true;
    const { data, ptsUs } = this.#decodable(unit);
    if (isReplay) {
      this.#transcoder.prime(data, ptsUs);
      return;
    }
    const isWhole = this.#transcoder.transcode(data, ptsUs, (encoded) => this.#sendEncoded(encoded));
    if (!isWhole) this.framesDropped += 1;
  }

  async #askAdmission(): Promise<void> {
    this.#admission = 'asked';
    const refusal = await this.#options.askCost(this.#stream.id, this.#transcodeCost());
    if (this.#isClosed) return;
    this.#admission = refusal === undefined ? 'granted' : 'refused';
    if (refusal === undefined) {
      this.#openTranscoder();
      return;
    }
    const reasons = [refusal, ...(this.#verdict?.reasons ?? [])];
    this.#verdict = {
      streamId: this.#stream.id,
      kind: 'video',
      from: this.#stream.codec,
      to: undefined,
      action: 'drop',
      reasons,
    };
    this.#options.context.endTrack(this.#stream.id);
    this.#options.onVerdict(this.#verdict);
  }

  #transcodeCost(): number {
    const { width = 1_280, height = 720 } = { ...this.#stream, ...this.#inspector.facts };
    return transcodeCostMsPerS(width, height, this.#stream.framerateHz ?? 30);
  }

  /** Begins with the current group of pictures, so that nobody waits for the next key frame. */
  #openTranscoder(): void {
    this.#closeBridge();
    this.#options.context.account(() => {
      this.#transcoder = this.#makeTranscoder(this.#stream.codec as VideoCodec);
      for (const unit of this.#gop.units) this.#transcode(unit, true);
    });
  }

  #makeTranscoder(from: VideoCodec): VideoTranscoder {
    const { spec } = this.#options;
    const { stream } = this;
    return new VideoTranscoder({
      from,
      to: this.#verdict?.to === 'vp8' ? 'vp8' : 'h264',
      config: stream.codec === 'h264' ? undefined : stream.config,
      bitrateBps: spec.videoBitrateBps,
      framerateHz: stream.framerateHz,
      hardware: spec.hardware,
      hasLowDelay: stream.codec === 'h264' && !this.#inspector.facts.hasBFrames,
    });
  }

  #closeTranscoder(): void {
    this.#transcoder?.[Symbol.dispose]();
    this.#transcoder = undefined;
  }
}

/** SDP and some muxers give parameter sets as a byte stream instead of a configuration record. */
function annexBSets(config: Uint8Array): { sps: Uint8Array[]; pps: Uint8Array[] } {
  const nals = splitAnnexB(config);
  return {
    sps: nals.filter((nal) => h264NalType(nal) === h264Nal.sps),
    pps: nals.filter((nal) => h264NalType(nal) === h264Nal.pps),
  };
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}

/** A key frame interval that is a little different is no news. */
function sameReasons(a: StreamVerdict, b: StreamVerdict): boolean {
  const words = (verdict: StreamVerdict) => verdict.reasons.join().replace(/[0-9.]+/g, '');
  return words(a) === words(b);
}
