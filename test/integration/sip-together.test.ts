// Phones of every kind in one room, by whole calls: each codec, each SDES suite, IPv4 and IPv6, and a browser.
import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SipCaller, type SipCallerOptions } from '#test/support/sip-caller.ts';
import { dropouts, usualLevel } from '#test/support/tone.ts';
import { WebPhone } from '#test/support/web-phone.ts';

let gateway: TestGateway;
let browser: Browser;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', hosts: ['127.0.0.1', '::1'] },
    mix: { loudest: 8 },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_600, lastPort: 43_799 },
  });
  browser = await launchChromium();
  room = await gateway.app.rooms.open('demo');
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

async function call(options: Omit<SipCallerOptions, 'server' | 'room'>, address = '127.0.0.1'): Promise<SipCaller> {
  const point = gateway.app.sip.listenPoints.find(({ protocol, host }) => protocol === 'udp' && host === address);
  assert.ok(point, `no UDP on ${address}`);
  const caller = await SipCaller.call({ ...options, server: { address, port: point.port }, room: 'demo' });
  opened.push(caller);
  return caller;
}

interface Listener {
  readonly sampleRateHz: number;
  hear(ms: number): Promise<Int16Array>;
}

/**
 * Listens until each tone was at its level for 300 ms, the others at any time: what a busy machine does to clocks passes,
 * what is wrong stays. @returns the level nearest to what it is to be, of each
 */
async function levelsOf(listener: Listener, tones: readonly number[], wanted: readonly number[]): Promise<number[]> {
  const best = tones.map(() => Number.NEGATIVE_INFINITY);
  const off = (dbov: number, i: number) => Math.abs(dbov - (wanted[i] ?? 0));
  for (let attempt = 0; attempt < 60 && best.some((dbov, i) => off(dbov, i) > 2); attempt++) {
    const samples = await listener.hear(300);
    for (const [i, toneHz] of tones.entries()) {
      const dbov = usualLevel(samples, toneHz, listener.sampleRateHz);
      if (off(dbov, i) < off(best[i] ?? 0, i)) best[i] = dbov;
    }
  }
  return best;
}

/** Least share of gaps in a few stretches. */
async function gapsOf(listener: Listener, toneHz: number): Promise<number> {
  let least = 1;
  for (let attempt = 0; attempt < 8 && least > 0; attempt++) {
    least = Math.min(least, dropouts(await listener.hear(1_000), toneHz, listener.sampleRateHz));
  }
  return least;
}

test('PCMU, PCMA, G.722 and Opus, each SDES suite, IPv6 and a browser: all hear all others at their level, and never themselves', async () => {
  const callers = [
    await call({ codec: 'pcmu', toneHz: 400 }),
    await call({ codec: 'pcma', toneHz: 600, suite: 'AES_CM_128_HMAC_SHA1_80' }),
    await call({ codec: 'g722', toneHz: 800, suite: 'AES_CM_128_HMAC_SHA1_32' }),
    await call({ codec: 'opus', toneHz: 1_000, suite: 'AEAD_AES_128_GCM' }),
    await call({ codec: 'pcmu', toneHz: 1_200, suite: 'AES_CM_128_HMAC_SHA1_80' }, '::1'),
  ];
  const web = await WebPhone.open(browser, `${gateway.url.replace(/^http/, 'ws')}/sip`);
  opened.push(web);
  await web.do('call', { target: 'sip:demo@127.0.0.1', toneHz: 1_400, dbov: -20 });
  await web.until('confirmed');
  const infos = gateway.app.sip.callsOf(room.id).map(({ info }) => info);
  assert.deepEqual(
    infos.map(({ isEncrypted }) => isEncrypted),
    [false, true, true, true, true, true],
  );

  const listeners: readonly Listener[] = [...callers.map(({ phone }) => phone), web];
  const tones = [400, 600, 800, 1_000, 1_200, 1_400];
  // One after the other: a machine of two cores has enough to do with six voices.
  for (const [own, listener] of listeners.entries()) {
    const others = tones.filter((_, i) => i !== own);
    const levels = await levelsOf(
      listener,
      others,
      others.map(() => -20),
    );
    levels.forEach((dbov, i) => {
      assert.ok(Math.abs(dbov + 20) < 2, `${tones[own]} hears ${others[i]} at ${dbov.toFixed(1)} dBov`);
    });
    // Five other tones leak into windows of 20 ms, more so through Opus.
    const ownDbov = usualLevel(await listener.hear(600), tones[own] ?? 0, listener.sampleRateHz);
    assert.ok(ownDbov < -45, `${tones[own]} hears itself at ${ownDbov} dBov`);
    assert.ok((await gapsOf(listener, others[0] ?? 0)) <= 0.04, `${tones[own]} hears gaps`);
  }
}, 120_000);

test('through 5 % loss and 60 ms of jitter both ways, encrypted: level within 2 dB, lowered where asked, gaps in less than 8 % of the time', async () => {
  const network = { lossShare: 0.05, jitterMs: 60 };
  const far = await call({ codec: 'opus', toneHz: 700, suite: 'AES_CM_128_HMAC_SHA1_80', network });
  const near = await call({ codec: 'pcma', toneHz: 500 });
  await near.phone.hear(3_000);
  const [dbov = 0] = await levelsOf(near.phone, [700], [-20]);
  const gaps = await gapsOf(near.phone, 700);
  console.log(`through a bad network: ${dbov.toFixed(1)} dBov, gaps ${(gaps * 100).toFixed(1)} %`);
  assert.ok(Math.abs(dbov + 20) < 2 && gaps < 0.08);
  // The other way it is the phone that would have to conceal; what comes is what was sent, less what was lost.
  const [back = 0] = await levelsOf(far.phone, [500], [-20]);
  assert.ok(Math.abs(back + 20) < 2, `${back} dBov`);
  const { id } = gateway.app.sip.callsOf(room.id).at(-2)?.info ?? {};
  await gateway.api('PATCH', `/api/rooms/demo/sipcalls/${id}`, { gainDb: -10 });
  const [lowered = 0] = await levelsOf(near.phone, [700], [-30]);
  assert.ok(Math.abs(lowered + 30) < 2, `lowered to ${lowered} dBov`);
  // What a leg has seen is told every few seconds.
  const stats = () => gateway.app.sip.callsOf(room.id).at(-2)?.info.stats;
  await expect.poll(() => stats()?.packetsLost, { timeout: 15_000 }).toBeGreaterThan(5);
  assert.ok((stats()?.meanOpinionScore ?? 5) < 4.2, JSON.stringify(stats()));
  assert.equal(stats()?.packetsRejected, 0);
}, 60_000);
