// Owns: a real Chromium for tests, and the call of functions that a page has defined.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

/** Loopback only, no devices, no sandbox (containers have none), nothing that calls home. */
const args = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Pictures are encoded in software, which costs more than all else: ten a second show whether they flow.
  '--use-fake-device-for-media-stream=fps=10',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // Pages that are not in front must go on painting.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });

/** A page that holds test/support/pages/webrtc-peers.js, loaded from a server that serves it at `/peers`. */
export class PeersPage {
  readonly page: Page;
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  /** @param prepare puts in place what the server does not serve */
  static async open(
    browser: Browser,
    url: string,
    prepare?: (context: BrowserContext) => Promise<void>,
  ): Promise<PeersPage> {
    const context = await browser.newContext();
    await prepare?.(context);
    const peers = new PeersPage(await context.newPage());
    await peers.page.goto(`${url}/peers`);
    return peers;
  }

  /** @returns what the page's function of that name resolved to; its shape is the caller's to know */
  async call<T = unknown>(name: string, options: Record<string, unknown> = {}): Promise<T> {
    return (await this.page.evaluate(
      ([name, options]) => {
        const functions = Reflect.get(globalThis, 'peers') as Record<string, (options: unknown) => unknown>;
        const call = functions[name as string];
        if (!call) throw new Error(`the page has no ${String(name)}`);
        return call(options);
      },
      [name, options] as const,
    )) as T;
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}
