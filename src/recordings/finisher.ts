// Owns: the process that finishes recorded files: started when there is work, ended when there is none, one file at a time.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { type FinishOrder, type FinishResult, finishResult } from '#media/finish-protocol.ts';

const processFile = fileURLToPath(import.meta.resolve('#media/finisher.ts'));
/** The slowest disk that is of any use copies so much in a second. */
const slowestBytesPerMs = 2_000;
const leastTimeMs = 120_000;
const idleMs = 5_000;

export class Finisher extends Owned {
  readonly #log: Logger;
  #child: ChildProcess | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(log: Logger) {
    super();
    this.#log = log;
  }

  /** @param bytes of the input, by which it may take its time */
  finish(order: FinishOrder, bytes: number): Promise<FinishResult> {
    const result = this.#queue.then(() => this.#run(order, leastTimeMs + Math.ceil(bytes / slowestBytesPerMs)));
    this.#queue = result;
    return result;
  }

  async #run(order: FinishOrder, timeoutMs: number): Promise<FinishResult> {
    if (this.isClosed) return { outcome: 'failed', isDiskFull: false, message: 'The gateway is being ended.' };
    clearTimeout(this.#idleTimer);
    const child = this.#process();
    const { promise, resolve } = Promise.withResolvers<FinishResult>();
    const fail = (message: string) => resolve({ outcome: 'failed', isDiskFull: false, message });
    const onMessage = (raw: unknown) => resolve(finishResult.parse(raw));
    const onExit = () => fail('The process that finishes files has ended.');
    const onError = (error: Error) => fail(error.message);
    const timer = setTimeout(() => {
      fail('It took too long.');
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    child.send(order, (error) => error && fail(error.message));
    const result = await promise;
    clearTimeout(timer);
    child.off('message', onMessage).off('exit', onExit).off('error', onError);
    this.#idleTimer = setTimeout(() => this.#end(), idleMs).unref();
    return result;
  }

  #process(): ChildProcess {
    if (this.#child) return this.#child;
    const child = fork(processFile, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {}, // ours holds keys
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log.warn({ text: text.slice(0, 2_000).trimEnd() }, 'finisher of recordings wrote to stderr');
    });
    child.on('error', () => undefined); // told to whoever waits for it
    child.on('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    this.#child = child;
    return child;
  }

  #end(): void {
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
  }

  /** What it has not finished is finished after the next start. */
  protected override onClose(): void {
    clearTimeout(this.#idleTimer);
    this.#end();
  }
}
