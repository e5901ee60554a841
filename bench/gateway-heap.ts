// Owns: what of a running gateway's memory is in use after a collection, asked over its inspector, which is opened when it is first asked.
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: { readonly result?: { readonly value?: string } };
  readonly params?: { readonly chunk?: string };
}

export interface HeapUse {
  readonly rss: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

const opensWithinMs = 10_000;

export class GatewayHeap {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #chunks: string[] = [];
  #last = 0;

  /** @param log of the process, which tells the inspector's address when SIGUSR1 has opened it; started with `--inspect-port=0` */
  static async open(pid: number, log: () => string): Promise<GatewayHeap> {
    process.kill(pid, 'SIGUSR1');
    for (const deadline = performance.now() + opensWithinMs; performance.now() < deadline; await delay(50)) {
      const address = /Debugger listening on (ws:\S+)/.exec(log())?.[1];
      if (address === undefined) continue;
      const socket = new WebSocket(address);
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      return new GatewayHeap(socket);
    }
    throw new Error('The gateway did not open its inspector.');
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.method === 'HeapProfiler.addHeapSnapshotChunk') this.#chunks.push(answer.params?.chunk ?? '');
      if (answer.id === undefined) return;
      this.#answers.get(answer.id)?.(answer);
      this.#answers.delete(answer.id);
    };
  }

  /** After a full collection; it stops the gateway for some 100 ms. */
  async collected(): Promise<HeapUse> {
    // What is finalized by the first collection goes with the second.
    for (let i = 0; i < 2; i++) await this.#ask('HeapProfiler.collectGarbage');
    return this.use();
  }

  async use(): Promise<HeapUse> {
    const { result } = await this.#ask('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' });
    return JSON.parse(result?.result?.value ?? '{}') as HeapUse;
  }

  /** For the Memory panel of a browser; it stops the gateway for seconds. */
  async writeSnapshot(file: string): Promise<void> {
    this.#chunks.length = 0;
    await this.#ask('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
    writeFileSync(file, this.#chunks.splice(0).join(''));
  }

  close(): void {
    this.#socket.close();
  }

  #ask(method: string, params = {}): Promise<Answer> {
    const id = ++this.#last;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answered;
  }
}
