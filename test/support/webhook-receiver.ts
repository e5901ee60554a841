// A server that takes webhooks, remembers what it took and checks every signature by its own reading of Standard Webhooks.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TakenWebhook {
  readonly id: string;
  readonly attempt: number;
  readonly isReplay: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any event.
  readonly event: any;
}

export class WebhookReceiver {
  readonly taken: TakenWebhook[] = [];
  readonly events = new EventEmitter<{ taken: [] }>();
  /** Requests whose signature did not fit, or that came too late. */
  forged = 0;
  /** Requests at once, and the most there ever were. */
  busy = 0;
  maxBusy = 0;
  secret = '';
  /** What it answers; a promise that does not settle is a receiver that hangs. */
  answer: (taken: TakenWebhook) => number | Promise<number> = () => 204;
  readonly #host: string;
  #port = 0;
  #server: Server | undefined;

  /** @param host an address of loopback of its own, so that the port is still free when it comes back */
  constructor(host = `127.${pick()}.${pick()}.${pick()}`) {
    this.#host = host;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}/hooks`;
  }

  async open(): Promise<void> {
    const server = createServer((request, response) => void this.#take(request, response));
    server.listen(this.#port, this.#host);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Gone: connections are refused. */
  async shut(): Promise<void> {
    this.#server?.closeAllConnections();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** @throws Error when it has not taken so many within the time */
  async untilTaken(count: number, timeoutMs = 20_000): Promise<void> {
    const late = AbortSignal.timeout(timeoutMs);
    while (this.taken.length < count) {
      await once(this.events, 'taken', { signal: late }).catch(() => {
        throw new Error(`${this.taken.length} of ${count} webhooks came within ${timeoutMs} ms`);
      });
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.maxBusy = Math.max(this.maxBusy, ++this.busy);
    response.on('close', () => this.busy--);
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    if (!this.#isOurs(request, body)) this.forged++;
    const taken: TakenWebhook = {
      id: String(request.headers['webhook-id']),
      attempt: Number(request.headers['webhook-attempt']),
      isReplay: request.headers['webhook-replay'] === 'true',
      event: JSON.parse(body),
    };
    const status = await this.answer(taken);
    if (status >= 200 && status < 300) {
      this.taken.push(taken);
      this.events.emit('taken');
    }
    response.writeHead(status).end();
  }

  #isOurs({ headers }: IncomingMessage, body: string): boolean {
    const [id, timestamp] = [headers['webhook-id'], headers['webhook-timestamp']];
    if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) return false;
    const key = Buffer.from(this.secret.replace(/^whsec_/, ''), 'base64');
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
    return String(headers['webhook-signature'])
      .split(' ')
      .some((one) => {
        const [version, signature = ''] = one.split(',');
        const given = Buffer.from(signature, 'base64');
        return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
      });
  }
}

const pick = (): number => 2 + Math.floor(Math.random() * 250);
