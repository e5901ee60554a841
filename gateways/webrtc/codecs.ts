// Owns: which codecs of a peer's SDP are codecs of the room (RFC 6184 §8.2.2, 7587, 7741, 9628). Pure.
// May import: core, h264-profile-level-id.
import { isSameProfile, Profile, parseSdpProfileLevelId } from 'h264-profile-level-id';
import type { RtcpFeedback, RtpCodecCapability, RtpCodecParameters } from '#core/rtp.ts';
import type { SdpCodec, SdpSection } from './sdp-parse.ts';

/** A codec as the peer numbers it, and the room's codec that it is. */
export interface CodecMatch {
  readonly codec: SdpCodec;
  /** The peer's retransmission format for it, if it has one. */
  readonly rtx: SdpCodec | undefined;
  readonly roomCodec: RtpCodecCapability;
  /** Feedback that both ends know. */
  readonly feedback: readonly RtcpFeedback[];
}

/** Formats that carry no picture or sound of their own. */
const auxiliary = new Set(['rtx', 'red', 'ulpfec', 'flexfec-03', 'telephone-event', 'cn']);

/**
 * The room calls every H264 stream constrained baseline, level 3.1, whatever its SPS says: decoders go by the SPS, and
 * browsers would not even be offered a stream announced as High that they decode well.
 */
const announcedH264 = { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 };

/**
 * @returns the codec that we ask the peer to send: its own first choice among those of the room, and of the several
 * H264 profiles the one that most receivers take. Undefined when there is none.
 */
export function chooseReceived(section: SdpSection, roomCodecs: readonly RtpCodecCapability[]): CodecMatch | undefined {
  const candidates = section.codecs.flatMap((codec) => {
    const roomCodec = roomCodecs.find((room) => isPrimary(room) && carries(codec, room, section.kind));
    return roomCodec ? [{ codec, roomCodec }] : [];
  });
  const first = candidates[0];
  if (!first) return undefined;
  const sameName = candidates.filter(({ codec }) => nameOf(codec) === nameOf(first.codec));
  const best = sameName.reduce((a, b) => (receiveRank(b.codec) > receiveRank(a.codec) ? b : a));
  return describe(section, best.codec, best.roomCodec);
}

/**
 * @returns for each codec of the room the format under which the peer takes it, the peer's first choice first. No
 * payload type is there twice, since a router can have each only once.
 */
export function chooseSent(section: SdpSection, roomCodecs: readonly RtpCodecCapability[]): CodecMatch[] {
  const taken = new Map<number, CodecMatch>();
  for (const roomCodec of roomCodecs.filter(isPrimary)) {
    const able = section.codecs.filter(
      (codec) =>
        isSameFormat(codec, roomCodec, section.kind) && decodes(codec, roomCodec) && !taken.has(codec.payloadType),
    );
    const [best] = able.toSorted((a, b) => sendRank(b, roomCodec) - sendRank(a, roomCodec));
    if (best) taken.set(best.payloadType, describe(section, best, roomCodec));
  }
  const order = section.codecs.map(({ payloadType }) => payloadType);
  return [...taken.values()].toSorted(
    (a, b) => order.indexOf(a.codec.payloadType) - order.indexOf(b.codec.payloadType),
  );
}

/** The codec as the SFU is to know it: payload types of the peer, parameters of the room. */
export function receivedCodecs(match: CodecMatch, kind: string): RtpCodecParameters[] {
  const { codec, rtx, roomCodec } = match;
  const isH264 = nameOf(codec) === 'h264';
  const main: RtpCodecParameters = {
    mimeType: roomCodec.mimeType,
    payloadType: codec.payloadType,
    clockRate: roomCodec.clockRate,
    ...(roomCodec.channels !== undefined && kind === 'audio' ? { channels: roomCodec.channels } : {}),
    parameters: isH264 ? announcedH264 : withNumbers(codec.parameters),
    rtcpFeedback: match.feedback,
  };
  if (!rtx) return [main];
  return [
    main,
    {
      mimeType: `${kind}/rtx`,
      payloadType: rtx.payloadType,
      clockRate: rtx.clockRate,
      parameters: { apt: codec.payloadType },
      rtcpFeedback: [],
    },
  ];
}

/** mediasoup compares `packetization-mode` and `profile-id` as numbers. */
function withNumbers(parameters: Readonly<Record<string, string>>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [key, /^\d{1,9}$/.test(value) ? Number(value) : value]),
  );
}

function describe(section: SdpSection, codec: SdpCodec, roomCodec: RtpCodecCapability): CodecMatch {
  const rtx = section.codecs.find(
    (other) => nameOf(other) === 'rtx' && other.parameters.apt === String(codec.payloadType),
  );
  const known = roomCodec.rtcpFeedback ?? [];
  const feedback = codec.feedback.filter((mine) =>
    known.some(({ type, parameter }) => type === mine.type && (parameter ?? '') === (mine.parameter ?? '')),
  );
  return { codec, rtx, roomCodec, feedback };
}

function isPrimary(roomCodec: RtpCodecCapability): boolean {
  return !auxiliary.has(formatOf(roomCodec));
}

/** Whether a stream that the peer sends in this format can be one of the room's. */
function carries(codec: SdpCodec, roomCodec: RtpCodecCapability, kind: string): boolean {
  if (!isSameFormat(codec, roomCodec, kind)) return false;
  if (nameOf(codec) !== 'h264') return true;
  const room = roomCodec.parameters ?? {};
  // Single NAL unit mode is a subset of mode 1; interleaved mode 2 is not.
  return (
    packetizationMode(codec) <= 1 && number(room['packetization-mode']) === 1 && isSameProfile(announcedH264, room)
  );
}

/** Whether the peer can decode the room's codec in this format. */
function decodes(codec: SdpCodec, roomCodec: RtpCodecCapability): boolean {
  if (nameOf(codec) !== 'h264') return true;
  const isSameMode = packetizationMode(codec) === number(roomCodec.parameters?.['packetization-mode']);
  return isSameMode && sendRank(codec, roomCodec) > 0;
}

function isSameFormat(codec: SdpCodec, roomCodec: RtpCodecCapability, kind: string): boolean {
  const room = roomCodec.parameters ?? {};
  if (roomCodec.kind !== kind || nameOf(codec) !== formatOf(roomCodec)) return false;
  if (codec.clockRate !== roomCodec.clockRate) return false;
  switch (nameOf(codec)) {
    case 'opus':
      // RFC 7587 §4.1 wants "/2" whatever is sent; some leave it out.
      return (codec.channels ?? 2) === (roomCodec.channels ?? 2);
    case 'vp9':
      return number(codec.parameters['profile-id']) === number(room['profile-id']);
    case 'av1':
      return number(codec.parameters.profile) === number(room.profile);
    default:
      return kind !== 'audio' || (codec.channels ?? 1) === (roomCodec.channels ?? 1);
  }
}

/** Which of several H264 formats to ask for: the simpler the profile, the more can decode it. */
function receiveRank(codec: SdpCodec): number {
  if (nameOf(codec) !== 'h264') return 0;
  const simplicity = ranks.get(profileOf(codec.parameters) ?? Profile.PredictiveHigh444) ?? 0;
  return packetizationMode(codec) * 10 + simplicity;
}

/** 0: cannot decode it; the higher the closer the format is to the stream. */
function sendRank(codec: SdpCodec, roomCodec: RtpCodecCapability): number {
  if (nameOf(codec) !== 'h264') return 1;
  const theirs = profileOf(codec.parameters);
  const ours = profileOf(roomCodec.parameters ?? {});
  if (theirs === undefined || ours === undefined) return 0;
  if (theirs === ours) return 10;
  // Every decoder plays constrained baseline; one for High plays Main too.
  if (ours === Profile.ConstrainedBaseline) return ranks.get(theirs) ?? 1;
  return ours === Profile.Main && theirs === Profile.High ? 1 : 0;
}

const ranks: ReadonlyMap<Profile, number> = new Map([
  [Profile.ConstrainedBaseline, 6],
  [Profile.Baseline, 5],
  [Profile.Main, 4],
  [Profile.ConstrainedHigh, 3],
  [Profile.High, 2],
]);

function profileOf(parameters: Readonly<Record<string, unknown>>): Profile | undefined {
  return parseSdpProfileLevelId(parameters)?.profile;
}

function packetizationMode(codec: SdpCodec): number {
  return number(codec.parameters['packetization-mode']);
}

function number(value: unknown): number {
  const parsed = Number(value ?? 0);
  return Number.isFinite(parsed) ? parsed : -1;
}

function nameOf(codec: SdpCodec): string {
  return codec.name.toLowerCase();
}

function formatOf(roomCodec: RtpCodecCapability): string {
  return roomCodec.mimeType.slice(roomCodec.mimeType.indexOf('/') + 1).toLowerCase();
}
