// Owns: pages of a browser that are used again: loading the same scripts into a new one takes as long as many a test.
import type { Browser, Page } from 'playwright-core';

export const usualViewport = { width: 1_280, height: 800 } as const;

const idle = new WeakMap<Browser, Page[]>();
const pooled = new WeakSet<Page>();

/** In a context of its own, with nothing kept of whoever had it before. @param prepare of one that is new */
export async function takePage(browser: Browser, prepare: (page: Page) => Promise<void>): Promise<Page> {
  const known = idle.get(browser)?.pop();
  if (known) return known;
  const context = await browser.newContext({ viewport: usualViewport });
  const page = await context.newPage();
  await prepare(page);
  pooled.add(page);
  return page;
}

/** Leaves what it shows, as by closing its tab; one that did not come from here, or is gone, is closed with its context. */
export async function givePageBack(page: Page): Promise<void> {
  const browser = page.context().browser();
  if (!browser || !pooled.has(page) || page.isClosed()) {
    await page.context().close();
    return;
  }
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
