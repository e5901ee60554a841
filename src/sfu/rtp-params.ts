// Owns: a second look at what clients say about their media, before mediasoup sees it. Pure.
//
// mediasoup checks most of it, but some only while it writes a request. When that throws half way through, the FlatBuffers
// builder, which all requests of the worker share, refuses everything afterwards: one odd stream would end every room
// there. So whatever is odd is stopped here. Each function builds a new object of the fields that mediasoup knows.
import type { types } from 'mediasoup';
import type { MediaKind } from '#core/rtp.ts';
import { field, integer, list, oneOf, optional, record, refuse, text } from './untrusted.ts';

const maxSsrc = 0xffff_ffff;
/** RFC 3550 §6.5: an SDES item has one byte for its length. */
const maxCnameLength = 255;
/** L3T3, S2T1, L3T3_KEY, L1T2h (W3C SVC); more layers than these no codec of ours has. */
const scalabilityModePattern = /^[LS][1-3]T[1-3](h)?(_KEY(_SHIFT)?)?$/;
/** RFC 8851 §10 has letters and digits; `_` and `-` are seen in the wild. */
const ridPattern = /^[A-Za-z0-9_-]{1,32}$/;

const extensionUris: ReadonlySet<string> = new Set<types.RtpHeaderExtensionUri>([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
  'urn:3gpp:video-orientation',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'urn:ietf:params:rtp-hdrext:toffset',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
]);

const isKnownUri = (uri: string): uri is types.RtpHeaderExtensionUri => extensionUris.has(uri);

/** @throws GatewayError `invalid_request`, with the path of the first field that does not fit */
export function checkRtpParameters(kind: MediaKind, value: unknown): types.RtpParameters {
  const given = record(value, 'rtpParameters');
  const codecs = list(given.codecs, 'codecs', 1, 32).map((codec, i) => checkCodec(kind, codec, `codecs[${i}]`));
  const headerExtensions = optional(given.headerExtensions, (extensions) =>
    list(extensions, 'headerExtensions', 0, 32).flatMap((extension, i) => checkExtension(extension, i)),
  );
  const encodings = optional(given.encodings, (all) =>
    list(all, 'encodings', 0, 8).map((encoding, i) => checkEncoding(encoding, `encodings[${i}]`)),
  );
  const rtcp = optional(given.rtcp, (value) => record(value, 'rtcp'));
  assertUnique(
    codecs.map(({ payloadType }) => payloadType),
    'codecs',
    'payload type',
  );
  assertUnique(headerExtensions?.map(({ id }) => id) ?? [], 'headerExtensions', 'id');
  assertUnique(encodings?.flatMap(({ ssrc, rtx }) => [ssrc, rtx?.ssrc]) ?? [], 'encodings', 'ssrc');
  assertUnique(encodings?.map(({ rid }) => rid) ?? [], 'encodings', 'rid');
  return {
    codecs,
    headerExtensions: headerExtensions ?? [],
    encodings: encodings ?? [],
    mid: optional(given.mid, (mid) => text(mid, 'mid', 1, 255)),
    msid: optional(given.msid, (msid) => text(msid, 'msid', 0, 255)),
    rtcp: {
      // An empty name would be refused by the worker; mediasoup makes one for whoever brings none.
      cname: optional(rtcp?.cname, (cname) => text(cname, 'rtcp.cname', 0, maxCnameLength)) || undefined,
      reducedSize: true,
    },
  };
}

/** @throws GatewayError `invalid_request` */
export function checkRtpCapabilities(value: unknown): types.RtpCapabilities {
  const given = record(value, 'rtpCapabilities');
  const codecs = optional(given.codecs, (all) =>
    list(all, 'codecs', 0, 128).map((value, i): types.RtpCodecCapability => {
      const path = `codecs[${i}]`;
      const codec = record(value, path);
      const kind = oneOf(codec.kind, `${path}.kind`, ['audio', 'video']);
      const { payloadType: _, ...common } = checkCodec(kind, { ...codec, payloadType: 0 }, path);
      const preferredPayloadType = integer(codec.preferredPayloadType, `${path}.preferredPayloadType`, 0, 127);
      return { ...common, kind, preferredPayloadType };
    }),
  );
  const headerExtensions = optional(given.headerExtensions, (all) =>
    list(all, 'headerExtensions', 0, 128).flatMap((value, i): types.RtpHeaderExtension[] => {
      const path = `headerExtensions[${i}]`;
      const extension = record(value, path);
      const kind = oneOf(extension.kind, `${path}.kind`, ['audio', 'video']);
      const uri = text(extension.uri, `${path}.uri`, 1, 255);
      const preferredId = integer(extension.preferredId, `${path}.preferredId`, 1, 255);
      return isKnownUri(uri) ? [{ kind, uri, preferredId }] : [];
    }),
  );
  return { codecs: codecs ?? [], headerExtensions: headerExtensions ?? [] };
}

function checkCodec(kind: MediaKind, value: unknown, path: string): types.RtpCodecParameters {
  const codec = record(value, path);
  const mimeType = text(codec.mimeType, `${path}.mimeType`, 1, 64);
  if (!mimeType.toLowerCase().startsWith(`${kind}/`)) refuse(`${path}.mimeType`, `is not ${kind}`);
  const checked: types.RtpCodecParameters = {
    mimeType,
    payloadType: integer(codec.payloadType, `${path}.payloadType`, 0, 127),
    clockRate: integer(codec.clockRate, `${path}.clockRate`, 1, 1_000_000),
    parameters: checkFormatParameters(codec.parameters, `${path}.parameters`),
    rtcpFeedback: optional(codec.rtcpFeedback, (all) =>
      list(all, `${path}.rtcpFeedback`, 0, 32).map((feedback, i) =>
        checkFeedback(feedback, `${path}.rtcpFeedback[${i}]`),
      ),
    ),
  };
  const channels = optional(codec.channels, (count) => integer(count, `${path}.channels`, 1, 255));
  if (kind === 'audio' && channels !== undefined) checked.channels = channels;
  return checked;
}

/** The `a=fmtp` of a codec: short strings and numbers that fit the worker's int32. */
function checkFormatParameters(value: unknown, path: string): Record<string, string | number> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(record(value, path));
  if (entries.length > 64) refuse(path, 'has too many entries');
  const checked: [string, string | number][] = [];
  for (const [key, parameter] of entries) {
    if (parameter === undefined) continue;
    const where = field(path, key);
    if (key.length > 64) refuse(path, 'has too long a name');
    if (typeof parameter === 'number') {
      // A fraction would go as a double; nothing that we know of has one.
      checked.push([key, integer(parameter, where, -0x8000_0000, 0x7fff_ffff)]);
    } else {
      checked.push([key, text(parameter, where, 0, 2_048)]);
    }
  }
  return Object.fromEntries(checked);
}

function checkFeedback(value: unknown, path: string): types.RtcpFeedback {
  const feedback = record(value, path);
  return {
    type: text(feedback.type, `${path}.type`, 1, 64),
    parameter: optional(feedback.parameter, (parameter) => text(parameter, `${path}.parameter`, 0, 64)) ?? '',
  };
}

/** Nothing for an extension that the SFU does not know: it would be ignored in the packets too. */
function checkExtension(value: unknown, index: number): types.RtpHeaderExtensionParameters[] {
  const path = `headerExtensions[${index}]`;
  const extension = record(value, path);
  const uri = text(extension.uri, `${path}.uri`, 1, 255);
  // RFC 8285 §4.2 and §4.3: 0 is padding; two-byte headers go to 255.
  const id = integer(extension.id, `${path}.id`, 1, 255);
  return isKnownUri(uri) ? [{ uri, id, encrypt: false, parameters: {} }] : [];
}

function checkEncoding(value: unknown, path: string): types.RtpEncodingParameters {
  const encoding = record(value, path);
  const ssrc = (value: unknown, where: string) => integer(value, where, 1, maxSsrc);
  const checked: types.RtpEncodingParameters = {
    ssrc: optional(encoding.ssrc, (value) => ssrc(value, `${path}.ssrc`)),
    rid: optional(encoding.rid, (rid) => text(rid, `${path}.rid`, 1, 32, ridPattern)),
    codecPayloadType: optional(encoding.codecPayloadType, (payloadType) =>
      integer(payloadType, `${path}.codecPayloadType`, 0, 127),
    ),
    dtx: encoding.dtx === true,
    scalabilityMode: optional(encoding.scalabilityMode, (mode) =>
      text(mode, `${path}.scalabilityMode`, 1, 16, scalabilityModePattern),
    ),
    maxBitrate: optional(encoding.maxBitrate, (bitrate) => integer(bitrate, `${path}.maxBitrate`, 0, 1e10)),
  };
  const rtx = optional(encoding.rtx, (value) => record(value, `${path}.rtx`));
  if (rtx) checked.rtx = { ssrc: ssrc(rtx.ssrc, `${path}.rtx.ssrc`) };
  return checked;
}

function assertUnique(values: readonly (string | number | undefined)[], path: string, what: string): void {
  const seen = new Set<string | number>();
  for (const value of values) {
    if (value === undefined) continue;
    if (seen.has(value)) refuse(path, `uses the ${what} ${value} twice`);
    seen.add(value);
  }
}
