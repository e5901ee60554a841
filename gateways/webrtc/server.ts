// Owns: WHIP and WHEP over HTTP (RFC 9725 and draft-ietf-wish-whep): verbs, headers, and which session they are for.
// May import: core, hono and its siblings here.
import { type Context, Hono } from 'hono';
import { GatewayError } from '#core/errors.ts';
import type { IceServerPort, Logger } from '#core/ports.ts';
import type { StreamFormat } from '#core/stream-format.ts';
import { corsHeaders, iceServerLinks } from './http-headers.ts';
import { accepts, bearerOf, mediaTypeOf, readText } from './http-request.ts';
import type { HttpSession } from './http-session.ts';
import { formatChangeOf, formatOfQuery } from './play-format.ts';
import { parseFragment } from './sdp-fragment.ts';
import { problemResponse } from './status.ts';

const sdpType = 'application/sdp';
/** Of a player's wish for another picture. */
const formatType = 'application/json';
const fragmentType = 'application/trickle-ice-sdpfrag';

export interface OpenRequest {
  /** Name or id of the room, from the path. */
  readonly room: string;
  /** WHEP: a publication, a participant or a user; undefined for the whole room. */
  readonly stream: string | undefined;
  /** WHEP: a view of the room instead. */
  readonly view: string | undefined;
  /** WHEP: its picture in another format. */
  readonly format: StreamFormat | undefined;
  readonly credential: string | undefined;
  /** Of the client, to slow down whoever guesses. */
  readonly address: string;
  readonly readOffer: () => Promise<string>;
}

/** One of the two protocols, as HTTP sees it. */
export interface Endpoint {
  readonly protocol: 'whip' | 'whep';
  /** @throws GatewayError whatever keeps the peer out */
  open(request: OpenRequest): Promise<HttpSession>;
  find(sessionId: string): HttpSession | undefined;
}

export interface HttpOptions {
  readonly ice: IceServerPort;
  readonly corsOrigins: readonly string[];
  readonly maxBodyBytes: number;
  readonly log: Logger;
  /** Counts one attempt to join. @returns the client's address @throws GatewayError `rate_limited`, `draining` */
  readonly admit: (context: Context) => string;
}

type Verbs = Readonly<Record<string, (context: Context, headers: Headers) => Promise<Response>>>;

/**
 * POST is authorised by bearer token. PATCH and DELETE need none: the session's address, which only the peer that opened
 * it was told, is credential enough, and stays good when the token runs out.
 */
export function createHttpApp(endpoints: readonly Endpoint[], options: HttpOptions): Hono {
  const app = new Hono();
  for (const endpoint of endpoints) {
    const base = `/${endpoint.protocol}/:room`;
    const post: Verbs = { POST: (context, headers) => openSession(context, headers, endpoint, options) };
    const onEndpoint = (context: Context) => serve(context, post, { 'accept-post': sdpType }, options);
    app.all(base, onEndpoint);
    if (endpoint.protocol === 'whep') {
      app.all(`${base}/:stream`, onEndpoint);
      app.all(`${base}/views/:view`, onEndpoint);
    }
    const verbs: Verbs = {
      PATCH: (context, headers) => patchSession(context, headers, endpoint, options),
      DELETE: (context, headers) => deleteSession(context, headers, endpoint),
    };
    app.all(`${base}/session/:session`, (context) => serve(context, verbs, { 'accept-patch': fragmentType }, options));
  }
  return app;
}

async function serve(
  context: Context,
  verbs: Verbs,
  described: Record<string, string>,
  options: HttpOptions,
): Promise<Response> {
  const request = context.req.raw;
  const allow = [...Object.keys(verbs), 'OPTIONS'].join(', ');
  const headers = corsHeaders(request, options.corsOrigins, allow);
  for (const [name, value] of Object.entries(described)) headers.set(name, value);
  const log = options.log.child({ method: request.method, route: context.req.routePath });
  try {
    if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers });
    const verb = verbs[request.method];
    if (verb) return await verb(context, headers);
    // RFC 9725 §4.2 keeps the other verbs for later.
    headers.set('allow', allow);
    throw new GatewayError('method_not_allowed', `${request.method} is not served here; use ${allow}.`);
  } catch (thrown) {
    return problemResponse(thrown, headers, log);
  }
}

async function openSession(
  context: Context,
  headers: Headers,
  endpoint: Endpoint,
  options: HttpOptions,
): Promise<Response> {
  const request = context.req.raw;
  const address = options.admit(context);
  if (mediaTypeOf(request) !== sdpType) {
    throw new GatewayError('unsupported_media_type', `Send the offer with Content-Type: ${sdpType}.`);
  }
  if (!accepts(request, sdpType)) throw new GatewayError('not_acceptable', `The answer is ${sdpType}.`);
  const room = context.req.param('room') ?? '';
  const stream = context.req.param('stream') ?? context.req.query('participant');
  const view = context.req.param('view');
  const session = await endpoint.open({
    room: checkName(room, 64, 'room'),
    stream: stream === undefined ? undefined : checkName(stream, 128, 'stream'),
    view: view === undefined ? undefined : checkName(view, 64, 'view'),
    format: endpoint.protocol === 'whep' ? formatOfQuery(context.req.query()) : undefined,
    credential: bearerOf(request),
    address,
    readOffer: () => readText(request, options.maxBodyBytes),
  });
  headers.set('content-type', sdpType);
  headers.set('cache-control', 'no-store');
  headers.set('location', `/${endpoint.protocol}/${encodeURIComponent(room)}/session/${session.id}`);
  headers.set('etag', session.etag);
  headers.set('accept-patch', fragmentType);
  for (const link of iceServerLinks(options.ice.iceServersFor(session.participant.id))) headers.append('link', link);
  return new Response(session.answer, { status: 201, headers });
}

async function patchSession(
  context: Context,
  headers: Headers,
  endpoint: Endpoint,
  options: HttpOptions,
): Promise<Response> {
  const session = findSession(context, endpoint);
  const request = context.req.raw;
  const type = mediaTypeOf(request);
  if (type === sdpType) {
    throw new GatewayError(
      'unprocessable',
      'Media cannot be renegotiated here. DELETE this session and POST a new offer.',
    );
  }
  if (type === formatType && session.setFormat) {
    await session.setFormat(formatChangeOf(await readText(request, options.maxBodyBytes)));
    return new Response(null, { status: 204, headers });
  }
  if (type !== fragmentType) {
    throw new GatewayError('unsupported_media_type', `Send candidates with Content-Type: ${fragmentType}.`);
  }
  const ifMatch = request.headers.get('if-match');
  if (ifMatch === null) {
    throw new GatewayError('precondition_required', 'Send If-Match: the ETag for candidates, * to restart ICE.');
  }
  const fragment = parseFragment(await readText(request, options.maxBodyBytes));
  const answer = await session.patch(fragment, ifMatch.trim());
  if (answer === undefined) return new Response(null, { status: 204, headers });
  headers.set('content-type', fragmentType);
  headers.set('etag', session.etag);
  return new Response(answer, { status: 200, headers });
}

async function deleteSession(context: Context, headers: Headers, endpoint: Endpoint): Promise<Response> {
  await findSession(context, endpoint).close('requested');
  return new Response(null, { status: 200, headers });
}

function findSession(context: Context, endpoint: Endpoint): HttpSession {
  const session = endpoint.find(context.req.param('session') ?? '');
  if (!session) throw new GatewayError('not_found', 'This session has ended; POST a new offer to start another.');
  return session;
}

function checkName(name: string, maxLength: number, what: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name.length > 0 && name.length <= maxLength && !/[\u0000-\u001f\u007f]/.test(name)) return name;
  throw new GatewayError('not_found', `There is no ${what} of that name.`);
}
