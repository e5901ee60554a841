// Owns: a file of the disk as an answer: the whole or a part of it (RFC 9110 §14). May import: core.
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { GatewayError } from '#core/errors.ts';
import { isTagKnown } from './preconditions.ts';
import { problemResponse } from './problem.ts';

export interface FileResponseOptions {
  readonly path: string;
  readonly contentType: string;
  /** As it is saved. */
  readonly fileName: string;
  readonly isInline: boolean;
  readonly request: Request;
  readonly requestId: string;
}

interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** @throws GatewayError `not_found` when there is no such file any more */
export async function fileResponse({ path, request, ...options }: FileResponseOptions): Promise<Response> {
  const { size, mtimeMs, mtime } = await statOf(path);
  const etag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
  const headers = new Headers({
    ...{ etag, 'accept-ranges': 'bytes', 'content-type': options.contentType, 'last-modified': mtime.toUTCString() },
    'content-disposition': `${options.isInline ? 'inline' : 'attachment'}; ${fileNameParameters(options.fileName)}`,
    // Who may see it is asked every time; what has not changed is not sent again.
    'cache-control': 'private, no-cache',
  });
  if (isTagKnown(request.headers.get('if-none-match') ?? undefined, etag)) {
    return new Response(null, { status: 304, headers });
  }
  const range = isRangeMeant(request, etag, mtime) ? parseRange(request.headers.get('range'), size) : undefined;
  if (range === 'unsatisfiable') {
    const error = new GatewayError('range_not_satisfiable', `The file has ${size} bytes.`);
    return problemResponse(error, options.requestId, { 'content-range': `bytes */${size}` });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  headers.set('content-length', String(end - start + 1));
  if (range) headers.set('content-range', `bytes ${start}-${end}/${size}`);
  const isEmpty = request.method === 'HEAD' || size === 0;
  const body = isEmpty ? null : (Readable.toWeb(createReadStream(path, { start, end })) as ReadableStream<Uint8Array>);
  return new Response(body, { status: range ? 206 : 200, headers });
}

/** Anything but that it is gone, such as a folder that may not be read, is the operator's to know. */
async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new GatewayError('not_found', 'The file is not there any more.', { cause });
  }
}

/** `If-Range` names what the client has; anything else means the whole file (RFC 9110 §13.1.5). */
function isRangeMeant(request: Request, etag: string, modifiedAt: Date): boolean {
  const known = request.headers.get('if-range');
  if (known === null) return true;
  return known.startsWith('"') ? known === etag : known === modifiedAt.toUTCString();
}

/** @returns undefined for what is no single range of bytes: then the whole is sent, as RFC 9110 §14.2 allows */
export function parseRange(header: string | null, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const count = Math.min(Number(last), size);
    return count === 0 ? 'unsatisfiable' : { start: size - count, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

/** RFC 6266 §4.3: plain letters for everybody, and the real name for who knows how to read it. */
function fileNameParameters(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9 ._-]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`);
  return `filename="${plain}"; filename*=UTF-8''${encoded}`;
}
