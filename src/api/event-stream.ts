// Owns: the event log as server-sent events (WHATWG HTML §9.2). May import: core, ./…
import type { GatewayEvent } from '#core/gateway-events.ts';
import type { EventCursor } from './event-cursor.ts';
import { eventView } from './event-views.ts';

export interface EventStreamOptions {
  readonly cursor: EventCursor;
  /** Of the log: when it closes, the stream ends. */
  readonly signal: AbortSignal;
  /** Asked at each heartbeat: a credential that was taken back ends the stream. */
  readonly mayGoOn: () => Promise<boolean>;
  readonly onEnd: () => void;
  readonly heartbeatMs: number;
}

/** A comment now and then keeps proxies from closing it, and tells us of clients that are gone. */
export const heartbeatMs = 15_000;
const retryMs = 2_000;

/** Pulled by the socket: a client that does not read stops the reading of the log, and costs no memory. */
export function eventStream({
  cursor,
  signal,
  mayGoOn,
  onEnd,
  heartbeatMs: everyMs,
}: EventStreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const cancelled = new AbortController();
  const either = AbortSignal.any([signal, cancelled.signal]);
  let isOver = false;
  let checkedAtMs = performance.now();
  const end = () => {
    if (isOver) return;
    isOver = true;
    onEnd();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const gap = cursor.hasGap ? `event: gap\ndata: ${JSON.stringify({ after: cursor.position })}\n\n` : '';
      controller.enqueue(encoder.encode(`retry: ${retryMs}\n\n${gap}`));
    },
    async pull(controller) {
      const events = await cursor.next(either, everyMs);
      if (either.aborted) return close(controller);
      if (performance.now() - checkedAtMs >= everyMs) {
        if (!(await mayGoOn())) return close(controller);
        checkedAtMs = performance.now();
      }
      controller.enqueue(encoder.encode(events.length > 0 ? events.map(frameOf).join('') : ':\n\n'));
    },
    cancel() {
      cancelled.abort();
      end();
    },
  });

  function close(controller: ReadableStreamDefaultController<Uint8Array>): void {
    end();
    if (!cancelled.signal.aborted) controller.close();
  }
}

/** JSON has no line breaks of its own, so that one data line holds it. */
function frameOf(event: GatewayEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(eventView(event))}\n\n`;
}
