// Owns: a browser as a SIP phone: JsSIP over WebSocket in a real Chromium.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { vi } from 'vitest';

const entry = fileURLToPath(new URL('pages/web-phone.js', import.meta.url));
let bundle: Promise<string> | undefined;

async function bundled(): Promise<string> {
  const lib = { entry, formats: ['iife' as const], name: 'webPhone' };
  const output = await build({ configFile: false, logLevel: 'error', build: { lib, write: false, minify: false } });
  const [first] = Array.isArray(output) ? output : [];
  const chunk = first?.output.find(({ type }) => type === 'chunk');
  if (chunk?.type !== 'chunk') throw new Error('the phone could not be bundled');
  return chunk.code;
}

export interface WebPhoneEvent {
  readonly name: string;
  readonly originator?: string;
  readonly cause?: string;
}

export interface WebPhoneSight {
  readonly width: number;
  readonly height: number;
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  /** Shown so far. */
  readonly frames: number;
}

export class WebPhone {
  readonly page: Page;
  readonly sampleRateHz = 48_000;
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  /** @param server `ws://…/sip` or `wss://…/sip`; its host is where the page is from, too */
  static async open(browser: Browser, server: string, uri = 'sip:web@127.0.0.1'): Promise<WebPhone> {
    bundle ??= bundled();
    const content = await bundle;
    const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
    const phone = new WebPhone(await context.newPage());
    // A page that does not come from this machine may not connect to it; any page of the server will do.
    await phone.page.goto(new URL('/r/demo', server.replace(/^ws/, 'http')).href);
    await phone.page.addScriptTag({ content });
    await phone.do('start', { server, uri });
    return phone;
  }

  /** @returns what the page's function of that name resolved to; its shape is the caller's to know */
  async do<T = unknown>(name: string, options: Record<string, unknown> = {}): Promise<T> {
    return (await this.page.evaluate(
      ([name, options]) => {
        const functions = Reflect.get(globalThis, 'phone') as Record<string, (options: unknown) => unknown>;
        return functions[name as string]?.(options);
      },
      [name, options] as const,
    )) as T;
  }

  async until(name: string): Promise<WebPhoneEvent> {
    let events: WebPhoneEvent[] = [];
    const find = async () => {
      events = await this.do<WebPhoneEvent[]>('events');
      return events.find((event) => event.name === name);
    };
    try {
      return (await vi.waitUntil(find, { timeout: 40_000, interval: 50 })) as WebPhoneEvent;
    } catch (cause) {
      throw new Error(`no "${name}" but ${JSON.stringify(events)}, errors ${this.errors.join()}`, { cause });
    }
  }

  /** Forgets, and waits until it has heard so much anew: 48 kHz. */
  async hear(ms: number): Promise<Int16Array> {
    await this.do('clear');
    await vi.waitUntil(async () => (await this.do<number>('heardMs')) >= ms, { timeout: 15_000 + ms, interval: 50 });
    const bytes = Uint8Array.from(Buffer.from(await this.do<string>('samples'), 'base64'));
    return new Int16Array(bytes.buffer);
  }

  /** Half way down what it is shown, at this part of its width; '' before the first picture, its numbers where it is none of these. */
  async seenColor(at = 0.5): Promise<string> {
    const seen = await this.do<WebPhoneSight | undefined>('seen', { at });
    if (!seen) return '';
    const { red, green, blue } = seen;
    if (red > 180 && green < 90 && blue < 90) return 'red';
    if (blue > 180 && green < 90 && red < 90) return 'blue';
    if (green > 80 && red < 90 && blue < 90) return 'green';
    return `${red} ${green} ${blue}`;
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}
