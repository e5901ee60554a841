// Owns: routers that number codecs as a receiver does (WHEP, plain SDP). Pure.
//
// A consumer always carries its router's payload types, and the extension ids that are constants of the worker. So who
// does not take our numbers gets a router of its own kind, one per layout, into which the room's streams are piped.
import { Profile, parseSdpProfileLevelId } from 'h264-profile-level-id';
import type { types } from 'mediasoup';
import type { PayloadTypeLayout } from '#core/ports.ts';
import { isRtx, roomCodecs, roomRtpCapabilities } from './codecs.ts';
import { integer, list } from './untrusted.ts';

type RouterCodec = types.RouterRtpCodecCapability;
type LayoutCodec = PayloadTypeLayout['codecs'][number];
type NumberedCodec = RouterCodec & { readonly preferredPayloadType: number };

export interface LayoutPlan {
  /** Equal for layouts that one router can serve; `room` where the room's own numbers do. */
  readonly key: string;
  /** Every codec of the room, those of the layout under its numbers. */
  readonly mediaCodecs: readonly RouterCodec[];
  /** Payload types of the layout that are served. */
  readonly payloadTypes: ReadonlySet<number>;
}

/**
 * From which payload types mediasoup takes those for RTX, in this order (ortc.js); it gives one to each video codec and
 * refuses a router where a later codec asks for the same.
 */
const rtxPool: readonly number[] = [
  ...Array.from({ length: 28 }, (_, i) => 100 + i),
  ...Array.from({ length: 4 }, (_, i) => 96 + i),
];

/** H264 profiles that decode a constrained baseline stream, from closest to furthest (ITU-T H.264 annex A.2). */
const constrainedBaselineDecoders: readonly Profile[] = [
  Profile.ConstrainedBaseline,
  Profile.Baseline,
  Profile.Main,
  Profile.ConstrainedHigh,
  Profile.High,
];

/** @throws GatewayError `invalid_request` */
export function planLayout(layout: PayloadTypeLayout): LayoutPlan {
  const offered = list(layout.codecs, 'layout.codecs', 0, 128) as readonly LayoutCodec[];
  for (const codec of offered) integer(codec.payloadType, 'layout.payloadType', 0, 127);
  const arranged = arrangeAroundRtx(numberCodecs(offered));
  const payloadTypes = new Set(arranged.map((codec) => codec.preferredPayloadType));
  const isRoomNumbering = arranged.every((codec) => codec.preferredPayloadType === roomPayloadType(codec));
  if (isRoomNumbering) return { key: 'room', mediaCodecs: roomCodecs, payloadTypes };
  const others = roomCodecs.filter((codec) => !arranged.some((numbered) => isSameCodec(numbered, codec)));
  return {
    key: arranged.map((codec) => `${codec.preferredPayloadType}=${roomPayloadType(codec)}`).join(' '),
    // Codecs that the layout lacks stay, so that whatever the room carries can be piped and produced there.
    mediaCodecs: [...arranged, ...others.filter((codec) => !payloadTypes.has(staticPayloadType(codec)))],
    payloadTypes,
  };
}

/** What `consume()` may use on a router of this plan: the layout's codecs alone, with neither RTX nor extensions. */
export function layoutCapabilities(plan: LayoutPlan, router: types.RtpCapabilities): types.RtpCapabilities {
  const codecs = router.codecs ?? [];
  return {
    codecs: codecs.filter((codec) => !isRtx(codec) && plan.payloadTypes.has(codec.preferredPayloadType)),
    headerExtensions: [],
  };
}

/** Each codec of the room, in its order, under the number of the offered codec that serves it best; each number once. */
function numberCodecs(offered: readonly LayoutCodec[]): NumberedCodec[] {
  const taken = new Set<number>();
  return roomCodecs.flatMap((codec): NumberedCodec[] => {
    const candidates = [...servesExactly(codec, offered), ...servesToo(codec, offered)];
    const match = candidates.find(({ payloadType }) => !taken.has(payloadType));
    if (!match) return [];
    taken.add(match.payloadType);
    return [{ ...codec, preferredPayloadType: match.payloadType }];
  });
}

function servesExactly(codec: RouterCodec, offered: readonly LayoutCodec[]): LayoutCodec[] {
  return offered.filter((candidate) => isSameFormat(codec, candidate) && isSameVariant(codec, candidate));
}

/** A receiver that names only higher profiles of H264 still decodes constrained baseline, which all senders use. */
function servesToo(codec: RouterCodec, offered: readonly LayoutCodec[]): LayoutCodec[] {
  if (!isH264(codec) || profileOf(codec) !== Profile.ConstrainedBaseline) return [];
  return constrainedBaselineDecoders.flatMap((profile) =>
    offered.filter(
      (candidate) =>
        isSameFormat(codec, candidate) && isSamePacketization(codec, candidate) && profileOf(candidate) === profile,
    ),
  );
}

type Described = Pick<LayoutCodec, 'mimeType' | 'clockRate' | 'channels' | 'parameters'>;

const isSameFormat = (a: Described, b: Described): boolean =>
  a.mimeType.toLowerCase() === b.mimeType.toLowerCase() &&
  a.clockRate === b.clockRate &&
  (a.channels ?? 1) === (b.channels ?? 1);

function isSameVariant(a: Described, b: Described): boolean {
  if (isH264(a)) return isSamePacketization(a, b) && profileOf(a) === profileOf(b);
  if (/\/vp9$/i.test(a.mimeType)) return numberOf(a, 'profile-id') === numberOf(b, 'profile-id');
  return true;
}

const isSameCodec = (a: Described, b: Described): boolean => isSameFormat(a, b) && isSameVariant(a, b);
const isH264 = (codec: Described): boolean => /\/h264$/i.test(codec.mimeType);
const numberOf = (codec: Described, parameter: string): number => Number(codec.parameters?.[parameter] ?? 0);
const isSamePacketization = (a: Described, b: Described): boolean =>
  numberOf(a, 'packetization-mode') === numberOf(b, 'packetization-mode');

/** Undefined for a profile-level-id that is none; constrained baseline where there is none (RFC 6184 §8.1 by libwebrtc). */
function profileOf(codec: Described): Profile | undefined {
  return parseSdpProfileLevelId({ ...codec.parameters })?.profile;
}

function roomPayloadType(codec: RouterCodec): number | undefined {
  return roomRtpCapabilities.codecs?.find((candidate) => isSameCodec(codec, candidate))?.preferredPayloadType;
}

/** The number that mediasoup gives to a codec with a fixed one (RFC 3551 §6), -1 for the others. */
function staticPayloadType(codec: RouterCodec): number {
  const payloadType = roomPayloadType(codec) ?? -1;
  return payloadType < 35 ? payloadType : -1;
}

/**
 * Orders codecs so that no RTX takes the number of one that comes later. Audio first, as it takes none; then whichever
 * codec stands at the front of the pool. Two video codecs side by side at the front cannot both stay: the second is left
 * out, and so not served.
 */
function arrangeAroundRtx(codecs: readonly NumberedCodec[]): NumberedCodec[] {
  const arranged = codecs.filter(({ kind }) => kind === 'audio');
  let waiting = codecs.filter(({ kind }) => kind === 'video');
  let pool = rtxPool.filter((number) => !arranged.some((codec) => codec.preferredPayloadType === number));
  for (let next = chooseNext(waiting, pool); next !== undefined; next = chooseNext(waiting, pool)) {
    const { preferredPayloadType } = next;
    const [rtx, ...rest] = pool.filter((number) => number !== preferredPayloadType);
    pool = rest;
    arranged.push(next);
    waiting = waiting.filter((codec) => codec !== next && codec.preferredPayloadType !== rtx);
  }
  return arranged;
}

const chooseNext = (waiting: readonly NumberedCodec[], pool: readonly number[]): NumberedCodec | undefined =>
  waiting.find((codec) => codec.preferredPayloadType === pool[0]) ?? waiting[0];
