// Owns: a line to the event socket of a FreeSWITCH, for what tests let it do itself: commands and their answers alone.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class EventSocket {
  readonly #socket: Socket;
  readonly #answers: ((body: string) => void)[] = [];
  #buffer = '';

  /** @throws Error where the password is refused */
  static async open({ host, port, password }: { host: string; port: number; password: string }): Promise<EventSocket> {
    const socket = connect(port, host);
    socket.setEncoding('utf8');
    const line = new EventSocket(socket);
    const greeted = line.#next();
    await once(socket, 'connect');
    await greeted;
    const answer = await line.#ask(`auth ${password}`);
    if (!answer.includes('+OK')) throw new Error(`FreeSWITCH refuses the password: ${answer}`);
    return line;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (text: string) => this.#receive(text));
  }

  /** @returns what the command answers; @throws Error for `-ERR` */
  async api(command: string): Promise<string> {
    const answer = await this.#ask(`api ${command}`);
    if (answer.startsWith('-')) throw new Error(`${command}: ${answer.trim()}`);
    return answer;
  }

  /** Lower-case names of codecs that it has a module for: `ilbc`, `amr-wb`, `g.729`. */
  async codecs(): Promise<string> {
    return (await this.api('show codec')).toLowerCase();
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(command: string): Promise<string> {
    const answered = this.#next();
    this.#socket.write(`${command}\n\n`);
    return answered;
  }

  #next(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('FreeSWITCH does not answer')), 40_000);
      this.#answers.push((body) => {
        clearTimeout(timer);
        resolve(body);
      });
    });
  }

  #receive(text: string): void {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf('\n\n'); end >= 0; end = this.#buffer.indexOf('\n\n')) {
      const head = this.#buffer.slice(0, end);
      const length = Number(/^Content-Length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (this.#buffer.length < end + 2 + length) return;
      const body = this.#buffer.slice(end + 2, end + 2 + length);
      this.#buffer = this.#buffer.slice(end + 2 + length);
      this.#answers.shift()?.(length > 0 ? body : head);
    }
  }
}
