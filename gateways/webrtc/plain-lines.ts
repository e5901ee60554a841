// Owns: the m-lines of one plain client's connection, as both sides have last described them (RFC 9429 §5.2, 5.3).
// May import: core and its siblings here.
import type { SfuWebRtcTransport } from '#core/ports.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { Publication, Subscription } from '#core/track.ts';
import type { LayerDriver } from './layer-driver.ts';
import { plainStream } from './plain-notices.ts';
import type { MappedStream } from './plain-protocol.ts';
import type { Direction, SdpSection } from './sdp-parse.ts';
import {
  type AcceptedSection,
  announcedStream,
  type LocalCodec,
  type LocalSection,
  offeredCodec,
} from './sdp-write.ts';

/** A stream of somebody else on its way to this client. */
export interface Outgoing {
  readonly publication: Publication;
  readonly subscription: Subscription;
  readonly layers: LayerDriver;
}

/** A stream of this client. */
export interface Incoming {
  readonly publication: Publication;
  /** How it was taken. */
  readonly section: AcceptedSection;
  /** What the m-line said when it was published; another text means another stream. */
  readonly signature: string;
}

/** Either side may have made it, and streams may go both ways: a browser's addTrack() takes m-lines of ours too. */
export interface Line {
  readonly mid: string;
  readonly kind: string;
  readonly isOurs: boolean;
  protocol: string;
  /** The client's format list, for when it is rejected. */
  formats: string;
  isRejected: boolean;
  hasReducedRtcp: boolean;
  /** What the client has last said of its direction. */
  remote: Direction;
  /** Codecs in which streams of others can go out on it. */
  sendable: readonly LocalCodec[];
  incoming: Incoming | undefined;
  outgoing: Outgoing | undefined;
  /** The client has stopped this screen share, and may not have said so in SDP yet. */
  isStopped: boolean;
}

/** Beyond it, streams wait until others end. */
const maxLines = 100;

export class PlainLines {
  readonly #lines: Line[] = [];
  /** Codecs of each kind, as this transport numbers them. */
  readonly #codecs: Readonly<Record<MediaKind, readonly LocalCodec[]>>;
  #nextMid = 0;

  constructor(transport: SfuWebRtcTransport) {
    const all = transport.consumeCapabilities.codecs ?? [];
    const numbered = (kind: MediaKind) =>
      all.filter((codec) => codec.kind === kind).map((codec) => offeredCodec(codec, codec.preferredPayloadType));
    this.#codecs = { audio: numbered('audio'), video: numbered('video') };
  }

  [Symbol.iterator](): Iterator<Line> {
    return this.#lines[Symbol.iterator]();
  }

  get length(): number {
    return this.#lines.length;
  }

  get sections(): LocalSection[] {
    return this.#lines.map(sectionOf);
  }

  get streams(): MappedStream[] {
    return this.#lines.flatMap(({ mid, outgoing }) =>
      outgoing ? [{ mid, ...plainStream(outgoing.publication) }] : [],
    );
  }

  at(index: number): Line | undefined {
    return this.#lines[index];
  }

  /** Whether the client's SDP has the first `count` m-lines, in the same places (RFC 9429 §5.2.2). */
  isContinuedBy(sections: readonly SdpSection[], count: number): boolean {
    return this.#lines.slice(0, count).every((line, index) => {
      const section = sections[index];
      return section && (section.mid === line.mid || line.isRejected);
    });
  }

  /** The line of the client's m-line; a new one where it is new, or where a rejected one is used again. */
  take(section: SdpSection): Line {
    const { mid, kind, protocol, formats, direction: remote, hasReducedRtcp } = section;
    const existing = this.#lines[section.index];
    if (existing?.mid === mid) return Object.assign(existing, { protocol, formats, remote, hasReducedRtcp });
    const line = newLine({ mid, kind, protocol, formats, remote, hasReducedRtcp, isOurs: false });
    this.#lines[section.index] = line;
    return line;
  }

  /**
   * An m-line on which another stream of that kind can go out: one that the client would receive on, or a new one.
   * @param mayAppend only in offers of ours
   */
  freeFor(kind: MediaKind, mayAppend: boolean): Line | undefined {
    const isFree = (line: Line) =>
      line.kind === kind &&
      !line.isRejected &&
      !line.outgoing &&
      !line.incoming &&
      line.sendable.length > 0 &&
      (line.remote === 'recvonly' || line.remote === 'sendrecv' || (mayAppend && line.isOurs));
    return this.#lines.find(isFree) ?? (mayAppend ? this.#append(kind) : undefined);
  }

  #append(kind: MediaKind): Line | undefined {
    const sendable = this.#codecs[kind];
    if (this.#lines.length >= maxLines || sendable.length === 0) return undefined;
    let mid: string;
    do {
      mid = `s${this.#nextMid}`;
      this.#nextMid += 1;
    } while (this.#lines.some((line) => line.mid === mid));
    const protocol = 'UDP/TLS/RTP/SAVPF';
    const line = newLine({ mid, kind, protocol, formats: '0', remote: 'recvonly', hasReducedRtcp: true, isOurs: true });
    line.sendable = sendable;
    line.isRejected = false;
    this.#lines.push(line);
    return line;
  }

  /** Takes back m-lines that only an unanswered offer of ours has. @param count how many there were before it */
  truncate(count: number): void {
    this.#lines.length = Math.min(count, this.#lines.length);
  }
}

type NewLine = Pick<Line, 'mid' | 'kind' | 'protocol' | 'formats' | 'remote' | 'hasReducedRtcp' | 'isOurs'>;

const newLine = (line: NewLine): Line => ({
  ...line,
  isRejected: true,
  sendable: [],
  incoming: undefined,
  outgoing: undefined,
  isStopped: false,
});

/** What we say of an m-line: what comes in, what goes out, and for the latter also what could. */
function sectionOf(line: Line): LocalSection {
  const { mid, kind, protocol, formats, incoming, outgoing, sendable } = line;
  if (line.isRejected || (kind !== 'audio' && kind !== 'video')) {
    return { isRejected: true, mid, kind, protocol, formats };
  }
  const common = { isRejected: false, mid, kind, protocol, hasReducedRtcp: line.hasReducedRtcp } as const;
  if (!outgoing && incoming) return { ...common, ...incoming.section, direction: 'recvonly' };
  const sentType = outgoing?.subscription.consumer.rtpParameters.codecs[0]?.payloadType;
  const sent = sendable.toSorted((a, b) => Number(b.payloadType === sentType) - Number(a.payloadType === sentType));
  const stream =
    outgoing &&
    announcedStream(
      outgoing.publication.participant.id,
      outgoing.publication.id,
      outgoing.subscription.consumer.rtpParameters,
    );
  if (!incoming) {
    const direction = outgoing ? 'sendonly' : 'inactive';
    return { ...common, direction, codecs: sent, extensions: [], receivedRids: [], stream };
  }
  // The codec that we take comes first: it is the one that the client sends (RFC 9429 §5.10).
  const taken = new Set(incoming.section.codecs.map(({ payloadType }) => payloadType));
  const codecs = [...incoming.section.codecs, ...sent.filter(({ payloadType }) => !taken.has(payloadType))];
  return { ...common, ...incoming.section, direction: 'sendrecv', codecs, stream };
}

/** Whether the m-line still carries the stream that was published from it, in the words that we have answered. */
export function isSameStream(section: SdpSection, incoming: Incoming): boolean {
  if (incoming.publication.isClosed || incoming.signature !== signatureOf(section)) return false;
  const { codecs, extensions } = incoming.section;
  const hasCodecs = codecs.every(({ payloadType, name }) =>
    section.codecs.some((codec) => codec.payloadType === payloadType && codec.name === name),
  );
  return hasCodecs && extensions.every(({ id, uri }) => section.extensions.some((e) => e.id === id && e.uri === uri));
}

export const signatureOf = ({ ssrcs, sendRids }: SdpSection): string =>
  JSON.stringify([ssrcs, sendRids.map(({ id }) => id)]);
