// Owns: one SRT connection from the end of its handshake to its own end: both halves, its timer, keys and signs of life.
// Sends through whatever it is given: the same class serves listeners and callers. May import: core, its neighbours.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { PacketDecryptor, PacketEncryptor, type RefreshPolicy } from './cipher.ts';
import { type KeyMaterial, keyState, openKeyMessage } from './key-material.ts';
import {
  type ControlFields,
  type ControlPacket,
  controlType,
  type DataPacket,
  keyFlag,
  packetTimestamp,
  parsePacket,
  serializeControl,
  userDefinedType,
} from './packet.ts';
import { SrtReceiver } from './receiver.ts';
import { SrtSender } from './sender.ts';

export interface SrtSecret {
  readonly passphrase: string;
  /** As the handshake carried them: both directions begin with them. */
  readonly material: KeyMaterial;
  readonly refresh?: RefreshPolicy | undefined;
}

export interface SrtConnectionOptions {
  readonly peerSocketId: number;
  /** When our clock began, by `srtClockUs`. */
  readonly startUs: number;
  /** Of the peer's conclusion. */
  readonly arrivalUs: number;
  readonly timestampUs: number;
  readonly ownInitialSequenceNumber: number;
  readonly peerInitialSequenceNumber: number;
  readonly receiverLatencyMs: number;
  readonly senderLatencyMs: number;
  readonly flowWindowPackets: number;
  readonly payloadBytes: number;
  readonly idleTimeoutMs: number;
  readonly secret: SrtSecret | undefined;
}

export interface SrtConnectionHandlers {
  send(datagram: Buffer): void;
  /** In order and at its time; what never came in time is left out. */
  onPayload(payload: Buffer): void;
}

export interface SrtStats {
  readonly rttMs: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly lostPackets: number;
  readonly droppedPackets: number;
  readonly sentPackets: number;
  readonly resentPackets: number;
  readonly tooLatePackets: number;
}

const keepAliveUs = 1_000_000;
/** Timers are no finer than this, and a wake for each packet would cost more than it brings. */
const minSleepUs = 2_000;
const announceIntervalUs = 200_000;

export function srtClockUs(): number {
  return performance.now() * 1_000;
}

export class SrtConnection extends Owned {
  readonly #options: SrtConnectionOptions;
  readonly #handlers: SrtConnectionHandlers;
  readonly #receiver: SrtReceiver;
  readonly #sender: SrtSender;
  readonly #decryptor: PacketDecryptor | undefined;
  readonly #encryptor: PacketEncryptor | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wakeAtUs = Number.POSITIVE_INFINITY;
  #heardAtUs: number;
  #sentAtUs: number;
  #announcedAtUs = 0;
  #isTakingKeys = false;
  #hasPeerLeft = false;
  #failure: GatewayError | undefined;

  constructor(options: SrtConnectionOptions, handlers: SrtConnectionHandlers) {
    super();
    this.#options = options;
    this.#handlers = handlers;
    const { secret, startUs, peerSocketId, flowWindowPackets } = options;
    this.#decryptor = secret && new PacketDecryptor(secret.material);
    this.#encryptor = secret && new PacketEncryptor(secret.material, secret.refresh);
    this.#receiver = new SrtReceiver(
      {
        initialSequenceNumber: options.peerInitialSequenceNumber,
        latencyUs: options.receiverLatencyMs * 1_000,
        arrivalUs: options.arrivalUs,
        timestampUs: options.timestampUs,
      },
      {
        deliver: (payload) => this.#deliver(payload),
        sendAck: (info, body) => this.#sendControl({ type: controlType.ack, info, body }),
        sendNak: (body) => this.#sendControl({ type: controlType.nak, body }),
      },
    );
    this.#sender = new SrtSender(
      {
        ...{ peerSocketId, startUs, flowWindowPackets },
        initialSequenceNumber: options.ownInitialSequenceNumber,
        latencyUs: options.senderLatencyMs * 1_000,
        cipher: this.#encryptor,
      },
      this.#receiver.roundTrip,
      {
        send: (datagram) => this.#send(datagram),
        sendAckAck: (info) => this.#sendControl({ type: controlType.ackAck, info }),
        sendDropRequest: (first, last) => this.#sendDropRequest(first, last),
      },
    );
    this.#heardAtUs = srtClockUs();
    this.#sentAtUs = this.#heardAtUs;
    this.#schedule(this.#heardAtUs);
  }

  /** Once closed: why, unless its owner or the peer closed it. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  /** The peer said goodbye. */
  get hasPeerLeft(): boolean {
    return this.#hasPeerLeft;
  }

  get isEncrypted(): boolean {
    return this.#decryptor !== undefined;
  }

  /** So long nothing has come, not even a keep-alive, which is due every second. */
  get silentMs(): number {
    return (srtClockUs() - this.#heardAtUs) / 1_000;
  }

  /** What one packet carries to the peer. */
  get payloadBytes(): number {
    return this.#options.payloadBytes;
  }

  /** Given to `write` and not confirmed by the peer. */
  get queuedBytes(): number {
    return this.#sender.queuedBytes;
  }

  get stats(): SrtStats {
    const { roundTrip, receivedPackets, receivedBytes, lostPackets, droppedPackets } = this.#receiver;
    const { sentPackets, resentPackets, droppedPackets: tooLatePackets } = this.#sender;
    return {
      ...{ rttMs: roundTrip.rttUs / 1_000, receivedPackets, receivedBytes, lostPackets, droppedPackets },
      ...{ sentPackets, resentPackets, tooLatePackets },
    };
  }

  /** One datagram that came from the peer's address for this connection. */
  receive(datagram: Buffer): void {
    const packet = parsePacket(datagram);
    if (!packet || this.isClosed) return;
    const nowUs = srtClockUs();
    this.#heardAtUs = nowUs;
    this.#guard(() => {
      if (packet.kind === 'data') this.#data(packet, nowUs);
      else this.#control(packet, nowUs);
      if (!this.isClosed) this.#schedule(nowUs);
    });
  }

  /** Sends in packets; what the peer does not confirm in time is given up. */
  write(payload: Uint8Array): void {
    if (this.isClosed) return;
    const nowUs = srtClockUs();
    for (let at = 0; at < payload.length; at += this.payloadBytes) {
      this.#sender.write(payload.subarray(at, at + this.payloadBytes), nowUs);
    }
    this.#sender.wake(nowUs);
    this.#schedule(nowUs);
  }

  /** Ends it with a reason for the owner. */
  fail(error: GatewayError, reason: CloseReason = 'failed'): void {
    this.#failure ??= error;
    void this.close(reason);
  }

  #data(packet: DataPacket, nowUs: number): void {
    if (packet.payload.length === 0) return;
    let { payload } = packet;
    if (this.#decryptor) {
      // Somebody who does not know the passphrase may put packets in; they carry no key.
      if (packet.keyFlag === keyFlag.none) return;
      // Without its key it is worth nothing, but neither is asking for it again.
      payload = this.#decryptor.decrypt(packet) ?? empty;
    } else if (packet.keyFlag !== keyFlag.none) return;
    this.#receiver.data(packet, payload, nowUs);
  }

  #deliver(payload: Buffer): void {
    if (payload.length > 0 && !this.isClosed) this.#handlers.onPayload(payload);
  }

  #control({ type, subtype, info, timestampUs, body }: ControlPacket, nowUs: number): void {
    switch (type) {
      case controlType.ack:
        this.#sender.ack(info, body, nowUs);
        break;
      case controlType.nak:
        this.#sender.nak(body, nowUs);
        this.#sender.wake(nowUs);
        break;
      case controlType.ackAck:
        this.#receiver.ackAck(info, timestampUs, nowUs);
        break;
      case controlType.dropRequest:
        if (body.length >= 8) {
          this.#receiver.dropRequest(body.readUInt32BE(0) & 0x7fffffff, body.readUInt32BE(4) & 0x7fffffff);
        }
        break;
      case controlType.shutdown:
        this.#hasPeerLeft = true;
        this.#receiver.flush();
        void this.close('peer_left');
        break;
      case controlType.userDefined:
        this.#keyMessage(subtype, body);
        break;
      default: // keep-alives and what later versions have
    }
  }

  #keyMessage(subtype: number, body: Buffer): void {
    if (subtype === userDefinedType.keyMaterialResponse) this.#encryptor?.confirm(body);
    else if (subtype === userDefinedType.keyMaterialRequest) void this.#takeKeys(Buffer.from(body));
  }

  /** The peer changes keys; it repeats itself until it is answered. */
  async #takeKeys(body: Buffer): Promise<void> {
    const { secret } = this.#options;
    if (!this.#decryptor || !secret) {
      this.#answerKeys(stateWord(keyState.noSecret));
      return;
    }
    if (this.#isTakingKeys) return;
    this.#isTakingKeys = true;
    // What is no key message counts like one that cannot be read.
    const material = await openKeyMessage(body, secret.passphrase, this.#decryptor.material).catch(() => undefined);
    this.#isTakingKeys = false;
    if (this.isClosed) return;
    if (material) this.#decryptor.renew(material);
    this.#answerKeys(material ? body : stateWord(keyState.badSecret));
  }

  #answerKeys(body: Buffer): void {
    this.#sendControl({ type: controlType.userDefined, subtype: userDefinedType.keyMaterialResponse, body });
  }

  #announceKeys(nowUs: number): void {
    const body = this.#encryptor?.announcement;
    if (!body || nowUs - this.#announcedAtUs < announceIntervalUs) return;
    this.#announcedAtUs = nowUs;
    this.#sendControl({ type: controlType.userDefined, subtype: userDefinedType.keyMaterialRequest, body });
  }

  /** A mistake of ours costs this connection and no other. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.fail(toGatewayError(thrown));
    }
  }

  #wake(): void {
    this.#timer = undefined;
    this.#wakeAtUs = Number.POSITIVE_INFINITY;
    const nowUs = srtClockUs();
    this.#receiver.wake(nowUs);
    this.#sender.wake(nowUs);
    this.#announceKeys(nowUs);
    if (nowUs - this.#sentAtUs >= keepAliveUs) this.#sendControl({ type: controlType.keepAlive });
    this.#judgeSilence(nowUs);
    if (!this.isClosed) this.#schedule(nowUs);
  }

  #judgeSilence(nowUs: number): void {
    const { idleTimeoutMs } = this.#options;
    if (nowUs - this.#heardAtUs >= idleTimeoutMs * 1_000) {
      this.fail(
        new GatewayError('timeout', `Nothing came from the SRT peer for ${idleTimeoutMs / 1_000} s.`),
        'timeout',
      );
    } else if (this.#sender.silentUs(nowUs) >= idleTimeoutMs * 1_000) {
      this.fail(new GatewayError('timeout', 'The SRT peer does not confirm what it is sent.'), 'timeout');
    }
  }

  /** One timer for all that is to come; it is set anew only for what comes earlier. */
  #schedule(nowUs: number): void {
    const soonestUs = Math.min(
      this.#receiver.nextWakeUs,
      this.#sender.nextWakeUs,
      this.#sentAtUs + keepAliveUs,
      this.#heardAtUs + this.#options.idleTimeoutMs * 1_000,
    );
    const wakeAtUs = Math.max(nowUs + minSleepUs, soonestUs);
    if (this.#timer !== undefined && wakeAtUs >= this.#wakeAtUs) return;
    clearTimeout(this.#timer);
    this.#wakeAtUs = wakeAtUs;
    this.#timer = setTimeout(() => this.#guard(() => this.#wake()), Math.ceil((wakeAtUs - nowUs) / 1_000));
  }

  #sendDropRequest(first: number, last: number): void {
    const body = Buffer.allocUnsafe(8);
    body.writeUInt32BE(first, 0);
    body.writeUInt32BE(last, 4);
    this.#sendControl({ type: controlType.dropRequest, body });
  }

  #sendControl(fields: Omit<ControlFields, 'timestampUs' | 'socketId'>): void {
    const timestampUs = packetTimestamp(srtClockUs(), this.#options.startUs);
    this.#send(serializeControl({ ...fields, timestampUs, socketId: this.#options.peerSocketId }));
  }

  #send(datagram: Buffer): void {
    this.#sentAtUs = srtClockUs();
    this.#handlers.send(datagram);
  }

  protected override onClose(): void {
    clearTimeout(this.#timer);
    this.#receiver.clear();
    if (!this.#hasPeerLeft) this.#sendControl({ type: controlType.shutdown });
  }
}

const empty = Buffer.alloc(0);

function stateWord(state: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(state);
  return word;
}
