// Owns: the video of a call in its SDP: what is answered to its m-line, what is offered, and what they come to. Pure but
// for random keys.
import type { LegDirection } from '#core/leg-media.ts';
import type { BridgedFormat, BridgedStream } from '#core/phone-bridge.ts';
import type { VideoLegCodec, VideoLegParameters, VideoLimits } from '#core/video-leg-media.ts';
import { agreedDirection, isUnspecified } from './media-direction.ts';
import { type CryptoLine, cryptoLinesOf, cryptoText, isSecuredAs, newKey } from './sdes.ts';
import type { Sdp, SdpMedia } from './sdp.ts';
import { type VideoFormat, videoFormatLines, videoFormatsOf } from './video-formats.ts';
import {
  type DtlsSetup,
  isBesideVoice,
  mediaLines,
  streamOf,
  type WebRtcEnd,
  type WebRtcPlace,
} from './webrtc-lines.ts';

export interface VideoSpeechOptions {
  readonly port: number;
  /** Of a phone that speaks ICE and DTLS: where the picture's leg finds our end of that. */
  readonly webRtc?: PicturePlace | undefined;
  readonly srtp: 'off' | 'allow' | 'require';
  /** What the room takes of the phone, and what it gives. */
  readonly takes: readonly VideoLegCodec[];
  readonly gives: readonly VideoLegCodec[];
  readonly maxBitrateBps: number;
  readonly maxHeight: number;
}

export type PicturePlace = Pick<WebRtcPlace, 'localAddress' | 'localPort'>;

export interface VideoLine {
  /** Of the voice, whose ICE and DTLS it takes; undefined where neither is spoken. */
  readonly end: WebRtcEnd | undefined;
  /** That ICE has for the voice. */
  readonly port: number;
  readonly setup: DtlsSetup;
  readonly mid: string | undefined;
}

export interface AgreedVideo {
  readonly parameters: VideoLegParameters;
  readonly limits: VideoLimits;
  /** For its way through ICE and DTLS; the stream is undefined where the phone names none. */
  readonly bridged?: { readonly format: BridgedFormat; readonly stream: BridgedStream | undefined } | undefined;
}

/** What the room allows, and how its phone secures what it sends. */
export interface VideoPolicy extends Omit<VideoSpeechOptions, 'port' | 'webRtc'> {
  readonly isWebRtc: boolean;
}

type OfferedFormat = Omit<VideoFormat, 'limits' | 'parameterSets'>;

/** What we offer: mode 1 first, mode 0 for who has no other, VP8. */
const offered: readonly OfferedFormat[] = [
  { codec: 'h264', payloadType: 97, packetizationMode: 1, profileLevelId: '42e01f', hasLevelAsymmetry: true },
  { codec: 'h264', payloadType: 98, packetizationMode: 0, profileLevelId: '42e01f', hasLevelAsymmetry: true },
  { codec: 'vp8', payloadType: 99, packetizationMode: 1, profileLevelId: '', hasLevelAsymmetry: false },
];
const noFeedback = { pli: false, fir: false, nack: false };

/** Whether an m-line is video that could be taken, by what the room allows. */
export function canTakeVideo(sdp: Sdp, media: SdpMedia, policy: VideoPolicy): boolean {
  const { takes, gives, srtp, isWebRtc } = policy;
  if (media.kind !== 'video' || isOff(media) || media.address === undefined) return false;
  const isSecured = isWebRtc ? isBesideVoice(sdp, media) : isSecuredAs(media, srtp);
  return isSecured && videoFormatsOf(sdp, media, [...takes, ...gives]).length > 0;
}

/** What is bundled alone has port 0 all the same (RFC 9143 §7.2.1). */
const isOff = ({ port, attributes }: SdpMedia): boolean =>
  port === 0 && !attributes.some(({ name }) => name === 'bundle-only');

export class VideoSpeech {
  readonly #options: VideoSpeechOptions;
  #webRtc: PicturePlace | undefined;
  #formats: readonly OfferedFormat[];
  #feedback: VideoLegParameters['feedback'] = { pli: true, fir: true, nack: true };
  #crypto: readonly CryptoLine[] = [];
  #protocol: string;
  #direction: LegDirection;
  #remoteAddress = '';
  #agreed: AgreedVideo | undefined;

  constructor(options: VideoSpeechOptions) {
    this.#options = options;
    this.#webRtc = options.webRtc;
    this.#formats = offered.filter(({ codec }) => options.takes.includes(codec) || options.gives.includes(codec));
    this.#protocol = options.webRtc ? 'UDP/TLS/RTP/SAVPF' : options.srtp === 'require' ? 'RTP/SAVP' : 'RTP/AVP';
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
    const isWebRtc = this.#webRtc !== undefined;
    return !isEncrypted && canTakeVideo(sdp, media, { ...this.#options, isWebRtc });
  }

  /** The end of the voice is another one, and so is where the leg finds it. */
  moveTo(webRtc: PicturePlace): void {
    this.#webRtc = webRtc;
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
    const hasKeys = remote && this.#options.srtp !== 'off' && !this.#webRtc;
    this.#crypto = hasKeys ? [this.#ownKeyFor(remote)] : [];
    this.#protocol = media.protocol;
    this.#formats = [format];
    this.#feedback = feedbackOf(media, format.payloadType);
    this.#agree(media, format, format.payloadType, { isHeld, remote });
  }

  /** Makes the lines of an offer. @param isAsBefore for the directions that were agreed */
  offer(isHeld: boolean, isAsBefore = false): void {
    const { srtp } = this.#options;
    if (!this.#agreed && srtp === 'require' && !this.#webRtc) {
      const suite = 'AES_CM_128_HMAC_SHA1_80';
      this.#crypto = [{ tag: 1, suite, key: newKey(suite) }];
    }
    if (isAsBefore && this.#agreed) return;
    this.#direction = isHeld ? 'inactive' : this.#ownDirection(this.#formats[0]?.codec);
  }

  /** Takes the answer to an offer; a refusal of it, or one without its encryption, leaves the call without video. */
  accept(sdp: Sdp, media: SdpMedia | undefined, isHeld: boolean): void {
    this.#agreed = undefined;
    if (media?.kind !== 'video' || media.port === 0 || media.address === undefined) return;
    const webRtc = this.#webRtc;
    if (webRtc && !isBesideVoice(sdp, media)) return;
    const answered = videoFormatsOf(
      sdp,
      media,
      this.#formats.map(({ codec }) => codec),
    );
    // The bridge changes no numbers.
    const isSame = (a: OfferedFormat, b: OfferedFormat) =>
      a.codec === b.codec &&
      a.packetizationMode === b.packetizationMode &&
      (!webRtc || a.payloadType === b.payloadType);
    const format = answered.find((one) => this.#formats.some((own) => isSame(own, one)));
    const own = format && this.#formats.find((one) => isSame(one, format));
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
  lines({ end, port, setup, mid }: VideoLine): string[] {
    const extensionId = this.#agreed?.bridged?.stream?.mid?.extensionId;
    // In an offer that is the first of it: who does not bundle is to refuse it (RFC 9143 §7.2.1).
    const isBundledOnly = end !== undefined && !this.#agreed;
    const feedback = [
      ...(this.#feedback.nack ? ['nack'] : []),
      ...(this.#feedback.pli ? ['nack pli'] : []),
      ...(this.#feedback.fir ? ['ccm fir'] : []),
    ];
    const numbers = this.#formats.map(({ payloadType }) => payloadType);
    return [
      `m=video ${isBundledOnly ? 0 : end ? port : this.port} ${this.#protocol} ${numbers.join(' ')}`,
      `b=TIAS:${this.#options.maxBitrateBps}`,
      ...this.#formats.flatMap(videoFormatLines),
      ...feedback.map((what) => `a=rtcp-fb:* ${what}`),
      ...this.#crypto.map(cryptoText),
      ...(end ? mediaLines(end, { setup, mid, extensionId, track: 'view' }) : []),
      ...(isBundledOnly ? ['a=bundle-only'] : []),
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
    const webRtc = this.#webRtc;
    const { direction, address = '' } = media;
    this.#direction = agreedDirection({ direction, address: webRtc ? undefined : address }, wanted);
    const [own] = this.#crypto;
    if (!isUnspecified(address)) this.#remoteAddress = address;
    const rtcpPort = Number(/^\d{1,5}/.exec(media.attributes.find(({ name }) => name === 'rtcp')?.value ?? '')?.[0]);
    this.#agreed = {
      parameters: {
        remoteAddress: this.#remoteAddress || address,
        remotePort: media.port,
        ...(rtcpPort > 0 && rtcpPort <= 65_535 && { remoteRtcpPort: rtcpPort }),
        ...(webRtc && { remoteAddress: webRtc.localAddress, remotePort: webRtc.localPort }),
        ...(webRtc && { remoteRtcpPort: webRtc.localPort }),
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
      bridged: webRtc && { format: bridgedFormat(format), stream: namedStreamOf(media) },
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

function bridgedFormat({ codec, payloadType, packetizationMode, profileLevelId }: OfferedFormat): BridgedFormat {
  const common = { payloadType, clockRateHz: 90_000 };
  if (codec === 'vp8') return { mimeType: 'video/VP8', ...common };
  const parameters = { 'packetization-mode': packetizationMode, 'profile-level-id': profileLevelId };
  return { mimeType: 'video/H264', ...common, parameters: { ...parameters, 'level-asymmetry-allowed': 1 } };
}

/** One that only watches has no need to name any. */
function namedStreamOf(media: SdpMedia): BridgedStream | undefined {
  try {
    return streamOf(media);
  } catch {
    return undefined;
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
