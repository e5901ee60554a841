// Owns: getting what playlists name: playlists, keys, initialisation sections and segments, decrypted. May import: core,
// wire, its neighbours.
import { createDecipheriv } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { LookupAll, NetPolicy } from '#core/net-policy.ts';
import { type HttpAnswer, type HttpGetOptions, httpGet, parseHttpUrl, readBody } from '#wire/http-get.ts';
import { type Playlist, parsePlaylist, type Resource, type Segment } from './playlist.ts';

export interface FetcherOptions {
  readonly policy: NetPolicy;
  readonly lookup?: LookupAll | undefined;
  readonly signal: AbortSignal;
  /** Whose user and password go to its own host. */
  readonly credentials: URL;
  /** For the head of an answer; a body may take longer. */
  readonly timeoutMs: number;
}

export interface LoadedPlaylist {
  readonly playlist: Playlist;
  /** Where it was found: what relative addresses in it are relative to. */
  readonly base: URL;
}

const maxPlaylistBytes = 8 * 1024 * 1024;
const maxSegmentBytes = 64 * 1024 * 1024;
const maxMapBytes = 4 * 1024 * 1024;
const keyBytes = 16;
/** A segment that takes longer than this is of no use to anybody. */
const bodyTimeoutMs = 60_000;

export class Fetcher {
  readonly #options: FetcherOptions;
  /** The last key and initialisation section: the next segment most often has the same. */
  #key: { readonly href: string; readonly bytes: Buffer } | undefined;
  #map: { readonly name: string; readonly bytes: Buffer } | undefined;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  async playlist(url: URL): Promise<LoadedPlaylist> {
    return this.playlistOf(await httpGet(url, this.#options));
  }

  async playlistOf(answer: HttpAnswer): Promise<LoadedPlaylist> {
    const text = await readBody(answer, maxPlaylistBytes, this.#options.timeoutMs);
    return { playlist: parsePlaylist(text.toString()), base: answer.url };
  }

  async segment(segment: Segment, base: URL): Promise<{ readonly data: Buffer; readonly map: Buffer | undefined }> {
    const { map } = segment;
    const initialisation = map && (await this.#initialisation(map, segment, base));
    const data = await this.#get(segment, base, maxSegmentBytes);
    return { data: await this.#decrypted(data, segment, base), map: initialisation };
  }

  async #initialisation(map: Resource, segment: Segment, base: URL): Promise<Buffer> {
    const name = `${parseHttpUrl(map.uri, base).href} ${map.range?.first} ${map.range?.length} ${segment.key?.uri}`;
    if (this.#map?.name === name) return this.#map.bytes;
    const data = await this.#get(map, base, maxMapBytes);
    // RFC 8216 §4.3.2.5: an encrypted one needs an IV that is said.
    const bytes = segment.key?.iv ? await this.#decrypted(data, segment, base) : data;
    this.#map = { name, bytes };
    return bytes;
  }

  async #get({ uri, range }: Resource, base: URL, maxBytes: number): Promise<Buffer> {
    const url = parseHttpUrl(uri, base);
    const wanted = range && { first: range.first, last: range.first + range.length - 1 };
    const options: HttpGetOptions = { ...this.#options, range: wanted };
    const answer = await httpGet(url, options);
    const data = await readBody(answer, maxBytes, bodyTimeoutMs);
    // A server that knows no ranges sends the whole.
    return range && answer.status === 200 ? data.subarray(range.first, range.first + range.length) : data;
  }

  async #decrypted(data: Buffer, { key, sequence }: Segment, base: URL): Promise<Buffer> {
    if (!key) return data;
    const { href } = parseHttpUrl(key.uri, base);
    if (this.#key?.href !== href) {
      const bytes = await this.#get({ uri: href, range: undefined }, base, 1_024);
      if (bytes.length !== keyBytes) throw new GatewayError('upstream_failed', 'The key of the playlist is none.');
      this.#key = { href, bytes };
    }
    const bySequence = Buffer.alloc(16);
    bySequence.writeUInt32BE(Math.floor(sequence / 2 ** 32) >>> 0, 8);
    bySequence.writeUInt32BE(sequence >>> 0, 12);
    try {
      const decipher = createDecipheriv('aes-128-cbc', this.#key.bytes, key.iv ?? bySequence);
      return Buffer.concat([decipher.update(data), decipher.final()]);
    } catch (cause) {
      throw new GatewayError('upstream_failed', 'A segment does not fit its key.', { cause });
    }
  }
}
