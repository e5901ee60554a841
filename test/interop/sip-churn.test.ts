// Phones that come and go leave nothing: no dialog, leg, port, transaction, timer or connection. `bench/sip-calls.ts` is longer.
import assert from 'node:assert/strict';
import { afterAll, beforeAll, test } from 'vitest';
import { churn, churnRtp, leftoversOf, settled } from '#test/support/call-churn.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';

const calls = Number(process.env.SIP_CHURN_CALLS ?? 150);
let gateway: TestGateway;
const warnings: string[] = [];
const note = (warning: Error): void => void warnings.push(warning.message);

beforeAll(async () => {
  process.on('warning', note);
  gateway = await startGateway({
    // Transactions are forgotten after 64 of these.
    sip: { isEnabled: true, access: 'open', timers: { t1Ms: 100 }, limits: { messagesPerSecond: 0 } },
    rtp: churnRtp,
  });
  const room = await gateway.app.rooms.open('demo');
  await gateway.app.phones.mixOf(room);
}, 150_000);
afterAll(async () => {
  await gateway.close();
  process.off('warning', note);
});

test(
  `${calls} calls leave nothing behind`,
  async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    let mostPorts = 0;
    const look = setInterval(() => {
      mostPorts = Math.max(mostPorts, leftoversOf(gateway).ports);
    }, 100);
    const residentBefore = process.memoryUsage.rss();
    await churn(gateway, calls, 25).finally(() => clearInterval(look));
    console.log(
      `resident memory: ${((process.memoryUsage.rss() - residentBefore) / calls / 1e3).toFixed(1)} kB a call`,
    );
    assert.ok(mostPorts > 0, 'calls hold ports while they are on');
    const left = await settled(gateway, 60_000);
    assert.deepEqual(
      Object.entries(left).filter(([, count]) => count !== 0),
      [],
      JSON.stringify(leftoversOf(gateway)),
    );
    assert.deepEqual(
      warnings.filter((each) => /SIP|teardown|MaxListeners/.test(each)),
      [],
    );
    assert.ok(timers() <= before + 20, `${before} timers before, ${timers()} after`);
  },
  300_000 + calls * 100,
);
