// Owns: a UDP port that callers come to: cookies before anything else, then which datagram is whose, and how many peers
// there may be. May import: core, its neighbours.

import { randomInt } from 'node:crypto';
import { HeldCounts } from '#core/held-counts.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { addressGroup } from '#core/net-policy.ts';
import type { Logger } from '#core/ports.ts';
import { srtClockUs } from './connection.ts';
import { CookieJar } from './cookie.ts';
import { type Handshake, handshakeType, parseHandshake, serializeHandshake, srtMagic } from './handshake.ts';
import { controlType, defaultMtuBytes, headerBytes, parsePacket, serializeControl } from './packet.ts';
import { receiveWindowPackets } from './receiver.ts';
import { rejection, rejectionBase } from './status.ts';
import { UdpPort } from './udp-port.ts';

export interface SrtListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** A caller that is where it says, and what it asks for. */
export interface SrtCall {
  readonly handshake: Handshake;
  readonly remoteAddress: string;
  /** Of the packet, on our clock and on the caller's. */
  readonly arrivalUs: number;
  readonly timestampUs: number;
  /** Ours; datagrams for it are the call's. */
  readonly socketId: number;
  send(datagram: Buffer): void;
}

export interface SrtPeer extends Owned {
  receive(datagram: Buffer): void;
  /** The caller repeats its conclusion: our answer was lost, or is not ready. */
  calledAgain(): void;
}

interface Known {
  readonly peer: SrtPeer;
  readonly from: string;
}

const maxSocketId = 0x3fffffff;

export class SrtListener extends Owned {
  readonly #options: SrtListenerOptions;
  readonly #onCall: (call: SrtCall) => SrtPeer;
  readonly #log: Logger;
  readonly #cookies = new CookieJar();
  readonly #bySocketId = new Map<number, Known>();
  readonly #byCaller = new Map<string, SrtPeer>();
  readonly #countByAddress = new HeldCounts();
  #udp: UdpPort | undefined;

  constructor(options: SrtListenerOptions, onCall: (call: SrtCall) => SrtPeer, log: Logger) {
    super();
    this.#options = options;
    this.#onCall = onCall;
    this.#log = log;
  }

  get port(): number | undefined {
    return this.#udp?.port;
  }

  get connectionCount(): number {
    return this.#bySocketId.size;
  }

  /** @throws Error of the system when the port cannot be had */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    this.#udp = await UdpPort.listen(host, port, (...datagram) => this.#datagram(...datagram));
  }

  /** Hot: each packet of each stream. What belongs to nobody gets no answer. */
  #datagram(datagram: Buffer, address: string, port: number): void {
    if (datagram.length < headerBytes || this.isClosed) return;
    const socketId = datagram.readUInt32BE(12);
    if (socketId === 0) {
      this.#handshake(datagram, address, port);
      return;
    }
    const known = this.#bySocketId.get(socketId);
    if (known && known.from === `${address} ${port}`) known.peer.receive(datagram);
  }

  #handshake(datagram: Buffer, address: string, port: number): void {
    const packet = parsePacket(datagram);
    if (packet?.kind !== 'control' || packet.type !== controlType.handshake) return;
    const handshake = parseHandshake(packet.body);
    if (handshake?.type === handshakeType.induction) this.#induction(handshake, address, port);
    else if (handshake?.type === handshakeType.conclusion) {
      this.#conclusion(handshake, packet.timestampUs, address, port);
    }
  }

  /** No state, and an answer no longer than the question, whose sender may be another. */
  #induction(handshake: Handshake, address: string, port: number): void {
    const body = serializeHandshake({
      ...{ ...handshake, version: 5, encryption: 0, extensionField: srtMagic, extensions: [] },
      ...{ mtuBytes: defaultMtuBytes, flowWindowPackets: receiveWindowPackets },
      cookie: this.#cookies.make(address, port, performance.now()),
    });
    this.#answer(body, handshake.socketId, address, port);
  }

  #conclusion(handshake: Handshake, timestampUs: number, address: string, port: number): void {
    if (!this.#cookies.check(handshake.cookie, address, port, performance.now())) return;
    const caller = `${address} ${port} ${handshake.socketId}`;
    const known = this.#byCaller.get(caller);
    if (known) known.calledAgain();
    else if (this.#hasRoom(address)) this.#admit(caller, { handshake, timestampUs, address, port });
    else {
      this.#log.warn({ address }, 'srt connection refused: too many');
      const type = rejectionBase + rejection.overload;
      this.#answer(serializeHandshake({ ...handshake, type, extensions: [] }), handshake.socketId, address, port);
    }
  }

  #hasRoom(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    const count = this.#countByAddress.of(addressGroup(address));
    return count < maxConnectionsPerAddress && this.#bySocketId.size < maxConnections;
  }

  #admit(
    caller: string,
    {
      handshake,
      timestampUs,
      address,
      port,
    }: { handshake: Handshake; timestampUs: number; address: string; port: number },
  ): void {
    const socketId = this.#freeSocketId();
    const peer = this.own(
      this.#onCall({
        ...{ handshake, remoteAddress: address, arrivalUs: srtClockUs(), timestampUs, socketId },
        send: (datagram) => this.#udp?.send(datagram, port, address),
      }),
    );
    this.#bySocketId.set(socketId, { peer, from: `${address} ${port}` });
    this.#byCaller.set(caller, peer);
    const giveBack = this.#countByAddress.take(addressGroup(address));
    void peer.done.then(() => {
      this.#bySocketId.delete(socketId);
      this.#byCaller.delete(caller);
      giveBack();
    });
  }

  #freeSocketId(): number {
    let socketId = randomInt(1, maxSocketId);
    while (this.#bySocketId.has(socketId)) socketId = randomInt(1, maxSocketId);
    return socketId;
  }

  #answer(body: Buffer, socketId: number, address: string, port: number): void {
    this.#udp?.send(serializeControl({ type: controlType.handshake, timestampUs: 0, socketId, body }), port, address);
  }

  /** The port last: peers say goodbye by it. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    this.#bySocketId.clear();
    this.#byCaller.clear();
    await this.#udp?.close(reason);
  }
}
