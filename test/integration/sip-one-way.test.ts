// Phones whose first offer goes one way or none, and that speak later: music on hold of a PBX that calls, phones that wait.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { answered, byeComes, callWithPhone, phoneSdp, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { ack, invite, pause, recv, startSipp } from '#test/support/sipp.ts';
import { toneLevel } from '#test/support/tone.ts';

let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_600, lastPort: 42_699 },
  });
  await gateway.app.rooms.create({ name: 'desk' });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

const hears = async (phone: PhonePeer, toneHz: number, is: (dbov: number) => boolean) => {
  for (let i = 0; i < 40; i++) if (is(toneLevel(await phone.hear(400), toneHz, phone.sampleRateHz))) return;
  assert.fail(`${toneHz} Hz is not heard as it is to be.`);
};
const hangUpAll = async () => {
  for (const { id } of [...gateway.app.sip.live]) await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${id}`);
};

test.each(['sendonly', 'inactive'])(
  'a phone that comes %s and then speaks both ways is heard and hears',
  async (direction) => {
    const other = await callWithPhone(gateway, 'desk', byeComes('hung_up'), { toneHz: 440 });
    const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 700, levelDbov: -20 });
    opened.push(other, phone);
    const port = phone.parameters().remotePort;
    const again = invite({ body: phoneSdp(port), cseq: 2, isInDialog: true, uri: '[next_url]', headers: ['[routes]'] });
    const scenario = [
      ...[invite({ body: phoneSdp(port, direction) }), answered, pause(500)],
      ...[again, recv(100, { optional: true }), recv(200), ack(2), byeComes('hung_up')],
    ];
    const run = startSipp({
      target: sipAddressOf(gateway),
      service: 'desk',
      scenario: scenario.join('\n'),
      timeoutSec: 60,
    });
    await expect.poll(() => gateway.app.phones.legs.size, { timeout: 20_000 }).toBe(2);
    phone.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
    await hears(phone, 440, (dbov) => dbov > -35);
    await hears(other.phone, 700, (dbov) => dbov > -35);
    await hangUpAll();
    await Promise.all([run.done, other.run.done]);
  },
  90_000,
);
