// Owns: the UDP sockets of all legs of this process at once, by media/native/udp-batch.c: everything that came is taken in
// one call every few milliseconds, everything to be sent goes in one call at the end of each beat. A third of the cost.
import { getSystemErrorName } from 'node:util';
import { nativeAddon } from '../native/addons.ts';
import type { Address, OnDatagram, UdpSocket } from './udp.ts';

interface UdpBatchAddon {
  open(address: number, port: number): number;
  close(socket: number): number;
  connect(socket: number, address: number, port: number): number;
  receive(bytes: Uint8Array, fields: Int32Array): number;
  send(bytes: Uint8Array, fields: Int32Array, rows: number): number;
}

const receivedFields = 6;
const sentFields = 9;
const rows = 1_024;
/** Packets are handed out where they lie: memory that is full is left to them, and new one is taken. */
const receiveBytes = 1_024 * 1_024;
const receiveRoomBytes = rows * 256 + 2_048;
const sendBytes = rows * 256;
/** Packets say themselves when they came: looking more often would only cost. */
const pollIntervalMs = 5;
/** A flood is not read to its end before the mix gets its turn. */
const maxRounds = 8;

class BatchUdp {
  readonly #addon: UdpBatchAddon;
  readonly #handlers: (BatchSocket | undefined)[] = [];
  #received = new Uint8Array(receiveBytes);
  #receivedAt = 0;
  readonly #receivedRows = new Int32Array(rows * receivedFields);
  readonly #sent = new Uint8Array(sendBytes);
  readonly #sentRows = new Int32Array(rows * sentFields);
  /** Text of addresses, made once for each. */
  readonly #names = new Map<number, string>();
  #sentCount = 0;
  #sentAt = 0;
  /** Laid down for the packet before; who hears the same comes after one another. */
  #shared: Uint8Array | undefined;
  #sharedAt = 0;
  #isFlushDue = false;
  #open = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(addon: UdpBatchAddon) {
    this.#addon = addon;
  }

  /** @throws an error with the system's code */
  open({ address, port }: Address, onDatagram: OnDatagram): UdpSocket {
    const socket = this.#addon.open(toNumber(address), port);
    if (socket < 0) {
      const code = getSystemErrorName(socket);
      throw Object.assign(new Error(`bind ${code} ${address}:${port}`), { code });
    }
    const opened = new BatchSocket(this, this.#addon, socket, onDatagram);
    this.#handlers[socket] = opened;
    this.#open += 1;
    this.#timer ??= setInterval(() => this.poll(), pollIntervalMs);
    return opened;
  }

  poll(): void {
    for (let round = 0; round < maxRounds; round++) {
      if (receiveBytes - this.#receivedAt < receiveRoomBytes) {
        this.#received = new Uint8Array(receiveBytes);
        this.#receivedAt = 0;
      }
      const base = this.#receivedAt;
      const fields = this.#receivedRows;
      const count = this.#addon.receive(this.#received.subarray(base), fields);
      if (count === 0) return;
      const last = (count - 1) * receivedFields;
      this.#receivedAt = base + (fields[last + 1] as number) + (((fields[last + 2] as number) + 7) & ~7);
      const nowMs = performance.now();
      for (let at = 0; at <= last; at += receivedFields) this.#deliver(at, base, nowMs);
      // Less than fits was all there was.
      if (count < rows / 2) return;
    }
  }

  /** @param port 0: to whom the socket is connected */
  send(socket: number, packet: Uint8Array, address: number, port: number): void {
    const row = this.#add(socket, packet, false, address, port);
    if (row >= 0) this.#sentRows[row + 5] = 0;
  }

  /** @param payload unchanged until the end of the beat, so that the next with the same needs no copy */
  sendRtp(
    socket: number,
    header: number,
    sequence: number,
    timestamp: number,
    ssrc: number,
    payload: Uint8Array,
    address: number,
    port: number,
  ): void {
    const row = this.#add(socket, payload, true, address, port);
    if (row < 0) return;
    const fields = this.#sentRows;
    fields[row + 5] = header;
    fields[row + 6] = sequence;
    fields[row + 7] = timestamp;
    fields[row + 8] = ssrc;
  }

  /** @returns where its fields are; -1 where it is too long */
  #add(socket: number, bytes: Uint8Array, isShared: boolean, address: number, port: number): number {
    const { length } = bytes;
    if (length > sendBytes) return -1;
    if (this.#sentCount === rows || this.#sentAt + length > sendBytes) this.flush();
    let at = this.#sharedAt;
    if (!isShared || bytes !== this.#shared) {
      at = this.#sentAt;
      this.#sent.set(bytes, at);
      this.#sentAt += length;
      this.#shared = isShared ? bytes : undefined;
      this.#sharedAt = at;
    }
    const fields = this.#sentRows;
    const row = this.#sentCount * sentFields;
    fields[row] = socket;
    fields[row + 1] = at;
    fields[row + 2] = length;
    fields[row + 3] = address;
    fields[row + 4] = port;
    this.#sentCount += 1;
    this.#scheduleFlush();
    return row;
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#isFlushDue = false;
    if (this.#sentCount === 0) return;
    this.#addon.send(this.#sent, this.#sentRows, this.#sentCount);
    this.#sentCount = 0;
    this.#sentAt = 0;
    this.#shared = undefined;
  }

  forget(socket: number): void {
    this.flush();
    this.#handlers[socket] = undefined;
    this.#addon.close(socket);
    this.#open -= 1;
    if (this.#open > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #deliver(at: number, base: number, nowMs: number): void {
    const fields = this.#receivedRows;
    const handler = this.#handlers[fields[at] as number];
    if (!handler) return;
    const offset = base + (fields[at + 1] as number);
    const arrivalMs = nowMs - (fields[at + 3] as number) / 1_000;
    const from = handler.addressOf(this, fields[at + 4] as number, fields[at + 5] as number);
    handler.onDatagram(this.#received, offset, fields[at + 2] as number, from, arrivalMs);
  }

  nameOf(address: number): string {
    const known = this.#names.get(address);
    if (known) return known;
    const name = [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
    if (this.#names.size > 10_000) this.#names.clear();
    this.#names.set(address, name);
    return name;
  }
}

class BatchSocket implements UdpSocket {
  readonly #batch: BatchUdp;
  readonly #addon: UdpBatchAddon;
  readonly #socket: number;
  readonly onDatagram: OnDatagram;
  #isConnected = false;
  #isClosed = false;
  /** Whoever sent last sends next, as a rule. */
  #last: Address = { address: '', port: 0 };
  #lastNumber = 0;

  constructor(batch: BatchUdp, addon: UdpBatchAddon, socket: number, onDatagram: OnDatagram) {
    this.#batch = batch;
    this.#addon = addon;
    this.#socket = socket;
    this.onDatagram = onDatagram;
  }

  addressOf(batch: BatchUdp, number: number, port: number): Address {
    if (number !== this.#lastNumber || port !== this.#last.port) {
      this.#last = { address: batch.nameOf(number), port };
      this.#lastNumber = number;
    }
    return this.#last;
  }

  send(packet: Uint8Array): void {
    if (this.#isConnected && !this.#isClosed) this.#batch.send(this.#socket, packet, 0, 0);
  }

  sendTo(packet: Uint8Array, { address, port }: Address): void {
    if (this.#isConnected) this.send(packet);
    else if (!this.#isClosed) this.#batch.send(this.#socket, packet, toNumber(address), port);
  }

  sendRtp(header: number, sequence: number, timestamp: number, ssrc: number, payload: Uint8Array, to: Address): void {
    if (this.#isClosed) return;
    const isConnected = this.#isConnected;
    const address = isConnected ? 0 : toNumber(to.address);
    const port = isConnected ? 0 : to.port;
    this.#batch.sendRtp(this.#socket, header, sequence, timestamp, ssrc, payload, address, port);
  }

  connect({ address, port }: Address): void {
    if (!this.#isClosed) this.#isConnected = this.#addon.connect(this.#socket, toNumber(address), port) === 0;
  }

  disconnect(): void {
    if (!this.#isConnected || this.#isClosed) return;
    this.#batch.flush();
    this.#isConnected = false;
    this.#addon.connect(this.#socket, 0, 0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#batch.forget(this.#socket);
  }
}

/** The 32 bits of an address as a signed number; those of nothing for what is none. */
function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | (Number(part) & 0xff), 0);
}

const addon = nativeAddon<UdpBatchAddon>('udp-batch');

/** Undefined where it is not compiled: Node's own sockets do the same at a higher price. */
export const batchUdp = addon && new BatchUdp(addon);
