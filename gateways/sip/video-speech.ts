// Owns: the video of a call in its SDP: what is answered to its m-line, what is offered, and what they come to. Pure but
// for random keys.
import type { LegDirection } from '#core/leg-media.ts';
import type { VideoLegCodec, VideoLegParameters, VideoLimits } from '#core/video-leg-media.ts';
import { agreedDirection, isUnspecified } from './media-direction.ts';
import { type CryptoLine, cryptoLinesOf, cryptoText, isSecuredAs, newKey } from './sdes.ts';
import type { Sdp, SdpMedia } from './sdp.ts';
import { type VideoFormat, videoFormatLines, videoFormatsOf } from './video-formats.ts';

export interface VideoSpeechOptions {
  readonly port: number;
  readonly srtp: 'off' | 'allow' | 'require';
  /** What the room takes of the phone, and what it gives. */
  readonly takes: readonly VideoLegCodec[];
  readonly gives: readonly VideoLegCodec[];
  readonly maxBitrateBps: number;
  readonly maxHeight: number;
}

export interface AgreedVideo {
  readonly parameters: VideoLegParameters;
  readonly limits: VideoLimits;
}

/** What we offer: mode 1 first, mode 0 for who has no other, VP8. */
const offered: readonly Omit<VideoFormat, 'limits' | 'parameterSets'>[] = [
  { codec: 'h264', payloadType: 97, packetizationMode: 1, profileLevelId: '42e01f', hasLevelAsymmetry: true },
  { codec: 'h264', payloadType: 98, packetizationMode: 0, profileLevelId: '42e01f', hasLevelAsymmetry: true },
  { codec: 'vp8', payloadType: 99, packetizationMode: 1, profileLevelId: '', hasLevelAsymmetry: false },
];
const noFeedback = { pli: false, fir: false, nack: false };

/** Whether an m-line is video that could be taken, by what the room allows. */
export function canTakeVideo(sdp: Sdp, media: SdpMedia, policy: Omit<VideoSpeechOptions, 'port'>): boolean {
  const { takes, gives, srtp } = policy;
  if (media.kind !== 'video' || media.port === 0 || media.address === undefined) return false;
  return isSecuredAs(media, srtp) && videoFormatsOf(sdp, media, [...takes, ...gives]).length > 0;
}

export class VideoSpeech {
  readonly #options: VideoSpeechOptions;
  #formats: readonly Omit<VideoFormat, 'limits' | 'parameterSets'>[];
  #feedback: VideoLegParameters['feedback'] = { pli: true, fir: true, nack: true };
  #crypto: readonly CryptoLine[] = [];
  #protocol: string;
  #direction: LegDirection;
  #remoteAddress = '';
  #agreed: AgreedVideo | undefined;

  constructor(options: VideoSpeechOptions) {
    this.#options = options;
    this.#formats = offered.filter(({ codec }) => options.takes.includes(codec) || options.gives.includes(codec));
    this.#protocol = options.srtp === 'require' ? 'RTP/SAVP' : 'RTP/AVP';
    this.#direction = 'sendrecv';
  }

  get port(): number {
    return this.#options.port;
  }

  get protocol(): string {
    return this.#protocol;
  }

  /** By the last description; undefined when video is off. */
  get agreed(): AgreedVideo | undefined {
    return this.#agreed;
  }

  canTake(sdp: Sdp, media: SdpMedia): boolean {
    // What is encrypted once stays so.
    const isEncrypted = this.#crypto.length > 0 && cryptoLinesOf(media).length === 0;
    return !isEncrypted && canTakeVideo(sdp, media, this.#options);
  }

  /** Nothing is sent either way any more. */
  drop(): void {
    this.#agreed = undefined;
  }

  /**
   * Takes an offered m-line that `canTakeVideo()` has looked at.
   * @param isHeld by us
   */
  answer(sdp: Sdp, media: SdpMedia, isHeld: boolean): void {
    const { takes, gives } = this.#options;
    const formats = videoFormatsOf(sdp, media, [...takes, ...gives]);
    const format = formats.find(({ codec }) => takes.includes(codec) && gives.includes(codec)) ?? formats[0];
    if (!format) return;
    const remote = cryptoLinesOf(media)[0];
    this.#crypto = remote && this.#options.srtp !== 'off' ? [this.#ownKeyFor(remote)] : [];
    this.#protocol = media.protocol;
    this.#formats = [format];
    this.#feedback = feedbackOf(media, format.payloadType);
    this.#agree(media, format, format.payloadType, { isHeld, remote });
  }

  /** Makes the lines of an offer. */
  offer(isHeld: boolean): void {
    const { srtp } = this.#options;
    if (!this.#agreed && srtp === 'require') {
      const suite = 'AES_CM_128_HMAC_SHA1_80';
      this.#crypto = [{ tag: 1, suite, key: newKey(suite) }];
    }
    this.#direction = isHeld ? 'inactive' : this.#ownDirection(this.#formats[0]?.codec);
  }

  /** Takes the answer to an offer; a refusal of it, or one without its encryption, leaves the call without video. */
  accept(sdp: Sdp, media: SdpMedia | undefined, isHeld: boolean): void {
    this.#agreed = undefined;
    if (media?.kind !== 'video' || media.port === 0 || media.address === undefined) return;
    const answered = videoFormatsOf(
      sdp,
      media,
      this.#formats.map(({ codec }) => codec),
    );
    const format = answered.find((one) =>
      this.#formats.some(({ codec, packetizationMode: mode }) => codec === one.codec && mode === one.packetizationMode),
    );
    const own =
      format &&
      this.#formats.find((one) => one.codec === format.codec && one.packetizationMode === format.packetizationMode);
    if (!format || !own) return;
    const remote = cryptoLinesOf(media)[0];
    const key = this.#crypto.find(({ tag, suite }) => tag === remote?.tag && suite === remote.suite);
    if (this.#crypto.length > 0 && !key) return;
    this.#crypto = key ? [key] : [];
    this.#formats = [own];
    this.#feedback = feedbackOf(media, format.payloadType);
    this.#agree(media, format, own.payloadType, { isHeld, remote });
  }

  /** The m-line and what belongs to it. */
  get lines(): string[] {
    const feedback = [
      ...(this.#feedback.nack ? ['nack'] : []),
      ...(this.#feedback.pli ? ['nack pli'] : []),
      ...(this.#feedback.fir ? ['ccm fir'] : []),
    ];
    const numbers = this.#formats.map(({ payloadType }) => payloadType);
    return [
      `m=video ${this.port} ${this.#protocol} ${numbers.join(' ')}`,
      `b=TIAS:${this.#options.maxBitrateBps}`,
      ...this.#formats.flatMap(videoFormatLines),
      ...feedback.map((what) => `a=rtcp-fb:* ${what}`),
      ...this.#crypto.map(cryptoText),
      `a=${this.#direction}`,
    ];
  }

  #agree(
    media: SdpMedia,
    format: VideoFormat,
    ownType: number,
    { isHeld, remote }: { isHeld: boolean; remote: CryptoLine | undefined },
  ): void {
    const { maxBitrateBps, maxHeight } = this.#options;
    const { codec, packetizationMode, payloadType, parameterSets, limits } = format;
    const wanted = isHeld ? 'inactive' : this.#ownDirection(codec);
    this.#direction = agreedDirection(media, wanted);
    const [own] = this.#crypto;
    const { address = '' } = media;
    if (!isUnspecified(address)) this.#remoteAddress = address;
    const rtcpPort = Number(/^\d{1,5}/.exec(media.attributes.find(({ name }) => name === 'rtcp')?.value ?? '')?.[0]);
    this.#agreed = {
      parameters: {
        remoteAddress: this.#remoteAddress || address,
        remotePort: media.port,
        ...(rtcpPort > 0 && rtcpPort <= 65_535 && { remoteRtcpPort: rtcpPort }),
        direction: this.#direction,
        send: { codec, payloadType, packetizationMode },
        receive: [{ codec, payloadType: ownType, packetizationMode }],
        parameterSets,
        feedback: this.#feedback,
        srtp: own && remote && { suite: own.suite, sendKey: own.key, receiveKey: remote.key },
      },
      limits: {
        ...limits,
        maxHeight: Math.min(maxHeight, limits.maxHeight ?? maxHeight),
        maxBitrateBps: Math.min(maxBitrateBps, limits.maxBitrateBps),
      },
    };
  }

  #ownDirection(codec: VideoLegCodec | undefined): LegDirection {
    const { takes, gives } = this.#options;
    const sends = codec !== undefined && gives.includes(codec);
    const receives = codec !== undefined && takes.includes(codec);
    return sends ? (receives ? 'sendrecv' : 'sendonly') : receives ? 'recvonly' : 'inactive';
  }

  #ownKeyFor({ tag, suite }: CryptoLine): CryptoLine {
    const known = this.#crypto.find((line) => line.suite === suite);
    return { tag, suite, key: known?.key ?? newKey(suite) };
  }
}

/** What the phone heeds, of what we do. */
function feedbackOf({ attributes }: SdpMedia, payloadType: number): VideoLegParameters['feedback'] {
  const values = attributes.flatMap(({ name, value }) => {
    const [type, ...what] = name === 'rtcp-fb' ? value.trim().split(/ +/) : [];
    return type === '*' || type === String(payloadType) ? [what.join(' ')] : [];
  });
  if (values.length === 0) return noFeedback;
  return { pli: values.includes('nack pli'), fir: values.includes('ccm fir'), nack: values.includes('nack') };
}
