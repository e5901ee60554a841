// Owns: the HTTP API as typed calls. May import: types of the API contract, ./sip-api.
import type {
  AnalysisInput,
  AnalysisResource,
  AvatarInput,
  EventResource,
  InstantMeeting,
  InstantMeetingInput,
  KeyInput,
  KeyResource,
  LoginResult,
  Me,
  MessageInput,
  MessageResource,
  NewKeyResource,
  NewStreamKeyResource,
  NodeDrainInput,
  NodeResource,
  ParticipantPatch,
  ParticipantResource,
  Problem,
  RecordingInput,
  RecordingResource,
  RoomDialIn,
  RoomInput,
  RoomPatch,
  RoomResource,
  RoomStats,
  ServerInfo,
  SipCallInput,
  SipCallPatch,
  SipCallResource,
  SipCallTransferInput,
  StreamingInInput,
  StreamingInPatch,
  StreamingInResource,
  StreamingOutInput,
  StreamingOutPatch,
  StreamingOutResource,
  StreamKeyInput,
  StreamKeyResource,
  StreamPatch,
  StreamResource,
  TokenInput,
  TokenResource,
  ViewPatch,
  ViewResource,
} from '#api/contract.ts';
import { BridgeApi } from './bridge-api.ts';
import { type ApiDoor, type Page, SipApi } from './sip-api.ts';

export interface ApiClientOptions {
  /** `https://host`; the server that this page came from if absent. */
  readonly url?: string;
  /** API key, or the JWT that `login` gives; asked anew for each call. */
  readonly credential: () => string | undefined;
  readonly timeoutMs?: number;
}

/** A refusal (RFC 9457), or no answer at all: `code` is `unreachable` then and `status` 0. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly fields: NonNullable<Problem['errors']>;
  readonly requestId: string | undefined;

  constructor(problem: Pick<Problem, 'status' | 'code' | 'detail' | 'errors' | 'requestId'>, options?: ErrorOptions) {
    super(problem.detail, options);
    this.status = problem.status;
    this.code = problem.code;
    this.fields = problem.errors ?? [];
    this.requestId = problem.requestId;
  }
}

type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Everything a list may hold in a page's table; more is the business of a program with a cursor. */
const maxListed = 2_000;
const pageLength = 500;
/** For a file of hours. */
const longMs = 3_600_000;

/** Each call throws ApiError. Rooms are named by name or id. */
export class ApiClient {
  readonly #options: ApiClientOptions;

  readonly #door: ApiDoor = {
    call: (method, path, body) => this.#call(method, path, body),
    list: (path) => this.#list(path),
  };

  /** Telephony beyond one room. */
  readonly sip = new SipApi(this.#door);
  /** Rooms that hear each other. */
  readonly bridges = new BridgeApi(this.#door);

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  // ── Who am I ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param code of the one-time link */
  login(code: string): Promise<LoginResult> {
    return this.#call('POST', 'login', { code });
  }

  /** Ends a session; an API key has none to end. */
  logout(): Promise<void> {
    return this.#call('POST', 'logout');
  }

  me(): Promise<Me> {
    return this.#call('GET', 'me');
  }

  server(): Promise<ServerInfo> {
    return this.#call('GET', 'server');
  }

  nodes(): Promise<NodeResource[]> {
    return this.#list('nodes');
  }

  drainNode(node: string, input: NodeDrainInput): Promise<NodeResource> {
    return this.#call('POST', `nodes/${part(node)}/drain`, input);
  }

  undrainNode(node: string): Promise<NodeResource> {
    return this.#call('POST', `nodes/${part(node)}/undrain`);
  }

  // ── Rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────

  rooms(): Promise<RoomResource[]> {
    return this.#list('rooms');
  }

  /** One page of the rooms in whose name or title there is this text, and where the next one begins. */
  async roomPage(name: string, after: string, limit: number): Promise<Page<RoomResource>> {
    const query = new URLSearchParams({ ...(name && { name }), ...(after && { after }), limit: String(limit) });
    return this.#call('GET', `rooms?${query}`);
  }

  room(room: string): Promise<RoomResource> {
    return this.#call('GET', `rooms/${part(room)}`);
  }

  createRoom(input: RoomInput): Promise<RoomResource> {
    return this.#call('POST', 'rooms', input);
  }

  patchRoom(room: string, patch: RoomPatch): Promise<RoomResource> {
    return this.#call('PATCH', `rooms/${part(room)}`, patch);
  }

  /** Ends it for everybody who is in it. */
  deleteRoom(room: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}`);
  }

  stats(room: string): Promise<RoomStats> {
    return this.#call('GET', `rooms/${part(room)}/stats`);
  }

  createToken(room: string, input: TokenInput): Promise<TokenResource> {
    return this.#call('POST', `rooms/${part(room)}/tokens`, input);
  }

  /** A room of its own with links for host and guests. */
  startMeeting(input: InstantMeetingInput = {}): Promise<InstantMeeting> {
    return this.#call('POST', 'meetings', input);
  }

  /** Needs no credential: the PIN is one. */
  guestToken(room: string, input: { pin: string; name: string }): Promise<{ token: string; room: string }> {
    return this.#call('POST', `rooms/${part(room)}/guest-tokens`, input);
  }

  sendMessage(room: string, input: MessageInput): Promise<MessageResource> {
    return this.#call('POST', `rooms/${part(room)}/messages`, input);
  }

  // ── Who and what is in a room ────────────────────────────────────────────────────────────────────────────────────

  participants(room: string): Promise<ParticipantResource[]> {
    return this.#list(`rooms/${part(room)}/participants`);
  }

  patchParticipant(room: string, participant: string, patch: ParticipantPatch): Promise<ParticipantResource> {
    return this.#call('PATCH', `rooms/${part(room)}/participants/${part(participant)}`, patch);
  }

  /** Shown while there is no video of it: a PNG or JPEG in base64, or the URL of one, which the server fetches. */
  putAvatar(room: string, participant: string, avatar: AvatarInput): Promise<ParticipantResource> {
    return this.#call('PUT', `rooms/${part(room)}/participants/${part(participant)}/avatar`, avatar);
  }

  deleteAvatar(room: string, participant: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/participants/${part(participant)}/avatar`);
  }

  /** A kick. */
  deleteParticipant(room: string, participant: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/participants/${part(participant)}`);
  }

  streams(room: string): Promise<StreamResource[]> {
    return this.#list(`rooms/${part(room)}/streams`);
  }

  patchStream(room: string, stream: string, patch: StreamPatch): Promise<StreamResource> {
    return this.#call('PATCH', `rooms/${part(room)}/streams/${part(stream)}`, patch);
  }

  deleteStream(room: string, stream: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/streams/${part(stream)}`);
  }

  async views(room: string): Promise<readonly ViewResource[]> {
    const { items }: Pick<Page<ViewResource>, 'items'> = await this.#call('GET', `rooms/${part(room)}/views`);
    return items;
  }

  patchView(room: string, view: string, patch: ViewPatch): Promise<ViewResource> {
    return this.#call('PATCH', `rooms/${part(room)}/views/${part(view)}`, patch);
  }

  // ── What comes into a room from elsewhere ────────────────────────────────────────────────────────────────────────

  streamingIns(room: string): Promise<StreamingInResource[]> {
    return this.#list(`rooms/${part(room)}/streaming-ins`);
  }

  createStreamingIn(room: string, input: StreamingInInput): Promise<StreamingInResource> {
    return this.#call('POST', `rooms/${part(room)}/streaming-ins`, input);
  }

  patchStreamingIn(room: string, id: string, patch: StreamingInPatch): Promise<StreamingInResource> {
    return this.#call('PATCH', `rooms/${part(room)}/streaming-ins/${part(id)}`, patch);
  }

  deleteStreamingIn(room: string, id: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/streaming-ins/${part(id)}`);
  }

  // ── What leaves a room ───────────────────────────────────────────────────────────────────────────────────────────

  streamingOuts(room: string): Promise<StreamingOutResource[]> {
    return this.#list(`rooms/${part(room)}/streaming-outs`);
  }

  createStreamingOut(room: string, input: StreamingOutInput): Promise<StreamingOutResource> {
    return this.#call('POST', `rooms/${part(room)}/streaming-outs`, input);
  }

  patchStreamingOut(room: string, id: string, patch: StreamingOutPatch): Promise<StreamingOutResource> {
    return this.#call('PATCH', `rooms/${part(room)}/streaming-outs/${part(id)}`, patch);
  }

  deleteStreamingOut(room: string, id: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/streaming-outs/${part(id)}`);
  }

  recordings(room: string): Promise<RecordingResource[]> {
    return this.#list(`rooms/${part(room)}/recordings`);
  }

  createRecording(room: string, input: RecordingInput): Promise<RecordingResource> {
    return this.#call('POST', `rooms/${part(room)}/recordings`, input);
  }

  pauseRecording(room: string, id: string, isPaused: boolean): Promise<RecordingResource> {
    return this.#call('PATCH', `rooms/${part(room)}/recordings/${part(id)}`, { isPaused });
  }

  stopRecording(room: string, id: string): Promise<RecordingResource> {
    return this.#call('POST', `rooms/${part(room)}/recordings/${part(id)}/stop`);
  }

  deleteRecording(room: string, id: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/recordings/${part(id)}`);
  }

  /** @param path as a resource names it, `/api/…` */
  async file(path: string): Promise<Blob> {
    const response = await this.#fetch('GET', path.replace(/^\/api\//, ''), undefined, longMs);
    return response.blob();
  }

  streamKeys(room: string): Promise<StreamKeyResource[]> {
    return this.#list('stream-keys', { room });
  }

  createStreamKey(input: StreamKeyInput): Promise<NewStreamKeyResource> {
    return this.#call('POST', 'stream-keys', input);
  }

  /** Ends whoever publishes with it. */
  deleteStreamKey(id: string): Promise<void> {
    return this.#call('DELETE', `stream-keys/${part(id)}`);
  }

  analyses(room: string): Promise<AnalysisResource[]> {
    return this.#list(`rooms/${part(room)}/analytics`);
  }

  createAnalysis(room: string, input: AnalysisInput): Promise<AnalysisResource> {
    return this.#call('POST', `rooms/${part(room)}/analytics`, input);
  }

  deleteAnalysis(room: string, id: string): Promise<void> {
    return this.#call('DELETE', `rooms/${part(room)}/analytics/${part(id)}`);
  }

  /** The newest first. @param type types and patterns, with commas between */
  async lastEvents(room: string, type: string, limit: number): Promise<readonly EventResource[]> {
    const query = new URLSearchParams({ type, limit: String(limit), order: 'newest' });
    const { items }: Page<EventResource> = await this.#call('GET', `rooms/${part(room)}/events?${query}`);
    return items;
  }

  // ── Phones ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The PIN is there for those who may moderate the room or administer rooms. */
  dialIn(room: string): Promise<RoomDialIn> {
    return this.#call('GET', `rooms/${part(room)}/dial-in`);
  }

  sipCalls(room: string): Promise<SipCallResource[]> {
    return this.#list(`rooms/${part(room)}/sipcalls`);
  }

  dialOut(room: string, input: SipCallInput): Promise<SipCallResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls`, input);
  }

  patchSipCall(room: string, call: string, patch: SipCallPatch): Promise<SipCallResource> {
    return this.#call('PATCH', `rooms/${part(room)}/sipcalls/${part(call)}`, patch);
  }

  /** Asks the phone to call somebody else; how that goes is in the call. */
  transferSipCall(room: string, call: string, input: SipCallTransferInput): Promise<SipCallResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls/${part(call)}/transfer`, input);
  }

  /** Also fetches one that is parked. */
  moveSipCall(room: string, call: string, to: string): Promise<SipCallResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls/${part(call)}/move`, { room: to });
  }

  parkSipCall(room: string, call: string): Promise<SipCallResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls/${part(call)}/park`);
  }

  /** By itself: what the phone says and hears. */
  startCallRecording(room: string, call: string): Promise<RecordingResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls/${part(call)}/recording/start`);
  }

  stopCallRecording(room: string, call: string): Promise<RecordingResource> {
    return this.#call('POST', `rooms/${part(room)}/sipcalls/${part(call)}/recording/stop`);
  }

  // ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  keys(): Promise<KeyResource[]> {
    return this.#list('keys');
  }

  createKey(input: KeyInput): Promise<NewKeyResource> {
    return this.#call('POST', 'keys', input);
  }

  deleteKey(key: string): Promise<void> {
    return this.#call('DELETE', `keys/${part(key)}`);
  }

  // ── How ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #list<T>(path: string, filter: Readonly<Record<string, string>> = {}): Promise<T[]> {
    const items: T[] = [];
    let after: string | null = '';
    while (after !== null && items.length < maxListed) {
      const query = new URLSearchParams({ ...filter, limit: String(pageLength), ...(after && { after }) });
      const page: Page<T> = await this.#call('GET', `${path}?${query}`);
      items.push(...page.items);
      after = page.next;
    }
    return items;
  }

  async #call<T>(method: Verb, path: string, body?: unknown): Promise<T> {
    const response = await this.#fetch(method, path, body, this.#options.timeoutMs ?? 15_000);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async #fetch(method: Verb, path: string, body: unknown, timeoutMs: number): Promise<Response> {
    const { url = '' } = this.#options;
    const credential = this.#options.credential();
    let response: Response;
    try {
      response = await fetch(`${url}/api/${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(credential && { authorization: `Bearer ${credential}` }),
          ...(body !== undefined && { 'content-type': contentType(method) }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (cause) {
      throw new ApiError({ status: 0, code: 'unreachable', detail: 'The server cannot be reached.' }, { cause });
    }
    if (!response.ok) throw new ApiError(await problemOf(response));
    return response;
  }
}

/** @see RFC 7396 */
function contentType(method: Verb): string {
  return method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
}

function part(text: string): string {
  return encodeURIComponent(text);
}

/** A proxy in between answers in its own words. */
async function problemOf(response: Response): Promise<Problem> {
  const problem: Partial<Problem> = await response.json().catch(() => ({}));
  return {
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    code: 'internal',
    detail: `The server answered ${response.status} ${response.statusText}.`,
    ...problem,
  };
}
