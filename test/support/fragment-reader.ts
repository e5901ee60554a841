// Owns: a viewer of fragments over WebSocket that keeps what it gets, each initialisation with what follows it.
import WebSocket from 'ws';
import { adminKey } from './gateway.ts';

export class FragmentReader {
  readonly pieces: Buffer[][] = [];
  /** It was told so, or cut off. */
  isOver = false;
  readonly #socket: WebSocket;

  /** @param url `ws://…/fmp4/…` */
  constructor(url: string) {
    this.#socket = new WebSocket(url, { headers: { authorization: `Bearer ${adminKey}` } });
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) {
        this.pieces.at(-1)?.push(data as Buffer);
        return;
      }
      const { type } = JSON.parse(String(data)) as { type: string };
      if (type === 'init') this.pieces.push([]);
      else if (type === 'ended') this.isOver = true;
    });
    this.#socket.on('error', () => this.#socket.terminate());
    this.#socket.on('close', () => {
      this.isOver = true;
    });
  }

  get count(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0);
  }

  close(): void {
    this.#socket.terminate();
  }
}
