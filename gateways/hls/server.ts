// Owns: HLS, DASH and plain fMP4 over HTTP: addresses, headers, bounded waits. May import: core, hono and its siblings here.
import { type Context, Hono } from 'hono';
import { GatewayError } from '#core/errors.ts';
import type { LiveTarget } from '#core/live-feed.ts';
import { dashManifest } from '#wire/segments/dash-manifest.ts';
import { mediaPlaylist, targetDurationS } from '#wire/segments/media-playlist.ts';
import { multivariantPlaylist } from '#wire/segments/multivariant-playlist.ts';
import { allTracks, type Rendition, renditionId, type Segment } from '#wire/segments/timeline.ts';
import type { Admission, Asking } from './admission.ts';
import type { Broadcast } from './broadcast.ts';
import { mimeTypeOf } from './media-type.ts';
import { parseReload } from './reload.ts';

export interface LiveHttpOptions {
  readonly admission: Admission;
  /** Running, begun if need be, with something to show within the bound. @throws GatewayError */
  readonly open: (roomId: string, target: LiveTarget) => Promise<Broadcast>;
  /** @throws GatewayError `draining` @returns the client's address */
  readonly admit: (context: Context) => string;
  /** Fragments for as long as the client reads. */
  readonly stream: (broadcast: Broadcast) => ReadableStream<Uint8Array>;
}

const types = { m3u8: 'application/vnd.apple.mpegurl', mpd: 'application/dash+xml' } as const;

export function createLiveApp(options: LiveHttpOptions): Hono {
  const app = new Hono();
  for (const protocol of ['hls', 'dash']) {
    app.get(`/${protocol}/:room/:file`, (context) => serveFile(context, options));
    app.get(`/${protocol}/:room/:stream/:file`, (context) => serveFile(context, options));
    app.get(`/${protocol}/:room/views/:view/:file`, (context) => serveFile(context, options));
  }
  app.get('/fmp4/:room', (context) => serveStream(context, options));
  app.get('/fmp4/:room/:stream', (context) => serveStream(context, options));
  app.get('/fmp4/:room/views/:view', (context) => serveStream(context, options));
  return app;
}

async function serveStream(context: Context, options: LiveHttpOptions): Promise<Response> {
  const roomId = await options.admission.authorize(askingOf(context, options));
  const broadcast = await options.open(roomId, targetOf(context));
  const { init } = broadcast.timeline;
  const headers = { 'cache-control': 'no-store', 'content-type': init ? mimeTypeOf(init) : 'video/mp4' };
  return new Response(options.stream(broadcast), { headers });
}

async function serveFile(context: Context, options: LiveHttpOptions): Promise<Response> {
  const file = parseFile(context.req.param('file') ?? '');
  if (!file) throw new GatewayError('not_found', 'Here are index.m3u8, manifest.mpd and what they name.');
  const { roomId, ticket } = await options.admission.admit(askingOf(context, options));
  const broadcast = await options.open(roomId, targetOf(context));
  const query = `?v=${ticket}`;
  switch (file.what) {
    case 'index':
      await whenSegment(broadcast, context);
      return text(multivariantPlaylist(broadcast.timeline, query), types.m3u8, 'no-cache');
    case 'manifest': {
      await whenSegment(broadcast, context);
      return text(dashManifest({ timeline: broadcast.timeline, query, nowMs: Date.now() }), types.mpd, 'no-cache');
    }
    case 'playlist':
      return servePlaylist(context, broadcast, renditionOf(broadcast, file.id), query);
    case 'init': {
      const { init } = broadcast.timeline.epochOf(file.epoch) ?? {};
      const track = allTracks(init).find((one) => renditionId(one) === file.id);
      if (!track) throw gone();
      return media(track.init, broadcast, file.id);
    }
    case 'segment': {
      const segment = await whenComplete(context, broadcast, file.id, file.number);
      return media(Buffer.concat(segment.parts.map(({ data }) => data)), broadcast, file.id);
    }
    case 'part':
      return media(await whenPart(context, broadcast, file), broadcast, file.id);
  }
}

async function servePlaylist(
  context: Context,
  broadcast: Broadcast,
  rendition: Rendition,
  query: string,
): Promise<Response> {
  const { timeline } = broadcast;
  const reload = parseReload((name) => context.req.query(name), rendition.next.number);
  const timeoutMs = targetDurationS(rendition, timeline) * 3_000;
  if (!reload.awaited) await whenSegment(broadcast, context);
  if (reload.awaited) {
    const { number, part } = reload.awaited;
    const isThere = await broadcast.until(() => has(rendition, number, part), timeoutMs, context.req.raw.signal);
    if (!isThere) throw notYet(broadcast);
  }
  const body = mediaPlaylist({ timeline, rendition, query, isDelta: reload.isDelta, hasEnded: false });
  // What was waited for never changes under the same address (§6.2.5.2).
  return text(body, types.m3u8, reload.awaited ? `max-age=${targetDurationS(rendition, timeline)}` : 'no-cache');
}

/** @param part undefined: the whole segment */
function has({ next }: Rendition, number: number, part: number | undefined): boolean {
  return next.number > number || (next.number === number && part !== undefined && next.part > part);
}

/** Players that know no parts take a playlist without a segment for an error. */
async function whenSegment(broadcast: Broadcast, context: Context): Promise<void> {
  const { timeline } = broadcast;
  const isThere = () => timeline.renditions.every(({ segments }) => segments.some(({ isComplete }) => isComplete));
  if (!(await broadcast.until(isThere, waitMs(broadcast), context.req.raw.signal))) throw notYet(broadcast);
}

async function whenComplete(context: Context, broadcast: Broadcast, id: string, number: number): Promise<Segment> {
  const rendition = renditionOf(broadcast, id);
  // Players ask for what a playlist has named: only the next one is worth waiting for.
  if (number <= rendition.next.number) {
    await broadcast.until(() => has(rendition, number, undefined), waitMs(broadcast), context.req.raw.signal);
  }
  const segment = rendition.find(number);
  if (!segment?.isComplete) throw gone();
  return segment;
}

async function whenPart(
  context: Context,
  broadcast: Broadcast,
  { id, number, part }: { id: string; number: number; part: number },
): Promise<Uint8Array> {
  const rendition = renditionOf(broadcast, id);
  if (number <= rendition.next.number) {
    await broadcast.until(() => has(rendition, number, part), waitMs(broadcast), context.req.raw.signal);
  }
  const found = rendition.find(number)?.parts[part];
  if (!found) throw gone();
  return found.data;
}

const waitMs = ({ timeline }: Broadcast) => (timeline.options.segmentUs * 3) / 1_000;

function renditionOf(broadcast: Broadcast, id: string): Rendition {
  const rendition = broadcast.timeline.rendition(id);
  if (!rendition) throw new GatewayError('not_found', `This broadcast has no ${id}.`);
  return rendition;
}

const gone = () => new GatewayError('not_found', 'This is not there: too old, or never made. Load the playlist again.');
const notYet = ({ state }: Broadcast) =>
  new GatewayError('media_lost', `There is nothing new yet. ${state}`, { retryAfterMs: 1_000 });

type LiveFile =
  | { readonly what: 'index' | 'manifest' }
  | { readonly what: 'playlist'; readonly id: string }
  | { readonly what: 'init'; readonly id: string; readonly epoch: number }
  | { readonly what: 'segment'; readonly id: string; readonly number: number }
  | { readonly what: 'part'; readonly id: string; readonly number: number; readonly part: number };

function parseFile(name: string): LiveFile | undefined {
  if (name === 'index.m3u8') return { what: 'index' };
  if (name === 'manifest.mpd') return { what: 'manifest' };
  const match = /^(audio|video[1-9]?)(?:\.m3u8|-(\d{1,9})(?:\.mp4|(?:\.(\d{1,4}))?\.m4s))$/.exec(name);
  if (!match) return undefined;
  const [, id = ''] = match;
  if (match[2] === undefined) return { what: 'playlist', id };
  if (name.endsWith('.mp4')) return { what: 'init', id, epoch: Number(match[2]) };
  const number = Number(match[2]);
  return match[3] === undefined
    ? { what: 'segment', id, number }
    : { what: 'part', id, number, part: Number(match[3]) };
}

function text(body: string, type: string, cacheControl: string): Response {
  return new Response(body, { headers: { 'content-type': type, 'cache-control': cacheControl } });
}

/** Never another under the same address; kept by caches for as long as it can be of use. */
function media(body: Uint8Array, { timeline }: Broadcast, id: string): Response {
  const keptS = Math.ceil((timeline.options.windowUs * 2) / 1e6);
  return new Response(new Uint8Array(body), {
    headers: {
      'content-type': `${id.startsWith('audio') ? 'audio' : 'video'}/mp4`,
      'cache-control': `max-age=${keptS}, immutable`,
    },
  });
}

function askingOf(context: Context, options: LiveHttpOptions): Asking {
  const { req } = context;
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(req.header('authorization') ?? '') ?? [];
  return {
    room: nameFrom(req.param('room'), 'room'),
    credential: bearer ?? req.header('x-auth-token')?.trim() ?? req.query('token'),
    ticket: req.query('v'),
    address: options.admit(context),
  };
}

function targetOf({ req }: Context): LiveTarget {
  return targetFrom(req.param('stream'), req.param('view'));
}

/** @param stream,view steps of the address; without either it is the room as one sees and hears it */
export function targetFrom(stream: string | undefined, view: string | undefined): LiveTarget {
  if (view !== undefined) return { kind: 'view', view: nameFrom(view, 'view') };
  return stream === undefined ? { kind: 'view', view: 'common' } : { kind: 'named', name: nameFrom(stream, 'stream') };
}

export function nameFrom(name: string | undefined, what: 'room' | 'stream' | 'view'): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name && name.length <= 128 && !/[\u0000-\u001f\u007f]/.test(name)) return name;
  throw new GatewayError('not_found', `There is no ${what} of that name.`);
}
