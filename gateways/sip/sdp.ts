// Owns: reading SDP as phones write it, as far as calls need it; hostile text is bounded and refused. Pure.
import { BlockList, isIP, isIPv6 } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import type { LegDirection } from '#core/leg-media.ts';

export interface SdpAttribute {
  readonly name: string;
  readonly value: string;
}

/** What b= lines say, bit/s. */
export interface SdpBandwidth {
  /** With the headers of IP and UDP. */
  readonly asBps?: number | undefined;
  /** Without them (RFC 3890). */
  readonly tiasBps?: number | undefined;
}

export interface SdpMedia {
  readonly kind: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: readonly string[];
  /** Of its own c= line, or of the session's. */
  readonly address: string | undefined;
  readonly attributes: readonly SdpAttribute[];
  readonly direction: LegDirection;
  readonly bandwidth: SdpBandwidth;
}

export interface Sdp {
  /** The o= line, which names the description and its version. */
  readonly origin: string;
  /** Those of the session, which hold for each m-line that does not say otherwise. */
  readonly attributes: readonly SdpAttribute[];
  readonly bandwidth: SdpBandwidth;
  readonly media: readonly SdpMedia[];
}

const maxBytes = 65_536;
const maxLines = 2_000;
/** Expressions take time by the square of a line: 60 KiB of blanks in one cost seconds. */
const maxLineLength = 4_096;
const maxMedia = 32;
const directions: readonly string[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

/** Of a call several parts read the same description, one after the other. */
let last: { readonly text: string; readonly sdp: Sdp } | undefined;

/** @throws GatewayError `invalid_sdp` @see RFC 8866 §5 */
export function parseSdp(text: string): Sdp {
  if (last?.text !== text) last = { text, sdp: readSdp(text) };
  return last.sdp;
}

function readSdp(text: string): Sdp {
  if (text.length > maxBytes) throw new GatewayError('invalid_sdp', 'The SDP is longer than 64 KiB.');
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line !== '');
  if (lines.length > maxLines) throw new GatewayError('invalid_sdp', `The SDP has more than ${maxLines} lines.`);
  if (lines.some(({ length }) => length > maxLineLength)) {
    throw new GatewayError('invalid_sdp', `A line of the SDP is longer than ${maxLineLength} characters.`);
  }
  if (lines[0]?.trim() !== 'v=0') throw new GatewayError('invalid_sdp', 'The SDP does not begin with v=0.');
  const starts = lines.flatMap((line, i) => (line.startsWith('m=') ? [i] : []));
  if (starts.length > maxMedia) throw new GatewayError('invalid_sdp', `The SDP has more than ${maxMedia} m-lines.`);
  const session = lines.slice(0, starts[0] ?? lines.length);
  const address = addressOf(session);
  const attributes = attributesOf(session);
  const direction = directionOf(attributes);
  return {
    origin: session.find((line) => line.startsWith('o='))?.slice(2) ?? '',
    attributes,
    bandwidth: bandwidthOf(session),
    media: starts.map((start, i) => parseMedia(lines.slice(start, starts[i + 1]), address, direction)),
  };
}

function parseMedia(
  lines: readonly string[],
  sessionAddress: string | undefined,
  sessionDirection: LegDirection | undefined,
): SdpMedia {
  const [, kind, port, protocol, formats] = /^m=(\S+) +(\d{1,5})(?:\/\d+)? +(\S+) +(.+)$/.exec(lines[0] ?? '') ?? [];
  if (kind === undefined || protocol === undefined || formats === undefined || Number(port) > 65_535) {
    throw new GatewayError('invalid_sdp', `The SDP has a line that is no media: ${lines[0]?.slice(0, 80)}`);
  }
  const attributes = attributesOf(lines);
  return {
    kind,
    port: Number(port),
    protocol,
    formats: formats.trim().split(/ +/),
    address: addressOf(lines) ?? sessionAddress,
    attributes,
    direction: directionOf(attributes) ?? sessionDirection ?? 'sendrecv',
    bandwidth: bandwidthOf(lines),
  };
}

function attributesOf(lines: readonly string[]): SdpAttribute[] {
  return lines.flatMap((line) => {
    const [, name, value = ''] = /^a=([^:\s]+)(?::(.*))?$/.exec(line.trimEnd()) ?? [];
    return name === undefined ? [] : [{ name: name.toLowerCase(), value }];
  });
}

function bandwidthOf(lines: readonly string[]): SdpBandwidth {
  const numberOf = (type: string) => {
    const line = lines.find((each) => each.startsWith(`b=${type}:`));
    const value = /^\d{1,10}/.exec(line?.slice(type.length + 3) ?? '')?.[0];
    return value === undefined ? undefined : Number(value);
  };
  const asKbps = numberOf('AS');
  return { asBps: asKbps === undefined ? undefined : asKbps * 1_000, tiasBps: numberOf('TIAS') };
}

function addressOf(lines: readonly string[]): string | undefined {
  const line = lines.find((each) => each.startsWith('c='));
  if (line === undefined) return undefined;
  const [, address = ''] = /^c=IN +IP[46] +([^\s/]+)/i.exec(line) ?? [];
  // A name would have to be looked up for whoever asks; phones write addresses.
  if (isIP(address) === 0) throw new GatewayError('invalid_sdp', `The SDP has no address in ${line.slice(0, 80)}`);
  // Whoever dials in must not have us speak to a whole network (RFC 3264 §5.2 is for those who agreed on it elsewhere).
  if (groups.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) {
    throw new GatewayError('invalid_sdp', `The SDP wants media sent to many at once, at ${address}`);
  }
  return address;
}

const groups = new BlockList();
groups.addSubnet('224.0.0.0', 4, 'ipv4');
groups.addSubnet('ff00::', 8, 'ipv6');
groups.addAddress('255.255.255.255', 'ipv4');

function directionOf(attributes: readonly SdpAttribute[]): LegDirection | undefined {
  return attributes.find(({ name }) => directions.includes(name))?.name as LegDirection | undefined;
}
