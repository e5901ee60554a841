// The documentation in a real browser: whether a content security policy fits a page only the browser can say.
import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { HttpListener } from '#api/http-listener.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { usualLimits } from '#test/support/client-limits.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someApi } from '#test/support/some-api.ts';

test('/docs shows every operation, breaks no policy and calls nobody else', async () => {
  const { app, contract } = await someApi();
  const listener = await HttpListener.listen({
    host: '127.0.0.1',
    port: 0,
    setting: 'http.port',
    fetch: app.fetch,
    maxConnections: 100,
    limits: usualLimits,
    log: new KeepingLog(),
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const hosts = new Set<string>();
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) =>
      hosts.add(new URL(request.url()).protocol === 'data:' ? 'data' : new URL(request.url()).host),
    );
    await page.goto(`http://127.0.0.1:${listener.address.port}/docs`);
    await page.locator('.opblock').first().waitFor();
    // Of many, the page holds those that are in sight.
    const seen = new Set<string>();
    while (seen.size < contract.routes.length) {
      const ids = await page.locator('.opblock').evaluateAll((blocks) => blocks.map(({ id }) => id));
      for (const id of ids) seen.add(id);
      await page.mouse.wheel(0, 300);
    }
    assert.equal(seen.size, contract.routes.length);
    assert.deepEqual(complaints, []);
    hosts.delete('data');
    assert.deepEqual([...hosts], [`127.0.0.1:${listener.address.port}`]);
  } finally {
    await browser.close();
    await listener.close();
  }
}, 120_000);
