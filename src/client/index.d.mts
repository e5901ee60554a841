import type { Operations, Problem } from './operations.d.mts';

export type * from './operations.d.mts';

export interface ClientOptions {
  /** Of the gateway: `https://meet.example.org`. */
  readonly url: string;
  /** API key, session or join token. */
  readonly token?: string | undefined;
  /** For each request, from its begin to the end of the answer's head; 30 s unless said. */
  readonly timeoutMs?: number | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface RequestSettings {
  /** `Idempotency-Key`, `If-Match`, `If-None-Match` … */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

interface Operation {
  /** Fields of the address, `query` and `body`. */
  readonly input: object;
  readonly output: unknown;
}

export type OperationName = keyof Operations;
export type InputOf<Name extends OperationName> = Operations[Name]['input'] & RequestSettings;
export type OutputOf<Name extends OperationName> = Operations[Name]['output'];

/** Input may be left out where nothing in it is required. */
type Call<O extends Operation> =
  Record<string, never> extends O['input']
    ? (input?: O['input'] & RequestSettings) => Promise<O['output']>
    : (input: O['input'] & RequestSettings) => Promise<O['output']>;

export type Client = { readonly [Name in OperationName]: Call<Operations[Name]> } & {
  /** For its status and headers: `ETag`, `Location`, 202. */
  withResponse<Name extends OperationName>(
    name: Name,
    input?: InputOf<Name>,
  ): Promise<{ readonly data: OutputOf<Name>; readonly status: number; readonly headers: Headers }>;
};

/** @throws ApiError, Unreachable (each of its functions) */
export function createClient(options: ClientOptions): Client;

/** Every item of a list, page by page as they are asked for: `for await (const room of itemsOf(client.listRooms))`. */
export function itemsOf<Input extends { query?: object | undefined }, Item>(
  list: (input: Input) => Promise<{ readonly items: readonly Item[]; readonly next: string | null }>,
  input?: Input,
): AsyncGenerator<Item, void, undefined>;

export class ApiError extends Error {
  readonly name: 'ApiError';
  readonly operation: OperationName;
  readonly status: number;
  /** For programs: docs/errors.md. */
  readonly code: string;
  /** For people: what was wrong, what to do. */
  readonly detail: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  /** When to come again, of 429 and 503. */
  readonly retryAfterMs: number | undefined;
  readonly problem: Problem;
}

export class Unreachable extends Error {
  readonly name: 'Unreachable';
  readonly url: string;
}
