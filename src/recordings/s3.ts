// Owns: bringing files to what speaks S3: signed requests, large files in pieces. May import: core, config, aws4fetch.
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { AwsClient } from 'aws4fetch';
import type { S3Config } from '#config/recordings.ts';
import { GatewayError } from '#core/errors.ts';
import type { RecordingUploader } from '#core/recording-uploads.ts';

/** A piece that has not gone by then is given up, and so is the attempt. */
const slowestBytesPerMs = 20;
const leastTimeMs = 30_000;
const maxAnswerBytes = 64 * 1024;
/** What S3 allows in one upload. */
const maxPieces = 10_000;

const contentTypes: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  webm: 'video/webm',
  mkv: 'video/x-matroska',
  m4a: 'audio/mp4',
  mka: 'audio/x-matroska',
  ogg: 'audio/ogg',
};

export class S3Uploader implements RecordingUploader {
  readonly #config: S3Config;
  readonly #client: AwsClient;

  constructor(config: S3Config) {
    this.#config = config;
    const { accessKeyId, secretAccessKey, region } = config;
    // Attempts are counted by who calls.
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 });
  }

  async upload(path: string, name: string, onSent: (bytes: number) => void, signal: AbortSignal): Promise<string> {
    const key = `${this.#config.prefix}${name}`;
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const pieceBytes = Math.max(this.#config.partBytes, Math.ceil(size / maxPieces));
      const read = async (start: number) => {
        const piece = Buffer.alloc(Math.min(pieceBytes, size - start));
        const { bytesRead } = await file.read(piece, 0, piece.length, start);
        if (bytesRead < piece.length) throw new GatewayError('internal', 'The file has become shorter.');
        return piece;
      };
      if (size <= pieceBytes) await this.#put(key, await read(0), signal);
      else await this.#putPieces(key, { size, pieceBytes, read, onSent }, signal);
      onSent(size);
    } finally {
      await file.close();
    }
    return `s3://${this.#config.bucket}/${key}`;
  }

  async #put(key: string, body: Buffer, signal: AbortSignal): Promise<void> {
    await tagOf(await this.#ask('PUT', this.#urlOf(key), signal, body, { 'content-type': contentTypeOf(key) }));
  }

  async #putPieces(
    key: string,
    {
      size,
      pieceBytes,
      read,
      onSent,
    }: {
      size: number;
      pieceBytes: number;
      read: (start: number) => Promise<Buffer>;
      onSent: (bytes: number) => void;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const url = this.#urlOf(key);
    const headers = { 'content-type': contentTypeOf(key) };
    const begun = await textOf(await this.#ask('POST', `${url}?uploads=`, signal, undefined, headers));
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(begun)?.[1];
    if (uploadId === undefined) throw new GatewayError('upstream_failed', 'The storage began no upload.');
    const upload = `uploadId=${encodeURIComponent(unescapeXml(uploadId))}`;
    try {
      const tags: string[] = [];
      for (let start = 0; start < size; start += pieceBytes) {
        const number = tags.length + 1;
        const sent = await this.#ask('PUT', `${url}?partNumber=${number}&${upload}`, signal, await read(start));
        tags.push(await tagOf(sent));
        onSent(Math.min(start + pieceBytes, size));
      }
      const parts = tags.map(
        (tag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
      );
      const list = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
      const done = await this.#ask('POST', `${url}?${upload}`, signal, Buffer.from(list));
      // A failure of this one may come with 200.
      const text = await textOf(done);
      if (/<Error>/.test(text)) throw new GatewayError('upstream_failed', `The storage says: ${codeIn(text)}.`);
      if (!text.includes('CompleteMultipartUploadResult')) throw noStorage();
    } catch (error) {
      // Pieces that stay would be paid for.
      await this.#ask('DELETE', `${url}?${upload}`, AbortSignal.timeout(leastTimeMs)).catch(() => undefined);
      throw error;
    }
  }

  /** @throws GatewayError `upstream_refused` (4xx), `upstream_failed` */
  async #ask(
    method: string,
    url: string,
    signal: AbortSignal,
    body?: Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(leastTimeMs + Math.ceil((body?.length ?? 0) / slowestBytesPerMs));
    let answer: Response;
    try {
      // A signature is good for one host: what follows a redirect is refused there.
      const init = { method, headers, signal: AbortSignal.any([signal, timeout]), redirect: 'manual' } as const;
      answer = await this.#client.fetch(url, body ? { ...init, body: new Uint8Array(body) } : init);
    } catch (cause) {
      const why = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : '';
      throw new GatewayError('upstream_failed', `The storage cannot be reached: ${why}.`, { cause });
    }
    if (answer.ok) return answer;
    const text = await textOf(answer).catch(() => '');
    const code = answer.status >= 500 || answer.status === 429 ? 'upstream_failed' : 'upstream_refused';
    throw new GatewayError(code, `The storage answered ${answer.status}: ${codeIn(text)}.`);
  }

  #urlOf(key: string): string {
    const { endpoint, bucket, hasPathStyle } = this.#config;
    const url = new URL(endpoint);
    const path = key.split('/').map(encodeURIComponent).join('/');
    if (!hasPathStyle) url.hostname = `${bucket}.${url.hostname}`;
    const base = url.href.replace(/\/$/, '');
    return hasPathStyle ? `${base}/${encodeURIComponent(bucket)}/${path}` : `${base}/${path}`;
  }
}

const contentTypeOf = (key: string): string =>
  contentTypes[basename(key).split('.').at(-1) ?? ''] ?? 'application/octet-stream';

/** What it says, as far as that is of interest: an answer need not have an end. */
async function textOf(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of answer.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= maxAnswerBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, maxAnswerBytes);
}

/**
 * Only what was stored has a tag. Anything may answer 200 (a login page in between, a wrong endpoint), and the file here
 * may be deleted for it.
 */
async function tagOf(answer: Response): Promise<string> {
  await answer.body?.cancel();
  const tag = answer.headers.get('etag');
  if (!tag) throw noStorage();
  return tag;
}

const noStorage = (): GatewayError =>
  new GatewayError('upstream_failed', 'What answers is no S3: it does not say that it has stored anything.');

/** `<Code>NoSuchBucket</Code>`: says more to people than a status. */
const codeIn = (xml: string): string => /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(xml)?.[1] ?? 'no reason given';

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const unescapeXml = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
