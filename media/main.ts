// Owns: the media worker process: its channel to the control process, its heartbeat, its end. Forked by src/jobs.
import { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { findDecoder } from './av/library.ts';
import { LiveOutlet } from './live-pipe.ts';
import { MediaPipeReader, mediaPipeFd } from './media-pipe.ts';
import { mixClock } from './mixer/mix-clock.ts';
import {
  type FromWorkerMessage,
  heartbeatIntervalMs,
  protocolVersion,
  type ToWorkerMessage,
  toWorkerMessage,
} from './protocol.ts';
import { pushOpeners } from './push-openers.ts';
import { sourceOpeners } from './source-openers.ts';
import { WorkerHost } from './worker-host.ts';

// Forked by src/jobs, or not at all: without its channel nothing would ever end it.
if (!process.connected) process.kill(process.pid, 'SIGKILL');

const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();

function send(message: FromWorkerMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

// Units of sources in the control process come this way, and fragments for its viewers go back.
const mediaSocket = new Socket({ fd: mediaPipeFd, readable: true, writable: true });
const host = new WorkerHost({ send, openers: sourceOpeners, pushOpeners, live: new LiveOutlet(mediaSocket) });

// One after the other: a job must not be started before the port it asks for is bound.
let queue: Promise<void> = Promise.resolve();

process.on('message', (raw) => {
  const parsed = toWorkerMessage.safeParse(raw);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 3);
    send({ type: 'log', level: 'error', fields: { issues }, message: 'media worker got a message it does not know' });
    return;
  }
  enqueue(parsed.data);
});

// Of sources whose job has been started by then: it asked for them.
const mediaPipe = new MediaPipeReader();
mediaSocket
  .on('data', (piece: Buffer) => {
    try {
      mediaPipe.push(piece, (message) => host.receiveMedia(message));
    } catch (error) {
      crash(error);
    }
  })
  .on('error', () => undefined); // the control process is gone, and the other channel says so too

function enqueue(message: ToWorkerMessage): void {
  queue = queue.then(() => host.receive(message)).catch(crash);
}

/** A bug here costs this worker and nothing else: its jobs go on in the next. */
function crash(error: unknown): void {
  const { stack, message } = error instanceof Error ? error : { stack: undefined, message: String(error) };
  send({ type: 'log', level: 'error', fields: { stack: stack ?? message }, message: 'media worker failed' });
  // Not process.exit(): native code that runs on a thread would abort it noisily.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
}

process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);

// The control process is gone or does not want it any more: nothing here is worth keeping.
process.on('disconnect', () => {
  host.close();
  process.kill(process.pid, 'SIGKILL');
});
// A terminal's Ctrl-C reaches the whole group; the control process decides when to end this.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

setInterval(() => {
  const { user, system } = process.cpuUsage();
  send({
    type: 'heartbeat',
    cpuMs: (user + system) / 1_000,
    rssBytes: process.memoryUsage.rss(),
    eventLoopDelayP99Ms: delays.percentile(99) / 1e6,
    mixLateness: mixClock.lateness,
    jobs: host.describeJobs(),
  });
  delays.reset();
}, heartbeatIntervalMs);

// Loads and links the codecs now, while nobody waits.
findDecoder('h264');
send({ type: 'hello', version: protocolVersion });
