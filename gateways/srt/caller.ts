// Owns: calling an SRT listener: its handshake, and the connection that comes of it, which sends and receives.
// May import: core, its neighbours.

import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { agreeLatencies, encryptionField, ownTerms, readConclusion } from './agreement.ts';
import type { RefreshPolicy } from './cipher.ts';
import { SrtConnection, srtClockUs } from './connection.ts';
import {
  datagramSocket,
  extensionFlag,
  extensionType,
  type Handshake,
  type HandshakeExtension,
  handshakeType,
  parseHandshake,
  serializeHandshake,
  serializeTerms,
  serializeText,
  srtMagic,
} from './handshake.ts';
import { createKeyMaterial, type KeyMaterial, serializeKeyMessage } from './key-material.ts';
import {
  type ControlPacket,
  controlType,
  defaultMtuBytes,
  packetTimestamp,
  parsePacket,
  serializeControl,
} from './packet.ts';
import { receiveWindowPackets } from './receiver.ts';
import { HandshakeRefusal, refusedBy, rejectionBase } from './status.ts';
import { UdpPort } from './udp-port.ts';
import type { SrtUrl } from './url.ts';

export interface SrtCallerOptions {
  readonly url: SrtUrl;
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  /** From the first packet to the end of the handshake. */
  readonly startTimeoutMs: number;
  /** So long without anything from the server. */
  readonly idleTimeoutMs: number;
  readonly onPayload: (payload: Buffer) => void;
  readonly refresh?: RefreshPolicy | undefined;
}

/** What libsrt waits for as receiver unless it is told otherwise. */
const defaultLatencyMs = 120;
const repeatMs = 250;

/**
 * fresh ──open()──> induction ──cookie──> conclusion ──terms──> connected ──> (closed)
 *                       └───────────────refused, silence────────────────────────^
 */
export class SrtCaller extends Owned {
  readonly #options: SrtCallerOptions;
  readonly #startUs = srtClockUs();
  readonly #socketId = randomInt(1, 0x3fffffff);
  readonly #initialSequenceNumber = randomInt(0, 0x7fffffff);
  readonly #ready = Promise.withResolvers<SrtConnection>();
  #udp: UdpPort | undefined;
  #material: KeyMaterial | undefined;
  #request: Buffer | undefined;
  #cookie: number | undefined;
  #timers: NodeJS.Timeout[] = [];
  #connection: SrtConnection | undefined;
  #failure: GatewayError | undefined;

  constructor(options: SrtCallerOptions) {
    super();
    this.#options = options;
    this.#ready.promise.catch(() => undefined); // closed before anybody asked
  }

  /** Once closed: why, unless its owner or the server closed it. */
  get failure(): GatewayError | undefined {
    return this.#failure ?? this.#connection?.failure;
  }

  get connection(): SrtConnection | undefined {
    return this.#connection;
  }

  /**
   * Call once.
   * @throws GatewayError `forbidden` by policy, `upstream_refused` and `upstream_failed` with the server's reason,
   *   `timeout`, `closed` when it is closed meanwhile
   */
  async open(): Promise<SrtConnection> {
    const { url, policy, lookup: find = systemLookup, startTimeoutMs } = this.#options;
    const { host, port, passphrase, keyLength } = url;
    this.#timers.push(setTimeout(() => this.#giveUp(), startTimeoutMs));
    try {
      const address = await policy.resolve({ scheme: 'srt', host, port }, find);
      if (passphrase !== undefined) this.#material = await createKeyMaterial(passphrase, keyLength);
      if (!this.isClosed) await this.#begin(address, port);
    } catch (thrown) {
      this.fail(thrown instanceof GatewayError ? thrown : unreachable(url, thrown));
    }
    return this.#ready.promise;
  }

  fail(error: GatewayError, reason: CloseReason = 'failed'): void {
    this.#failure ??= error;
    void this.close(reason);
  }

  async #begin(address: string, port: number): Promise<void> {
    const udp = await UdpPort.connect(address, port, (datagram) => this.#receive(datagram));
    this.#udp = udp;
    if (this.isClosed) {
      await udp.close();
      return;
    }
    udp.onRefused = () => {
      if (!this.#connection) this.fail(unreachable(this.#options.url, undefined));
    };
    this.#request = serializeHandshake({
      ...this.#ownHandshake,
      ...{ version: 4, encryption: 0, extensionField: datagramSocket, type: handshakeType.induction },
      ...{ cookie: 0, extensions: [] },
    });
    this.#ask();
    this.#timers.push(setInterval(() => this.#ask(), repeatMs));
  }

  get #ownHandshake(): Pick<
    Handshake,
    'initialSequenceNumber' | 'mtuBytes' | 'flowWindowPackets' | 'socketId' | 'peerAddress'
  > {
    return {
      initialSequenceNumber: this.#initialSequenceNumber,
      mtuBytes: defaultMtuBytes,
      flowWindowPackets: receiveWindowPackets,
      socketId: this.#socketId,
      peerAddress: Buffer.alloc(16),
    };
  }

  #ask(): void {
    if (!this.#request) return;
    const timestampUs = packetTimestamp(srtClockUs(), this.#startUs);
    const fields = { type: controlType.handshake, timestampUs, socketId: 0, body: this.#request };
    this.#udp?.send(serializeControl(fields));
  }

  #receive(datagram: Buffer): void {
    if (datagram.length < 16 || datagram.readUInt32BE(12) !== this.#socketId) return;
    if (this.#connection) {
      this.#connection.receive(datagram);
      return;
    }
    const packet = parsePacket(datagram);
    const isHandshake = packet?.kind === 'control' && packet.type === controlType.handshake;
    const handshake = isHandshake ? parseHandshake(packet.body) : undefined;
    if (!isHandshake || !handshake) return;
    const { host } = this.#options.url;
    if (handshake.type === handshakeType.induction) this.#conclude(handshake);
    else if (handshake.type === handshakeType.conclusion) this.#connect(handshake, packet);
    else if (handshake.type >= rejectionBase && handshake.type < 0x80000000) {
      this.fail(refusedBy(host, handshake.type - rejectionBase));
    }
  }

  #conclude({ version, extensionField, cookie }: Handshake): void {
    if (this.#cookie !== undefined) return;
    if (version < 5 || extensionField !== srtMagic) {
      this.fail(new GatewayError('upstream_refused', 'The SRT server is older than 1.3; it is not spoken to here.'));
      return;
    }
    const { url } = this.#options;
    const { streamId } = url;
    const material = this.#material;
    const latencies = { receiverLatencyMs: this.#latencyMs, senderLatencyMs: this.#latencyMs };
    const extensions: HandshakeExtension[] = [
      { type: extensionType.handshakeRequest, data: serializeTerms(ownTerms(latencies)) },
      ...(material ? [{ type: extensionType.keyMaterialRequest, data: serializeKeyMessage(material) }] : []),
      ...(streamId !== '' ? [{ type: extensionType.streamId, data: serializeText(streamId) }] : []),
    ];
    const extensionFlags =
      extensionFlag.handshake |
      (material ? extensionFlag.keyMaterial : 0) |
      (streamId !== '' ? extensionFlag.config : 0);
    this.#cookie = cookie;
    this.#request = serializeHandshake({
      ...this.#ownHandshake,
      ...{ version: 5, encryption: encryptionField(material?.keyLength), extensionField: extensionFlags },
      ...{ type: handshakeType.conclusion, cookie, extensions },
    });
    this.#ask();
  }

  get #latencyMs(): number {
    return this.#options.url.latencyMs ?? defaultLatencyMs;
  }

  #connect(handshake: Handshake, { timestampUs }: ControlPacket): void {
    const { url, idleTimeoutMs, onPayload, refresh } = this.#options;
    if (this.#cookie === undefined) return;
    try {
      const { keyMessage, ...terms } = readConclusion(handshake, true);
      this.#assertSecret(keyMessage);
      const material = this.#material;
      const secret =
        material && url.passphrase !== undefined ? { passphrase: url.passphrase, material, refresh } : undefined;
      this.#stopAsking();
      this.#connection = this.own(
        new SrtConnection(
          {
            ...agreeLatencies(this.#latencyMs, terms),
            ...{ flowWindowPackets: terms.flowWindowPackets, payloadBytes: terms.payloadBytes, idleTimeoutMs, secret },
            ...{ peerSocketId: terms.socketId, startUs: this.#startUs, arrivalUs: srtClockUs(), timestampUs },
            ownInitialSequenceNumber: this.#initialSequenceNumber,
            peerInitialSequenceNumber: terms.initialSequenceNumber,
          },
          { send: (datagram) => this.#udp?.send(datagram), onPayload },
        ),
      );
    } catch (thrown) {
      const words = thrown instanceof HandshakeRefusal ? thrown.message : 'The SRT server answers what makes no sense.';
      this.fail(new GatewayError('upstream_refused', words, { cause: thrown }));
      return;
    }
    void this.#connection.done.then((reason) => this.close(reason));
    this.#ready.resolve(this.#connection);
  }

  /** A server that is not strict connects all the same, and then cannot read us. */
  #assertSecret(keyMessage: Buffer | undefined): void {
    if (!this.#material) return;
    const isUnderstood = keyMessage !== undefined && keyMessage.length > 4;
    if (!isUnderstood) {
      throw new HandshakeRefusal(0, 'The SRT server does not take the passphrase: it is wrong, or none is wanted.');
    }
  }

  #giveUp(): void {
    const { host, port } = this.#options.url;
    const seconds = this.#options.startTimeoutMs / 1_000;
    this.fail(new GatewayError('timeout', `${host}:${port} did not answer by SRT within ${seconds} s.`), 'timeout');
  }

  #stopAsking(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    this.#request = undefined;
  }

  /** The port last: the connection says goodbye by it. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    this.#stopAsking();
    this.#ready.reject(this.failure ?? new GatewayError('closed', 'The connection is not wanted any more.'));
    await this.#udp?.close(reason);
  }
}

const systemLookup: LookupAll = async (host) => (await lookup(host, { all: true })).map((found) => found.address);

function unreachable({ host, port }: SrtUrl, cause: unknown): GatewayError {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'nobody listens';
  return new GatewayError('upstream_failed', `${host}:${port} could not be reached by SRT (${why}).`, { cause });
}
