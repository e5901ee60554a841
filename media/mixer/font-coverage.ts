// Owns: which characters a font file has, by its table `cmap` (OpenType). May import: node.
import { closeSync, openSync, readSync } from 'node:fs';

/** Of the file; a table of all of CJK has half of it. */
const mostTableBytes = 1024 * 1024;

export class FontCoverage {
  /** First and last of each range, in order. */
  readonly #ranges: readonly (readonly [first: number, last: number])[];

  /** @returns of a file that is no font, or of a kind that is not known here, one without any character */
  static read(file: string): FontCoverage {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(file, 'r');
      return new FontCoverage(rangesOf(readCmap(descriptor)));
    } catch {
      // Cut off in the middle, or gone: another font may have what is needed.
      return new FontCoverage([]);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  private constructor(ranges: readonly (readonly [first: number, last: number])[]) {
    this.#ranges = ranges;
  }

  has(codePoint: number): boolean {
    let [from, to] = [0, this.#ranges.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const [first, last] = this.#ranges[middle] ?? [0, 0];
      if (codePoint < first) to = middle;
      else if (codePoint > last) from = middle + 1;
      else return true;
    }
    return false;
  }
}

function readAt(descriptor: number, at: number, byteLength: number): Buffer {
  const bytes = Buffer.alloc(Math.min(byteLength, mostTableBytes));
  return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, at));
}

/** Of a collection the first font, which is the one that is drawn with. */
function readCmap(descriptor: number): Buffer {
  const start = readAt(descriptor, 0, 16);
  const fontAt = start.toString('latin1', 0, 4) === 'ttcf' ? start.readUInt32BE(12) : 0;
  const count = readAt(descriptor, fontAt + 4, 2).readUInt16BE(0);
  const tables = readAt(descriptor, fontAt + 12, count * 16);
  for (let at = 0; at + 16 <= tables.length; at += 16) {
    if (tables.toString('latin1', at, at + 4) !== 'cmap') continue;
    return readAt(descriptor, tables.readUInt32BE(at + 8), tables.readUInt32BE(at + 12));
  }
  return Buffer.alloc(0);
}

/** Of the widest table for Unicode: format 12 has all planes, format 4 the first. */
function rangesOf(cmap: Buffer): [first: number, last: number][] {
  const count = cmap.length >= 4 ? cmap.readUInt16BE(2) : 0;
  const offsets = Array.from({ length: count }, (_, n) => cmap.readUInt32BE(8 + n * 8));
  const ofFormat = (format: number) => offsets.find((at) => cmap.readUInt16BE(at) === format);
  const [all, first] = [ofFormat(12), ofFormat(4)];
  if (all !== undefined) return rangesOfGroups(cmap, all);
  return first === undefined ? [] : rangesOfSegments(cmap, first);
}

function rangesOfGroups(cmap: Buffer, at: number): [first: number, last: number][] {
  return Array.from({ length: cmap.readUInt32BE(at + 12) }, (_, n) => {
    const group = at + 16 + n * 12;
    return [cmap.readUInt32BE(group), cmap.readUInt32BE(group + 4)] as [number, number];
  });
}

/** What its glyphs are is not looked at: no font that we know has a hole within a segment for a letter. */
function rangesOfSegments(cmap: Buffer, at: number): [first: number, last: number][] {
  const byteLength = cmap.readUInt16BE(at + 6);
  return Array.from({ length: byteLength / 2 }, (_, n) => {
    return [cmap.readUInt16BE(at + 16 + byteLength + n * 2), cmap.readUInt16BE(at + 14 + n * 2)] as [number, number];
  });
}
