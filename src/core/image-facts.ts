// Owns: what the header of a PNG or JPEG file says of it. Pure. May import: nothing.

export interface ImageFacts {
  readonly mimeType: 'image/png' | 'image/jpeg';
  readonly width: number;
  readonly height: number;
}

/** @returns what its header says; undefined for what is neither PNG nor JPEG, or ends before it says so */
export function imageFacts(data: Uint8Array): ImageFacts | undefined {
  return pngSize(data) ?? jpegSize(data);
}

/** PNG specification §5.2 and §11.2.1: the signature, then the header chunk. */
function pngSize(data: Uint8Array): ImageFacts | undefined {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (data.length < 33 || !signature.every((byte, at) => data[at] === byte)) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint32(12) !== 0x49484452) return undefined;
  return { mimeType: 'image/png', width: view.getUint32(16), height: view.getUint32(20) };
}

/** ITU-T T.81 §B.1: segments of a marker and a length, up to the frame header, which has the size. */
function jpegSize(data: Uint8Array): ImageFacts | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= data.length; ) {
    const [start, marker] = [data[at], data[at + 1] ?? 0];
    if (start !== 0xff) return undefined;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // SOF0 to SOF15, without DHT, JPG and DAC, which lie among them.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { mimeType: 'image/jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    const length = view.getUint16(at + 2);
    if (length < 2) return undefined;
    at += 2 + length;
  }
  return undefined;
}
