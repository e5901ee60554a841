import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';

export interface HepOptions {
  readonly host: string;
  readonly port: number;
  /** Names this gateway among others at the collector. */
  readonly captureId: number;
  readonly password?: string | undefined;
}

/** Copies every message to a HEPv3 collector (Homer) over UDP, and forgets it. */
export class HepExporter {
  readonly #options: HepOptions;
  readonly #socket: Socket;

  constructor(options: HepOptions) {
    this.#options = options;
    this.#socket = createSocket(options.host.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('error', () => undefined);
    this.#socket.unref();
  }

  note(direction: 'in' | 'out', flow: Flow, message: SipMessage): void {
    const packet = hepPacket(direction, flow, message.toBuffer(), Date.now(), this.#options);
    this.#socket.send(packet, this.#options.port, this.#options.host);
  }

  close(): void {
    this.#socket.close();
  }
}

/** @see HEP3 network protocol specification, revision 36: generic chunks of vendor 0 */
export function hepPacket(
  direction: 'in' | 'out',
  flow: Flow,
  payload: Buffer,
  atMs: number,
  options: Pick<HepOptions, 'captureId' | 'password'>,
): Buffer {
  const local = { address: flow.localAddress, port: flow.localPort };
  const remote = { address: flow.remoteAddress, port: flow.remotePort };
  const [source, target] = direction === 'in' ? [remote, local] : [local, remote];
  const isV6 = isIPv6(source.address) || isIPv6(target.address);
  const chunks = [
    chunk(0x01, Buffer.of(isV6 ? 10 : 2)),
    chunk(0x02, Buffer.of(flow.protocol === 'udp' ? 17 : 6)),
    chunk(isV6 ? 0x05 : 0x03, addressBytes(source.address, isV6)),
    chunk(isV6 ? 0x06 : 0x04, addressBytes(target.address, isV6)),
    chunk(0x07, uint16(source.port)),
    chunk(0x08, uint16(target.port)),
    chunk(0x09, uint32(Math.floor(atMs / 1000))),
    chunk(0x0a, uint32((atMs % 1000) * 1000)),
    chunk(0x0b, Buffer.of(1)), // SIP
    chunk(0x0c, uint32(options.captureId)),
  ];
  if (options.password !== undefined) chunks.push(chunk(0x0e, Buffer.from(options.password)));
  chunks.push(chunk(0x0f, payload));
  const body = Buffer.concat(chunks);
  return Buffer.concat([Buffer.from('HEP3'), uint16(body.length + 6), body]);
}

function chunk(type: number, value: Buffer): Buffer {
  return Buffer.concat([uint16(0), uint16(type), uint16(value.length + 6), value]);
}

function uint16(value: number): Buffer {
  return Buffer.of((value >> 8) & 0xff, value & 0xff);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function addressBytes(address: string, isV6: boolean): Buffer {
  if (!isV6) return Buffer.from(isIPv4(address) ? address.split('.').map(Number) : [0, 0, 0, 0]);
  const bytes = Buffer.alloc(16);
  const [head = '', tail = ''] = (isIPv6(address) ? address : `::ffff:${address}`).split('::');
  const groups = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((group) => {
          if (!group.includes('.')) return [Number.parseInt(group, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  groups(head).forEach((group, i) => {
    bytes.writeUInt16BE(group, i * 2);
  });
  const last = groups(tail);
  last.forEach((group, i) => {
    bytes.writeUInt16BE(group, 16 - (last.length - i) * 2);
  });
  return bytes;
}
