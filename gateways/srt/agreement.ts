// Owns: what the two ends of a connection agree on, from their handshakes. Pure. May import: its neighbours.
import {
  extensionType,
  type Handshake,
  type HandshakeExtension,
  type HandshakeTerms,
  parseTerms,
  parseText,
  termFlag,
} from './handshake.ts';
import type { KeyLength } from './key-material.ts';
import { defaultMtuBytes, livePayloadBytes, maxPayloadBytes } from './packet.ts';
import { HandshakeRefusal, rejection } from './status.ts';

/** What we call ourselves: our messages are those of this version. */
const ownVersion = 0x010500;
/** The first with handshake version 5. */
const oldestVersion = 0x010300;
/** Longer waits are refused no one, but they get this. */
export const maxLatencyMs = 10_000;
const maxFlowWindowPackets = 25_600;

const ownFlags =
  termFlag.sendsByTime |
  termFlag.receivesByTime |
  termFlag.encrypts |
  termFlag.dropsLate |
  termFlag.repeatsNak |
  termFlag.marksRetransmitted;

/** What the other end wants, from its conclusion. */
export interface PeerTerms {
  readonly socketId: number;
  readonly initialSequenceNumber: number;
  readonly flowWindowPackets: number;
  readonly payloadBytes: number;
  readonly receiverLatencyMs: number;
  readonly senderLatencyMs: number;
  readonly streamId: string;
  readonly keyMessage: Buffer | undefined;
}

/**
 * @param handshake a conclusion
 * @param isResponse whether it is the listener's
 * @throws HandshakeRefusal for what cannot be a live stream with us
 */
export function readConclusion(handshake: Handshake, isResponse: boolean): PeerTerms {
  const { extensions } = handshake;
  const data = (type: number) => extensions.find((extension) => extension.type === type)?.data;
  const terms = parseTerms(data(isResponse ? extensionType.handshakeResponse : extensionType.handshakeRequest) ?? none);
  assertLive(handshake, terms, extensions);
  const { srtVersion: _, flags: __, ...latencies } = terms;
  return {
    ...latencies,
    socketId: handshake.socketId,
    initialSequenceNumber: handshake.initialSequenceNumber,
    flowWindowPackets: Math.min(maxFlowWindowPackets, Math.max(16, handshake.flowWindowPackets)),
    payloadBytes: Math.min(livePayloadBytes, maxPayloadBytes(Math.min(defaultMtuBytes, handshake.mtuBytes))),
    streamId: parseText(data(extensionType.streamId) ?? none),
    keyMessage: data(isResponse ? extensionType.keyMaterialResponse : extensionType.keyMaterialRequest),
  };
}

const none = Buffer.alloc(0);
const minMtuBytes = 300;

function assertLive(
  { version, mtuBytes, socketId }: Handshake,
  terms: HandshakeTerms | undefined,
  extensions: readonly HandshakeExtension[],
): asserts terms is HandshakeTerms {
  const refuse = (reason: number, words: string): never => {
    throw new HandshakeRefusal(reason, words);
  };
  const text = (type: number) => parseText(extensions.find((extension) => extension.type === type)?.data ?? none);
  if (version !== 5 || !terms || terms.srtVersion < oldestVersion) {
    refuse(rejection.version, 'The SRT peer is older than 1.3; its handshake is not spoken here.');
  }
  if (socketId === 0 || mtuBytes < minMtuBytes) refuse(rejection.rogue, 'The SRT handshake makes no sense.');
  const congestion = text(extensionType.congestion);
  if (congestion !== '' && congestion !== 'live') {
    refuse(rejection.congestion, 'The SRT peer is in file mode; set it to live mode (transtype=live).');
  }
  if (terms && (terms.flags & termFlag.isStream) !== 0) {
    refuse(rejection.messageApi, 'The SRT peer is in file mode; set it to live mode (transtype=live).');
  }
  if (text(extensionType.filter) !== '') refuse(rejection.filter, 'SRT packet filters (FEC) are not spoken here.');
  if (extensions.some(({ type }) => type === extensionType.group)) {
    refuse(rejection.group, 'SRT bonding is not spoken here; send over one path.');
  }
}

/** Terms of ours, for either side's handshake. */
export function ownTerms(latencies: Pick<HandshakeTerms, 'receiverLatencyMs' | 'senderLatencyMs'>): HandshakeTerms {
  return { srtVersion: ownVersion, flags: ownFlags, ...latencies };
}

/** Whoever wants to wait longer gets its way, in each direction. */
export function agreeLatencies(
  ownMs: number,
  peer: Pick<PeerTerms, 'receiverLatencyMs' | 'senderLatencyMs'>,
): { readonly receiverLatencyMs: number; readonly senderLatencyMs: number } {
  const agree = (peerMs: number) => Math.min(maxLatencyMs, Math.max(ownMs, peerMs));
  return { receiverLatencyMs: agree(peer.senderLatencyMs), senderLatencyMs: agree(peer.receiverLatencyMs) };
}

/** The encryption field of a handshake. */
export function encryptionField(keyLength: KeyLength | undefined): number {
  return keyLength === undefined ? 0 : keyLength / 8;
}
