// Owns: the SDP of one call: offers and answers for its audio, what they come to, and its video beside it. Pure but for
// random keys.
import { isIPv6 } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import { type LegCodec, type LegDirection, type LegParameters, legCodecs, srtpSuites } from '#core/leg-media.ts';
import { type AudioFormats, audioFormatsOf, dtmfBeside, dtmfFor, formatLines, formatNumbers } from './audio-formats.ts';
import { agreedDirection, isUnspecified } from './media-direction.ts';
import { type CryptoLine, cryptoLinesOf, cryptoText, isSecuredAs, newKey } from './sdes.ts';
import { parseSdp, type Sdp, type SdpMedia } from './sdp.ts';
import type { VideoSpeech } from './video-speech.ts';
import {
  type DtlsSetup,
  isBundled,
  isDtls,
  mediaLines,
  midOf,
  sessionLines,
  spokenFormats,
  type WebRtcPeer,
  type WebRtcPlace,
  webRtcPeerOf,
} from './webrtc-lines.ts';

export interface OfferAnswerOptions {
  /** What c= and m= of ours say. */
  readonly address: string;
  readonly port: number;
  /** A phone that speaks ICE and DTLS: our end of that, and where its leg finds it. */
  readonly webRtc?: WebRtcPlace | undefined;
  /** SDES: `allow` takes what is offered and offers none; what is encrypted once stays so in every case. */
  readonly srtp: 'off' | 'allow' | 'require';
  readonly codecs?: readonly LegCodec[];
  /** False for one that has to be sent its silence in full. */
  readonly hasComfortNoise?: boolean;
  /** Names our descriptions; must not tell anything about us. */
  readonly sessionId?: string;
}

/** An answer to send and what it means for the leg. */
export interface Answered {
  readonly sdp: string;
  readonly parameters: LegParameters;
}

const ourFormats: AudioFormats = {
  codecs: [
    { codec: 'opus', payloadType: 111 },
    { codec: 'g722', payloadType: 9 },
    { codec: 'pcmu', payloadType: 0 },
    { codec: 'pcma', payloadType: 8 },
  ],
  dtmf: [
    { payloadType: 101, clockRateHz: 8_000 },
    { payloadType: 102, clockRateHz: 48_000 },
  ],
  comfortNoisePayloadType: 13,
};

/** What we offer a phone that is to speak ICE and DTLS. */
export const offeredToWebRtc = (codecs: readonly LegCodec[]): AudioFormats =>
  spokenFormats({ ...ourFormats, codecs: ourFormats.codecs.filter(({ codec }) => codecs.includes(codec)) });

const ptimes = [10, 20, 30, 40, 50, 60];

/** What our last description had as its m-lines: every later one has them again (RFC 3264 §8). */
interface Layout {
  readonly audioAt: number;
  /** -1 without video. */
  readonly videoAt: number;
  readonly media: readonly Pick<SdpMedia, 'kind' | 'protocol' | 'formats' | 'attributes'>[];
  readonly isBundled: boolean;
}

/** What is said of a call's media, and what comes of it: by us, or by another server whose media it is. */
export interface CallSpeech {
  /** A WebRTC phone, as it described itself last. */
  readonly peer: WebRtcPeer | undefined;
  /** What we want: `sendonly` while we hold the peer. Goes into the next offer or answer. */
  want(direction: LegDirection): void;
  /** What would keep `answer()` from taking this offer; nothing changes. @throws GatewayError as that does */
  check(offer: string): void;
  /** @throws GatewayError `invalid_sdp`, `no_common_codec`, `unprocessable` (encryption); what was agreed stays then */
  answer(offer: string): Answered;
  /** An offer of ours: everything we can at first, what was agreed later on. @param direction what we want if absent; pictures go as before with another */
  offer(direction?: LegDirection): string;
  /** Takes the answer to our offer. @throws GatewayError `invalid_sdp`, `no_common_codec`, `unprocessable` */
  accept(answer: string): LegParameters;
  /** Our offer was refused: what was agreed before it holds (RFC 3261 §14.1). */
  withdraw(): void;
}

/**
 * Offer and answer (RFC 3264) for the one audio stream of a call. Every answer is made from its offer; the o= line keeps
 * its id, and its version grows only when something changed, so that refreshes are seen for what they are.
 */
export class OfferAnswer implements CallSpeech {
  readonly #options: OfferAnswerOptions;
  #webRtc: OfferAnswerOptions['webRtc'];
  readonly #sessionId: string;
  #version = 1;
  #lastBody: string | undefined;
  #layout: Layout;
  /** Before an offer of ours that is not answered yet. */
  #agreedLayout: Layout | undefined;
  #formats: AudioFormats;
  #crypto: readonly CryptoLine[] = [];
  #isEncrypted = false;
  #wanted: LegDirection = 'sendrecv';
  #remoteAddress: string | undefined;
  #peer: WebRtcPeer | undefined;
  /** Who we are in DTLS, once it is settled. */
  #setup: DtlsSetup = 'actpass';
  /** Where there is to be video, if the other side wants it as well. */
  video: VideoSpeech | undefined;

  constructor(options: OfferAnswerOptions) {
    this.#options = options;
    this.#sessionId = options.sessionId ?? String(Math.floor(Math.random() * 2 ** 48));
    const codecs = options.codecs ?? legCodecs;
    this.#formats = { ...ourFormats, codecs: ourFormats.codecs.filter(({ codec }) => codecs.includes(codec)) };
    if (!codecs.includes('opus')) this.#formats = { ...this.#formats, dtmf: ourFormats.dtmf.slice(0, 1) };
    if (options.hasComfortNoise === false) this.#formats = { ...this.#formats, comfortNoisePayloadType: undefined };
    const { webRtc, srtp } = options;
    this.#webRtc = webRtc;
    if (webRtc) this.#formats = spokenFormats(this.#formats);
    const protocol = webRtc ? 'UDP/TLS/RTP/SAVPF' : srtp === 'require' ? 'RTP/SAVP' : 'RTP/AVP';
    const attributes = webRtc ? [{ name: 'mid', value: '0' }] : [];
    this.#layout = {
      audioAt: 0,
      videoAt: -1,
      media: [{ kind: 'audio', protocol, formats: [], attributes }],
      isBundled: webRtc !== undefined,
    };
  }

  get peer(): WebRtcPeer | undefined {
    return this.#peer;
  }

  /** Another end of ours in place of the one that is gone: the next offer asks for a new association (RFC 8842 §5.1). */
  moveTo(webRtc: NonNullable<OfferAnswerOptions['webRtc']>): void {
    this.#webRtc = webRtc;
    this.#setup = 'actpass';
  }

  want(direction: LegDirection): void {
    this.#wanted = direction;
  }

  check(offer: string): void {
    const sdp = parseSdp(offer);
    const media = sdp.media.find((one) => this.#canTake(sdp, one));
    if (!media) throw this.#refusalOf(sdp);
    if (this.#webRtc) webRtcPeerOf(sdp, media);
  }

  withdraw(): void {
    this.#layout = this.#agreedLayout ?? this.#layout;
    this.#agreedLayout = undefined;
  }

  answer(offer: string): Answered {
    const sdp = parseSdp(offer);
    const audioAt = sdp.media.findIndex((media) => this.#canTake(sdp, media));
    const media = sdp.media[audioAt];
    if (!media) throw this.#refusalOf(sdp);
    const offered = audioFormatsOf(media, this.#options.codecs ?? legCodecs);
    const webRtc = this.#webRtc;
    const peer = webRtc && webRtcPeerOf(sdp, media);
    const formats = webRtc ? spokenFormats(offered) : { ...offered, dtmf: dtmfBeside(offered) };
    const remote = cryptoLinesOf(media)[0];
    const isSecure = !webRtc && this.#options.srtp !== 'off' && remote !== undefined;
    const crypto = isSecure && remote ? [this.#ownKeyFor(remote)] : [];
    const direction = agreedDirection(this.#located(media), this.#wanted);

    this.#formats = formats;
    this.#crypto = crypto;
    this.#isEncrypted ||= isSecure;
    const videoAt = this.#answerVideo(sdp);
    this.#agreedLayout = undefined;
    this.#layout = { audioAt, videoAt, media: sdp.media, isBundled: isBundled(sdp, midOf(media)) };
    if (peer) {
      this.#peer = peer;
      if (this.#setup === 'actpass') this.#setup = peer.setup === 'passive' ? 'active' : 'passive';
    }
    return {
      sdp: this.#write(direction, this.#setup),
      parameters: this.#parametersOf(media, direction, formats, formats, crypto[0], remote),
    };
  }

  offer(direction: LegDirection = this.#wanted): string {
    const { srtp } = this.#options;
    if (!this.#lastBody && srtp === 'require' && !this.#webRtc) {
      this.#crypto = srtpSuites.map((suite, i) => ({ tag: i + 1, suite, key: newKey(suite) }));
    }
    this.#agreedLayout = this.#layout;
    if (this.video) this.#offerVideo(this.video, direction !== this.#wanted);
    return this.#write(direction, 'actpass');
  }

  accept(answer: string): LegParameters {
    const sdp = parseSdp(answer);
    const media = sdp.media[this.#layout.audioAt];
    if (media?.kind !== 'audio' || media.port === 0) {
      throw new GatewayError('no_common_codec', 'The other side takes no audio.');
    }
    const taken = audioFormatsOf(
      media,
      this.#formats.codecs.map(({ codec }) => codec),
    );
    if (taken.codecs.length === 0) {
      throw new GatewayError('no_common_codec', 'The other side answered with no codec that we offered.');
    }
    const remote = cryptoLinesOf(media)[0];
    const own = this.#crypto.find(({ tag, suite }) => tag === remote?.tag && suite === remote.suite);
    if (this.#crypto.length > 0 && !own) {
      throw new GatewayError('unprocessable', 'The other side answered without the encryption that we offered.');
    }
    if (this.#webRtc) {
      this.#peer = webRtcPeerOf(sdp, media);
      if (this.#setup === 'actpass') this.#setup = this.#peer.setup === 'passive' ? 'active' : 'passive';
    }
    if (own) this.#crypto = [own];
    this.#isEncrypted ||= own !== undefined;
    this.#agreedLayout = undefined;
    this.video?.accept(sdp, sdp.media[this.#layout.videoAt], this.#isHolding);
    const direction = agreedDirection(this.#located(media), this.#wanted);
    return this.#parametersOf(media, direction, taken, this.#formats, own, remote);
  }

  get #isHolding(): boolean {
    return !/recv/.test(this.#wanted);
  }

  /** @returns which m-line it is in; -1 for none */
  #answerVideo(sdp: Sdp): number {
    const { video } = this;
    video?.drop();
    const at = video ? sdp.media.findIndex((media) => video.canTake(sdp, media)) : -1;
    const media = sdp.media[at];
    if (media) video?.answer(sdp, media, this.#isHolding);
    return at;
  }

  /** In the place that it has, in that of one that was refused, or after all others (RFC 3264 §8.1). */
  #offerVideo(video: VideoSpeech, isAsBefore: boolean): void {
    const { media, videoAt, isBundled } = this.#layout;
    const isWebRtc = this.#webRtc !== undefined;
    // Over the ICE and DTLS of the voice, or not at all.
    if (isWebRtc && !isBundled) return;
    const known = videoAt >= 0 ? videoAt : media.findIndex(({ kind }) => kind === 'video');
    const at = known >= 0 ? known : media.length;
    video.offer(this.#isHolding, isAsBefore);
    const attributes = isWebRtc ? [{ name: 'mid', value: midFor(at, media) }] : [];
    const line = { kind: 'video', protocol: video.protocol, formats: ['97'], attributes };
    this.#layout = { ...this.#layout, videoAt: at, media: [...media.slice(0, at), line, ...media.slice(at + 1)] };
  }

  /** 0.0.0.0 is a hold where it is no placeholder: with ICE it stands for candidates that are not known yet (RFC 8840 §4.3.1). */
  #located({ direction, address }: SdpMedia): Pick<SdpMedia, 'direction' | 'address'> {
    return { direction, address: this.#webRtc ? undefined : address };
  }

  #canTake(sdp: Sdp, media: SdpMedia): boolean {
    if (media.kind !== 'audio' || media.port === 0 || media.address === undefined) return false;
    if (audioFormatsOf(media, this.#options.codecs ?? legCodecs).codecs.length === 0) return false;
    const { srtp } = this.#options;
    const webRtc = this.#webRtc;
    if (webRtc || isDtls(sdp, media)) return webRtc !== undefined && isDtls(sdp, media);
    return isSecuredAs(media, srtp, !this.#isEncrypted);
  }

  #refusalOf({ media }: Sdp): GatewayError {
    const audio = media.filter(({ kind, port }) => kind === 'audio' && port !== 0);
    if (audio.length === 0) return new GatewayError('unprocessable', 'The call offers no audio.');
    if (audio.every(({ address }) => address === undefined)) {
      return new GatewayError('invalid_sdp', 'The SDP has no c= line.');
    }
    const isAudible = (one: SdpMedia) => audioFormatsOf(one, this.#options.codecs ?? legCodecs).codecs.length > 0;
    if (!audio.some(isAudible)) {
      const ours = (this.#options.codecs ?? legCodecs).join(', ');
      return new GatewayError('no_common_codec', `The call offers no codec of ours; we take ${ours}.`);
    }
    const other = audio.find(({ protocol }) => !/^(UDP\/TLS\/)?RTP\/S?AVPF?$/.test(protocol));
    if (other) return new GatewayError('unprocessable', `The call offers ${other.protocol}; we take RTP over UDP.`);
    return new GatewayError(
      'unprocessable',
      'The call offers no encryption that we take, or one that we must not drop.',
    );
  }

  /** The same key for as long as the suite is the same: our stream goes on. */
  #ownKeyFor({ tag, suite }: CryptoLine): CryptoLine {
    const known = this.#crypto.find((line) => line.suite === suite);
    return { tag, suite, key: known?.key ?? newKey(suite) };
  }

  #parametersOf(
    media: SdpMedia,
    direction: LegDirection,
    theirs: AudioFormats,
    ours: AudioFormats,
    own: CryptoLine | undefined,
    remote: CryptoLine | undefined,
  ): LegParameters {
    const [used] = theirs.codecs;
    if (!used) throw new GatewayError('no_common_codec', 'No codec is common.');
    // Held by c=0.0.0.0 (RFC 2543): there is nowhere to send, and where it was is kept for what it is worth.
    const isNowhere = media.address === undefined || isUnspecified(media.address);
    if (!isNowhere) this.#remoteAddress = media.address;
    const dtmf = dtmfFor(used.codec, theirs.dtmf);
    const send = { ...used, ptimeMs: ptimeOf(media, used.codec), dtmf };
    const webRtc = this.#webRtc;
    if (webRtc) {
      const { localAddress: remoteAddress, localPort: remotePort } = webRtc;
      return { remoteAddress, remotePort, remoteRtcpPort: remotePort, direction, send, receive: { ...ours } };
    }
    const rtcp = media.attributes.find(({ name }) => name === 'rtcp')?.value;
    const rtcpPort = rtcp === undefined ? undefined : Number(/^\d{1,5}/.exec(rtcp)?.[0]);
    const isTelling = !!rtcpPort && rtcpPort <= 65_535;
    return {
      remoteAddress: this.#remoteAddress ?? media.address ?? '0.0.0.0',
      remotePort: media.port,
      ...(isTelling && { remoteRtcpPort: rtcpPort }),
      direction,
      send: { ...send, comfortNoisePayloadType: theirs.comfortNoisePayloadType },
      receive: { ...ours },
      srtp: own && remote && { suite: own.suite, sendKey: own.key, receiveKey: remote.key },
    };
  }

  #write(direction: LegDirection, setup: DtlsSetup): string {
    const webRtc = this.#webRtc;
    const { audioAt, videoAt, media } = this.#layout;
    const [candidate] = webRtc?.iceCandidates ?? [];
    const { address, port } = candidate ?? this.#options;
    const family = isIPv6(address) ? 'IP6' : 'IP4';
    const mid = media[audioAt] && midOf(media[audioAt]);
    const extensionId = this.#peer?.stream.mid?.extensionId;
    const lines = media.flatMap((one, i) =>
      i === audioAt
        ? [
            `m=audio ${port} ${one.protocol} ${formatNumbers(this.#formats)}`,
            ...formatLines(this.#formats),
            ...this.#crypto.map(cryptoText),
            ...(webRtc ? mediaLines(webRtc, { setup, mid, extensionId, track: 'mix' }) : []),
            'a=ptime:20',
            `a=${direction}`,
          ]
        : i === videoAt && this.video
          ? this.video.lines({ end: webRtc, port, setup, mid: midOf(one) })
          : rejectedLines(one, webRtc !== undefined),
    );
    const bundled = [media[audioAt], this.video && media[videoAt]].flatMap((one) => (one && midOf(one)) ?? []);
    const ofSession = webRtc ? sessionLines(this.#layout.isBundled ? bundled : []) : [];
    const body = ['s=-', `c=IN ${family} ${address}`, 't=0 0', ...ofSession, ...lines, ''].join('\r\n');
    if (this.#lastBody !== undefined && this.#lastBody !== body) this.#version += 1;
    this.#lastBody = body;
    return `v=0\r\no=- ${this.#sessionId} ${this.#version} IN ${family} ${address}\r\n${body}`;
  }
}

/** The one that it has, or a new one. */
function midFor(at: number, media: Layout['media']): string {
  const taken = media.map(midOf);
  return taken[at] ?? Array.from(taken.keys(), String).find((mid) => !taken.includes(mid)) ?? String(taken.length);
}

function rejectedLines(media: Layout['media'][number], hasMid: boolean): string[] {
  const mid = hasMid ? midOf(media) : undefined;
  const line = `m=${media.kind} 0 ${media.protocol} ${media.formats.join(' ')}`;
  return mid === undefined ? [line] : [line, 'a=inactive', `a=mid:${mid}`];
}

/** The longest that the peer asks for and its codec can do; 20 where it says nothing (RFC 3551 §4.2). */
function ptimeOf({ attributes }: SdpMedia, codec: LegCodec): number {
  const numberOf = (wanted: string) => Number.parseInt(attributes.find(({ name }) => name === wanted)?.value ?? '', 10);
  const most = numberOf('maxptime');
  const wished = Math.min(numberOf('ptime') || 20, most > 0 ? most : 60);
  const possible = codec === 'opus' ? [10, 20, 40, 60] : ptimes;
  return possible.filter((each) => each <= wished).at(-1) ?? 10;
}
