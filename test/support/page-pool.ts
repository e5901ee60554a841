// Owns: pages of a browser that are used again: loading the same scripts into a new one takes as long as many a test.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';

export const usualViewport = { width: 1_280, height: 800 } as const;

const probeFile = fileURLToPath(new URL('./pages/meeting-probe.js', import.meta.url));

/** What tests ask a page by, as `probe` in it. */
export const addProbe = (page: Page) => page.addInitScript({ path: probeFile });

const idle = new WeakMap<Browser, Page[]>();
const ours = new WeakSet<Page>();

/** In a context of its own, with nothing kept of whoever had it before, and with the probe. */
export async function takePage(browser: Browser): Promise<Page> {
  return idle.get(browser)?.pop() ?? (await openPage(browser));
}

async function openPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: usualViewport });
  const page = await context.newPage();
  await addProbe(page);
  ours.add(page);
  return page;
}

/** Once: leaves what it shows, as by closing its tab. One that did not come from here, or is gone, is closed with its context. */
export async function givePageBack(page: Page): Promise<void> {
  const browser = page.context().browser();
  if (!browser || !ours.has(page)) return page.context().close();
  try {
    page.removeAllListeners();
    await page.evaluate('localStorage.clear(); sessionStorage.clear()');
    await page.goto('about:blank');
    await page.context().clearCookies();
    await page.setViewportSize(usualViewport);
    idle.set(browser, [...(idle.get(browser) ?? []), page]);
  } catch {
    // It has crashed, or its browser is closing.
    await page.context().close();
  }
}
