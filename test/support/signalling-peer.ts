// Owns: a bare WebSocket client of the signalling protocol, for tests that look at single messages.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { EventMap, EventName, Method, RequestData, ResultMap } from '#signalling/protocol.ts';
import { protocolVersion } from '#signalling/protocol-constants.ts';

interface Response {
  readonly id: number | null;
  readonly ok: boolean;
  readonly data?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Event {
  readonly event: EventName;
  readonly seq?: number;
  readonly data: unknown;
}

/** An error answer, thrown. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const timeoutMs = 5_000;

export class SignallingPeer {
  readonly socket: WebSocket;
  readonly events: Event[] = [];
  /** Answers that no request waits for: those to garbage, with id null. */
  readonly strayResponses: Response[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiting = new Map<number, (response: Response) => void>();
  readonly #listeners = new Set<() => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    socket.on('message', (data) => this.#receive(JSON.parse(String(data)) as Response | Event));
    // The close event that follows says all that a test wants to know.
    socket.on('error', () => undefined);
  }

  static async connect(url: string): Promise<SignallingPeer> {
    const peer = new SignallingPeer(new WebSocket(url, { rejectUnauthorized: false }));
    await once(peer.socket, 'open');
    return peer;
  }

  static async join(url: string, options: { room?: string; token: string; displayName?: string }) {
    const peer = await SignallingPeer.connect(url);
    const joined = await peer.request('join', { protocol: protocolVersion, room: 'demo', ...options });
    return { peer, joined };
  }

  get lastSeq(): number {
    return Math.max(0, ...this.events.map(({ seq }) => seq ?? 0));
  }

  /** @throws Refusal */
  async request<M extends Method>(method: M, data: RequestData<M>): Promise<ResultMap[M]> {
    const id = this.#nextId++;
    const answered = new Promise<Response>((resolve) => this.#waiting.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, data }));
    const response = await withTimeout(answered, `answer to ${method}`);
    if (!response.ok) throw new Refusal(response.error?.code ?? '', response.error?.message ?? '');
    return response.data as ResultMap[M];
  }

  /** @returns the code of the refusal, or 'none' */
  codeOf<M extends Method>(method: M, data: RequestData<M>): Promise<string> {
    return this.request(method, data).then(
      () => 'none',
      (refusal: Refusal) => refusal.code,
    );
  }

  /** The first event of that name that fits, had already or still to come. */
  async event<E extends EventName>(name: E, fits: (data: EventMap[E]) => boolean = () => true): Promise<EventMap[E]> {
    const find = () => this.events.find(({ event, data }) => event === name && fits(data as EventMap[E]));
    const waited = new Promise<Event>((resolve) => {
      const look = () => {
        const found = find();
        if (!found) return;
        this.#listeners.delete(look);
        resolve(found);
      };
      this.#listeners.add(look);
      look();
    });
    return (await withTimeout(waited, `event ${name}`)).data as EventMap[E];
  }

  /** Until so many answers came that nobody asked for. */
  async strays(count: number): Promise<readonly Response[]> {
    const waited = new Promise<void>((resolve) => {
      const look = () => {
        if (this.strayResponses.length < count) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
    await withTimeout(waited, `${count} answers (${this.strayResponses.length} came)`, 60_000);
    return this.strayResponses;
  }

  #receive(message: Response | Event): void {
    if ('event' in message) this.events.push(message);
    else {
      const waiting = message.id === null ? undefined : this.#waiting.get(message.id);
      if (waiting) {
        this.#waiting.delete(message.id as number);
        waiting(message);
      } else this.strayResponses.push(message);
    }
    for (const listener of [...this.#listeners]) listener();
  }
}

export async function withTimeout<T>(work: Promise<T>, what: string, ms = timeoutMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
