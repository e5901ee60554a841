// Owns: the client library in a page without any user interface, as somebody else's page would use it.
import type { Browser, Page } from 'playwright-core';
import { vi } from 'vitest';
import type { TestGateway } from './gateway.ts';
import { givePageBack, takePage } from './page-pool.ts';

const waitMs = 40_000;

export class ClientPage {
  readonly page: Page;
  readonly errors: string[] = [];
  #closed: Promise<void> | undefined;

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  /** Joined as `room` in the page; what the library exports is `client` there. */
  static async join(
    browser: Browser,
    gateway: TestGateway,
    options: { room: string; user: string; role?: string; connection?: string },
  ): Promise<ClientPage> {
    const client = new ClientPage(await takePage(browser));
    const token = await gateway.token(options);
    // Any page of the server will do, as what counts is its origin: this one loads nothing.
    await client.page.goto(`${gateway.url}/health`);
    await client.run(`(async () => {
      globalThis.client = await import('/assets/switchyard-client.js');
      globalThis.room = new client.RoomConnection({
        room: ${JSON.stringify(options.room)}, token: ${JSON.stringify(token)}, ...(${options.connection ?? '{}'}),
      });
      globalThis.received = [];
      room.events.on('data', (message) => received.push(message));
      await room.join();
    })()`);
    return client;
  }

  /** An expression of JavaScript, awaited. */
  run<T = unknown>(expression: string): Promise<T> {
    return this.page.evaluate<T>(expression);
  }

  async until(expression: string): Promise<void> {
    const holds = () => this.page.evaluate<boolean>(expression);
    await vi.waitUntil(holds, { timeout: waitMs, interval: 50 }).catch((cause: unknown) => {
      throw new Error(`waited in vain for: ${expression}`, { cause });
    });
  }

  /** Of no more use afterwards: its page may be somebody else's. */
  close(): Promise<void> {
    this.#closed ??= givePageBack(this.page);
    return this.#closed;
  }
}
