// Owns: one foreign program that a test talks to: started, read from, and surely ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export class PeerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  #output = '';
  #wake: () => void = () => undefined;

  constructor(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    this.child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#output = (this.#output + data.toString()).slice(-200_000);
        this.#wake();
      });
    }
    this.exited = once(this.child, 'exit').then(([code]) => {
      this.#wake();
      return code as number | null;
    });
  }

  /** What it wrote to stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with the match; rejects with the output when the program ends first. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.#output.match(pattern);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`ended: ${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill(signal);
    const hard = setTimeout(() => this.child.kill('SIGKILL'), 3_000);
    await this.exited;
    clearTimeout(hard);
  }
}
