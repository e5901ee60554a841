// Owns: traces: spans that are made here and brought to a collector by OTLP over HTTP, as JSON. May import: core.
//
// Of the protocol (opentelemetry-proto, ExportTraceServiceRequest) a gateway needs one message, which is JSON: the packages
// that would make it bring a hundred files and patch http for a context that is passed by hand here.
import { randomBytes } from 'node:crypto';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';

export interface TracerOptions {
  /** Of the collector, without /v1/traces: `http://collector:4318`. */
  readonly url: string;
  /** Value of the Authorization header. */
  readonly authorization?: string | undefined;
  /** 0..100: of traces that begin here. */
  readonly samplePercent: number;
  readonly version: string;
  readonly log: Logger;
  readonly flushIntervalMs?: number;
}

/** W3C Trace Context: which trace it is of, and which span is above it. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

type Value = string | number | boolean;
export type Attributes = Readonly<Record<string, Value | undefined>>;

/** SpanKind of the protocol. */
const kinds = { internal: 1, server: 2 } as const;

interface Exported {
  readonly [field: string]: unknown;
}

const maxWaiting = 5_000;
const maxBatch = 500;
const maxEvents = 50;
const timeoutMs = 5_000;
/** A collector that is away is not complained of with every batch. */
const complainEveryMs = 60_000;

export class Tracer extends Owned {
  readonly #options: TracerOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting: Exported[] = [];
  #sending: Promise<void> = Promise.resolve();
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #droppedCount = 0;

  constructor(options: TracerOptions) {
    super();
    this.#options = options;
    this.#timer = setInterval(() => this.#flush(), options.flushIntervalMs ?? 2_000).unref();
  }

  /** Spans that found no place, as the collector was away or too slow. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** @param options.parent of whoever asked; without one a trace begins here */
  start(
    name: string,
    attributes: Attributes,
    options: { parent?: TraceParent | undefined; kind?: keyof typeof kinds } = {},
  ): Span {
    const { parent, kind = 'internal' } = options;
    const isSampled = parent?.isSampled ?? Math.random() * 100 < this.#options.samplePercent;
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
    const keep = isSampled ? (span: Exported) => this.#keep(span) : undefined;
    return new Span({ name, kind: kinds[kind], traceId, parentSpanId: parent?.spanId, attributes, keep });
  }

  /** @param traceParent header of whoever asks, which nobody has to believe: one that is none begins a trace here */
  startRequest(traceParent: string | undefined, attributes: Attributes): Span {
    return this.start('request', attributes, { parent: parseTraceParent(traceParent), kind: 'server' });
  }

  #keep(span: Exported): void {
    if (this.isClosed) return;
    if (this.#waiting.length >= maxWaiting) {
      this.#droppedCount++;
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length === maxBatch) this.#flush();
  }

  /** One request at a time: a collector that is slow is not sent everything at once. */
  #flush(): void {
    if (this.#waiting.length === 0) return;
    this.#sending = this.#sending.then(() => this.#send());
  }

  async #send(): Promise<void> {
    const spans = this.#waiting.splice(0, maxBatch);
    if (spans.length === 0) return;
    const { url, authorization, version } = this.#options;
    const resource = { attributes: listed({ 'service.name': 'switchyard', 'service.version': version }) };
    const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'switchyard', version }, spans }] }] };
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`it answered ${response.status}`);
    } catch (err) {
      this.#droppedCount += spans.length;
      this.#complain(err);
    }
  }

  #complain(err: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAtMs < complainEveryMs) return;
    this.#complainedAtMs = nowMs;
    const { url, log } = this.#options;
    log.warn({ err, url, dropped: this.#droppedCount }, 'traces not brought to their collector');
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#sending;
  }
}

interface SpanOptions {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Attributes;
  /** Undefined: nobody wants it. */
  readonly keep: ((span: Exported) => void) | undefined;
}

export class Span implements TraceParent {
  readonly traceId: string;
  readonly spanId = randomBytes(8).toString('hex');
  readonly #options: SpanOptions;
  readonly #startedAtMs = Date.now();
  readonly #events: { timeUnixNano: string; name: string; attributes: unknown }[] = [];
  #isOver = false;

  constructor(options: SpanOptions) {
    this.#options = options;
    this.traceId = options.traceId;
  }

  get isSampled(): boolean {
    return this.#options.keep !== undefined;
  }

  /** Something that happened meanwhile; the first fifty are kept. */
  note(name: string, attributes: Attributes = {}): void {
    if (!this.isSampled || this.#events.length >= maxEvents) return;
    this.#events.push({ timeUnixNano: nanos(Date.now()), name, attributes: listed(attributes) });
  }

  /** @param result.error what went wrong, for our own failures; `name` where it is known only now */
  end(
    result: { readonly name?: string; readonly attributes?: Attributes; readonly error?: string | undefined } = {},
  ): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { name, kind, parentSpanId, attributes, keep } = this.#options;
    keep?.({
      traceId: this.traceId,
      spanId: this.spanId,
      ...(parentSpanId !== undefined && { parentSpanId }),
      name: result.name ?? name,
      kind,
      startTimeUnixNano: nanos(this.#startedAtMs),
      endTimeUnixNano: nanos(Date.now()),
      attributes: listed({ ...attributes, ...result.attributes }),
      events: this.#events,
      // STATUS_CODE_ERROR; unset otherwise.
      status: result.error === undefined ? {} : { code: 2, message: result.error },
    });
  }
}

const nanos = (epochMs: number): string => `${Math.round(epochMs)}000000`;

/** As the JSON mapping of the protocol wants it: 64-bit integers are text. */
function listed(attributes: Attributes): unknown[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: typed(value) }],
  );
}

function typed(value: Value): unknown {
  if (typeof value === 'string') return { stringValue: value.slice(0, 1_024) };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const traceParentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** @returns undefined for none, or one that is not well-formed @see W3C Trace Context §3.2 */
export function parseTraceParent(header: string | undefined): TraceParent | undefined {
  const [, traceId = '', spanId = '', flags = ''] = traceParentPattern.exec(header ?? '') ?? [];
  if (!/[1-9a-f]/.test(traceId) || !/[1-9a-f]/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
