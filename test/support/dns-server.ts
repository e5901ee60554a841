// Owns: a DNS server of a test's own on loopback, with the records that it is given.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type DnsRecord =
  | { readonly type: 'A'; readonly address: string; readonly ttlSec?: number }
  /** All eight groups written out. */
  | { readonly type: 'AAAA'; readonly address: string; readonly ttlSec?: number }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | {
      readonly type: 'NAPTR';
      readonly order: number;
      readonly preference: number;
      readonly service: string;
      readonly replacement: string;
    };

const typeNumbers = { A: 1, AAAA: 28, SRV: 33, NAPTR: 35 } as const;

export class DnsServer {
  readonly #socket: Socket;
  readonly #records: Readonly<Record<string, readonly DnsRecord[]>>;
  /** `SRV _sip._udp.example.org`, in the order they came. */
  readonly asked: string[] = [];

  private constructor(records: Readonly<Record<string, readonly DnsRecord[]>>) {
    this.#records = records;
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (query, from) => this.#socket.send(this.#answer(query), from.port, from.address));
  }

  /** @param records by name */
  static async create(records: Readonly<Record<string, readonly DnsRecord[]>>): Promise<DnsServer> {
    const server = new DnsServer(records);
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  /** @see RFC 1035 §4 */
  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let i = 12;
    for (let length = query[i] ?? 0; length > 0; length = query[i] ?? 0) {
      labels.push(query.toString('latin1', i + 1, i + 1 + length));
      i += length + 1;
    }
    const name = labels.join('.').toLowerCase();
    const type = query.readUInt16BE(i + 1);
    const typeName = Object.entries(typeNumbers).find(([, number]) => number === type)?.[0] ?? String(type);
    this.asked.push(`${typeName} ${name}`);
    const question = query.subarray(12, i + 5);
    const records = (this.#records[name] ?? []).filter((record) => typeNumbers[record.type] === type);
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    // Authoritative answer; NXDOMAIN where nothing of that name is known.
    header.writeUInt16BE(0x8580 | (this.#records[name] ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question, ...records.map((record) => resource(record))]);
  }
}

function resource(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(typeNumbers[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(('ttlSec' in record ? record.ttlSec : undefined) ?? 60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'A':
      return Buffer.from(record.address.split('.').map(Number));
    case 'AAAA':
      return Buffer.concat(record.address.split(':').map((group) => uint16(Number.parseInt(group, 16))));
    case 'SRV':
      return Buffer.concat([
        uint16(record.priority),
        uint16(record.weight),
        uint16(record.port),
        nameOf(record.target),
      ]);
    case 'NAPTR':
      return Buffer.concat([
        uint16(record.order),
        uint16(record.preference),
        text('s'),
        text(record.service),
        text(''),
        nameOf(record.replacement),
      ]);
  }
}

const uint16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
const nameOf = (name: string): Buffer => Buffer.concat([...name.split('.').map(text), Buffer.of(0)]);
