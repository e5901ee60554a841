// Owns: AMF0, the encoding of values in RTMP commands and metadata. Pure. May import: core/errors.
// AMF0 specification (Adobe, 2007). AMF3 bodies are not read: clients that use them wrap AMF0 (RTMP §7.1.1).
import { GatewayError } from '#core/errors.ts';

export type AmfValue =
  | number
  | boolean
  | string
  | null
  | undefined
  | Date
  | AmfEcmaArray
  | readonly AmfValue[]
  | AmfObject;

/** Keys come from the peer, so decoded objects have no prototype: `__proto__` is a key like any other. */
export interface AmfObject {
  readonly [key: string]: AmfValue;
}

/** What onMetaData is sent as (§2.10). Decoding gives a plain object: nobody cares about the difference. */
export class AmfEcmaArray {
  readonly values: AmfObject;

  constructor(values: AmfObject) {
    this.values = values;
  }
}

export interface AmfLimits {
  /** Objects within objects; a recursive decoder must not follow a peer further down. */
  readonly maxDepth: number;
  /** Values in one message, those inside of objects included. */
  readonly maxValues: number;
}

const defaultAmfLimits: AmfLimits = { maxDepth: 16, maxValues: 4_096 };

const marker = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  undefined: 0x06,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  date: 0x0b,
  longString: 0x0c,
  unsupported: 0x0d,
  xmlDocument: 0x0f,
  typedObject: 0x10,
} as const;

/**
 * All values of a message body, in order.
 * @throws GatewayError `invalid_request` for anything truncated, too deep, too many or of an unknown type
 */
export function decodeAmf0(body: Buffer, limits: AmfLimits = defaultAmfLimits): AmfValue[] {
  const decoder = new Decoder(body, limits);
  const values: AmfValue[] = [];
  while (!decoder.isAtEnd) values.push(decoder.value(0));
  return values;
}

class Decoder {
  readonly #body: Buffer;
  readonly #limits: AmfLimits;
  #offset = 0;
  #valueCount = 0;

  constructor(body: Buffer, limits: AmfLimits) {
    this.#body = body;
    this.#limits = limits;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#body.length;
  }

  value(depth: number): AmfValue {
    if (++this.#valueCount > this.#limits.maxValues) throw malformed(`more than ${this.#limits.maxValues} values`);
    if (depth > this.#limits.maxDepth) throw malformed(`nested deeper than ${this.#limits.maxDepth}`);
    const type = this.#take(1).readUInt8();
    switch (type) {
      case marker.number:
        return this.#take(8).readDoubleBE();
      case marker.boolean:
        return this.#take(1).readUInt8() !== 0;
      case marker.string:
        return this.#shortString();
      case marker.longString:
      case marker.xmlDocument:
        return this.#take(this.#take(4).readUInt32BE()).toString('utf8');
      case marker.null:
      case marker.unsupported:
        return null;
      case marker.undefined:
        return undefined;
      case marker.date:
        return new Date(this.#take(10).readDoubleBE()); // two bytes of time zone, reserved, follow (§2.13)
      case marker.object:
        return this.#object(depth);
      case marker.ecmaArray:
        this.#take(4); // the count is a hint; the end marker decides
        return this.#object(depth);
      case marker.typedObject:
        this.#shortString();
        return this.#object(depth);
      case marker.strictArray:
        return this.#strictArray(depth);
      default:
        throw malformed(`a value of type 0x${type.toString(16).padStart(2, '0')}`);
    }
  }

  #object(depth: number): AmfObject {
    const object: Record<string, AmfValue> = Object.create(null);
    for (;;) {
      const key = this.#shortString();
      if (key === '' && this.#body[this.#offset] === marker.objectEnd) {
        this.#offset += 1;
        return object;
      }
      object[key] = this.value(depth + 1);
    }
  }

  #strictArray(depth: number): AmfValue[] {
    const count = this.#take(4).readUInt32BE();
    // Each value takes a byte at least: a count of 2^32 is known to be a lie before anything is allocated for it.
    if (count > this.#body.length - this.#offset) throw malformed('an array longer than its message');
    const values: AmfValue[] = [];
    for (let i = 0; i < count; i++) values.push(this.value(depth + 1));
    return values;
  }

  #shortString(): string {
    return this.#take(this.#take(2).readUInt16BE()).toString('utf8');
  }

  #take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#body.length) throw malformed('a truncated value');
    const taken = this.#body.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }
}

function malformed(what: string): GatewayError {
  return new GatewayError('invalid_request', `The AMF0 message holds ${what}.`);
}

/** The values one after the other, as a command's body wants them. */
export function encodeAmf0(values: readonly AmfValue[]): Buffer {
  const parts: Buffer[] = [];
  for (const value of values) encodeValue(value, parts);
  return Buffer.concat(parts);
}

function encodeValue(value: AmfValue, parts: Buffer[]): void {
  if (value === null) parts.push(Buffer.of(marker.null));
  else if (value === undefined) parts.push(Buffer.of(marker.undefined));
  else if (typeof value === 'number') parts.push(encodeNumber(marker.number, value));
  else if (typeof value === 'boolean') parts.push(Buffer.of(marker.boolean, value ? 1 : 0));
  else if (typeof value === 'string') parts.push(encodeString(value));
  else if (value instanceof Date) parts.push(encodeNumber(marker.date, value.getTime()), Buffer.alloc(2));
  else if (value instanceof AmfEcmaArray) encodeEcmaArray(value, parts);
  else if (isArray(value)) encodeStrictArray(value, parts);
  else {
    parts.push(Buffer.of(marker.object));
    encodeProperties(value, parts);
  }
}

/** `Array.isArray` does not narrow readonly arrays out of a union. */
function isArray(value: AmfObject | readonly AmfValue[]): value is readonly AmfValue[] {
  return Array.isArray(value);
}

function encodeNumber(type: number, value: number): Buffer {
  const encoded = Buffer.allocUnsafe(9);
  encoded.writeUInt8(type);
  encoded.writeDoubleBE(value, 1);
  return encoded;
}

function encodeString(value: string): Buffer {
  const text = Buffer.from(value, 'utf8');
  const isLong = text.length > 0xffff;
  const head = Buffer.allocUnsafe(isLong ? 5 : 3);
  head.writeUInt8(isLong ? marker.longString : marker.string);
  if (isLong) head.writeUInt32BE(text.length, 1);
  else head.writeUInt16BE(text.length, 1);
  return Buffer.concat([head, text]);
}

function encodeStrictArray(values: readonly AmfValue[], parts: Buffer[]): void {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(marker.strictArray);
  head.writeUInt32BE(values.length, 1);
  parts.push(head);
  for (const value of values) encodeValue(value, parts);
}

function encodeEcmaArray(array: AmfEcmaArray, parts: Buffer[]): void {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(marker.ecmaArray);
  head.writeUInt32BE(Object.keys(array.values).length, 1);
  parts.push(head);
  encodeProperties(array.values, parts);
}

function encodeProperties(object: AmfObject, parts: Buffer[]): void {
  for (const [key, value] of Object.entries(object)) {
    parts.push(encodeString(key).subarray(1)); // keys have no type marker, and are never long
    encodeValue(value, parts);
  }
  parts.push(Buffer.of(0, 0, marker.objectEnd));
}

/** A property that is text, or undefined. */
export function stringOf(value: AmfValue): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A property that is a finite number, or undefined. */
export function numberOf(value: AmfValue): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** An object (not an array, date or null), or undefined. */
export function objectOf(value: AmfValue): AmfObject | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Date || value instanceof AmfEcmaArray || isArray(value)) return undefined;
  return value;
}
