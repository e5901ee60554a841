// Owns: the two UDP sockets of a leg, and where its packets go: symmetric RTP with one latch for each negotiation.
import { type Address, openUdp, type UdpSocket } from './udp.ts';

export interface LegSocketEvents {
  /** As `OnDatagram`. Not yet authenticated: call `accept()` once it is known to be the peer's. */
  receivedRtp(bytes: Uint8Array, offset: number, length: number, from: Address, arrivalMs: number): void;
  /** On the port above. */
  receivedRtcp(bytes: Uint8Array, offset: number, length: number, from: Address, arrivalMs: number): void;
}

/**
 * After the first packet the described address may still take the stream back for so many packets: somebody else may
 * have been quicker. After that the kernel drops what comes from anywhere else.
 */
const trialPackets = 25;
/** A phone that is silent sends few: so long after its first packet the trial is over as well. */
const trialMs = 1_000;

export class LegSocket {
  readonly #rtp: UdpSocket;
  readonly #rtcp: UdpSocket;
  #described: Address | undefined;
  #target: Address | undefined;
  #rtcpTarget: Address | undefined;
  #latched: Address | undefined;
  #lastKnown: Address | undefined;
  #isMuxed = false;
  #accepted = 0;
  #latchedAtMs = 0;
  #isConnected = false;
  #isClosed = false;

  /** @throws the error of the system where a port is taken */
  static async open(local: Address, events: LegSocketEvents): Promise<LegSocket> {
    const rtp = await openUdp(local, events.receivedRtp);
    try {
      const above = { address: local.address, port: local.port + 1 };
      const rtcp = await openUdp(above, events.receivedRtcp);
      return new LegSocket(rtp, rtcp);
    } catch (error) {
      rtp.close();
      throw error;
    }
  }

  private constructor(rtp: UdpSocket, rtcp: UdpSocket) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
  }

  get latched(): Address | undefined {
    return this.#latched;
  }

  /** Where to send from now on, until the peer's packets say where it really is. */
  describe(remote: Address, rtcpPort: number, latched?: Address): void {
    this.#release();
    this.#described = remote;
    this.#isMuxed = rtcpPort === remote.port;
    this.#target = latched ?? remote;
    this.#latched = latched;
    this.#lastKnown = undefined;
    this.#rtcpTarget = { address: this.#target.address, port: this.#rtcpPortFor(this.#target, rtcpPort) };
    this.#accepted = 0;
    if (latched) this.#connect(latched);
  }

  /**
   * A packet from there is the peer's.
   * @returns `new` where this changed where we send, `known`, or `other` for one that comes too late to be believed
   */
  accept(from: Address): 'new' | 'known' | 'other' {
    const latched = this.#latched;
    // One object for as long as the same peer sends.
    if (from === this.#lastKnown || (latched && latched.port === from.port && latched.address === from.address)) {
      this.#lastKnown = from;
      this.#accepted += 1;
      if (this.#accepted === trialPackets && latched) this.#connect(latched);
      return 'known';
    }
    const described = this.#described;
    if (!described) return 'other';
    const isDescribed = described.port === from.port && described.address === from.address;
    if (latched && (!isDescribed || this.#accepted >= trialPackets)) return 'other';
    this.#latched = { address: from.address, port: from.port };
    this.#lastKnown = undefined;
    this.#target = this.#latched;
    if (!isDescribed) {
      this.#rtcpTarget = { address: from.address, port: this.#rtcpPortFor(from, from.port + 1) };
    }
    this.#accepted = 1;
    this.#latchedAtMs = performance.now();
    return 'new';
  }

  /** Called now and then. */
  settle(nowMs: number): void {
    if (this.#isConnected || !this.#latched || nowMs - this.#latchedAtMs < trialMs) return;
    this.#accepted = trialPackets;
    this.#connect(this.#latched);
  }

  /** The bytes may be written to again at once. */
  send(packet: Uint8Array): void {
    if (this.#target) this.#rtp.sendTo(packet, this.#target);
  }

  sendRtp(header: number, sequence: number, timestamp: number, ssrc: number, payload: Uint8Array): void {
    if (this.#target) this.#rtp.sendRtp(header, sequence, timestamp, ssrc, payload, this.#target);
  }

  sendRtcp(packet: Buffer): void {
    if (this.#isMuxed) this.send(packet);
    else if (this.#rtcpTarget) this.#rtcp.sendTo(packet, this.#rtcpTarget);
  }

  /** RTCP from a port that nobody announced: the peer's translator chose it. */
  acceptRtcp(from: Address): boolean {
    if (!this.#target || from.address !== this.#target.address) return false;
    this.#rtcpTarget = { address: from.address, port: from.port };
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rtp.close();
    this.#rtcp.close();
  }

  #rtcpPortFor(target: Address, port: number): number {
    return this.#isMuxed ? target.port : Math.min(65_535, port);
  }

  /** Cheaper to send on, and closed to everybody else. */
  #connect(peer: Address): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#rtp.connect(peer);
  }

  #release(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#rtp.disconnect();
  }
}
