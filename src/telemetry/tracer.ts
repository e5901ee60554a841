// Owns: traces: spans that are made here and brought to a collector by OTLP over HTTP, by OpenTelemetry's own SDK. That is
// loaded only where a collector is configured: it takes 20 MB. May import: core.
import {
  type Span as ApiSpan,
  type Tracer as ApiTracer,
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
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

/** Of a traceparent header, W3C Trace Context §3.2. */
type ContextOf = (traceParent: string | undefined) => Context;

interface Provider {
  getTracer(name: string, version: string): ApiTracer;
  shutdown(): Promise<void>;
}

const maxWaiting = 5_000;
const maxBatch = 500;
const maxEvents = 50;
const maxValueLength = 1_024;
const timeoutMs = 5_000;
/** A collector that is away is not complained of with every batch. */
const complainEveryMs = 60_000;

export class Tracer extends Owned {
  readonly #provider: Provider;
  readonly #tracer: ApiTracer;
  readonly #contextOf: ContextOf;

  static async create(options: TracerOptions): Promise<Tracer> {
    const [{ ExportResultCode, parseTraceParent }, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] =
      await Promise.all([
        import('@opentelemetry/core'),
        import('@opentelemetry/sdk-trace-base'),
        import('@opentelemetry/exporter-trace-otlp-http'),
        import('@opentelemetry/resources'),
      ]);
    const { url, authorization, samplePercent, version, flushIntervalMs = 2_000 } = options;
    const exporter = new OTLPTraceExporter({
      url: `${url.replace(/\/+$/, '')}/v1/traces`,
      timeoutMillis: timeoutMs,
      ...(authorization !== undefined && { headers: { authorization } }),
    });
    const complain = complainer(options);
    // Not by the SDK's error handler, of which there is one for all of a process: this may not be the only gateway in it.
    const complaining: SpanExporter = {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          if (result.code !== ExportResultCode.SUCCESS) complain(result.error);
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
    const provider = new sdk.BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'switchyard', 'service.version': version }),
      sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(samplePercent / 100) }),
      spanLimits: { eventCountLimit: maxEvents, attributeValueLengthLimit: maxValueLength },
      spanProcessors: [
        new sdk.BatchSpanProcessor(complaining, {
          maxQueueSize: maxWaiting,
          maxExportBatchSize: maxBatch,
          scheduledDelayMillis: flushIntervalMs,
          // Later than the exporter gives up by itself, and says why.
          exportTimeoutMillis: 2 * timeoutMs,
        }),
      ],
    });
    return new Tracer(provider, version, (traceParent) => {
      const parent = parseTraceParent(traceParent ?? '');
      return parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true }) : ROOT_CONTEXT;
    });
  }

  private constructor(provider: Provider, version: string, contextOf: ContextOf) {
    super();
    this.#provider = provider;
    this.#tracer = provider.getTracer('switchyard', version);
    this.#contextOf = contextOf;
  }

  /** A trace begins here. */
  start(name: string, attributes: Attributes): Span {
    return new Span(this.#tracer.startSpan(name, { attributes }, ROOT_CONTEXT));
  }

  /** @param traceParent header of whoever asks, which nobody has to believe: one that is none begins a trace here */
  startRequest(traceParent: string | undefined, attributes: Attributes): Span {
    const options = { attributes, kind: SpanKind.SERVER };
    return new Span(this.#tracer.startSpan('request', options, this.#contextOf(traceParent)));
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    // What could not be brought any more has been complained of.
    await this.#provider.shutdown().catch(() => undefined);
  }
}

export class Span {
  readonly #span: ApiSpan;

  constructor(span: ApiSpan) {
    this.#span = span;
  }

  get isSampled(): boolean {
    return this.#span.isRecording();
  }

  /** Something that happened meanwhile. */
  note(name: string, attributes: Attributes = {}): void {
    this.#span.addEvent(name, attributes);
  }

  /** @param result.error what went wrong, for our own failures; `name` where it is known only now */
  end(
    result: { readonly name?: string; readonly attributes?: Attributes; readonly error?: string | undefined } = {},
  ): void {
    const { name, attributes = {}, error } = result;
    if (name !== undefined) this.#span.updateName(name);
    this.#span.setAttributes(attributes);
    if (error !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    this.#span.end();
  }
}

function complainer({ url, log }: TracerOptions): (error: unknown) => void {
  let complainedAtMs = Number.NEGATIVE_INFINITY;
  return (err) => {
    const nowMs = performance.now();
    if (nowMs - complainedAtMs < complainEveryMs) return;
    complainedAtMs = nowMs;
    log.warn({ err, url }, 'traces not brought to their collector');
  };
}
