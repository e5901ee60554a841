// Phones whose media a real FreeSWITCH has, where the environment names one: FREESWITCH_HOST, FREESWITCH_ESL_PORT,
// FREESWITCH_ESL_PASSWORD; FREESWITCH_GATEWAY_HOST is our address as FreeSWITCH reaches it.
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { LinearPhone } from '#test/support/linear-phone.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { type LinkApp, startLink } from '#test/support/sip-link-app.ts';
import { toneLevel } from '#test/support/tone.ts';

const { FREESWITCH_HOST: host, FREESWITCH_ESL_PORT: port = '8021', FREESWITCH_ESL_PASSWORD: password } = process.env;
const { FREESWITCH_GATEWAY_HOST: address = '127.0.0.1' } = process.env;
if (!host) {
  console.info(
    'SIP: tests on a real FreeSWITCH are left out; set FREESWITCH_HOST, FREESWITCH_ESL_PORT and FREESWITCH_ESL_PASSWORD for them.',
  );
}

describe.skipIf(!host)('a real FreeSWITCH', () => {
  let gateway: TestGateway;
  let link: LinkApp;
  let server: { address: string; port: number };
  const opened: { close(): unknown }[] = [];
  const wait = { timeout: 20_000, interval: 50 };
  const calls = async () => {
    const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/rooms/desk/sipcalls');
    return items.filter(({ state }) => state !== 'ended');
  };
  const call = async (toneHz: number) => {
    const phone = await SipCaller.call({ server, room: 'desk', codec: 'pcma', toneHz });
    opened.push(phone);
    return phone.phone;
  };

  beforeAll(async () => {
    gateway = await startGateway({
      sip: {
        ...{ isEnabled: true, access: 'open', media: 'freeswitch', hosts: [address] },
        freeswitch: { host: host ?? '', port: Number(port), password: password ?? 'ClueCon', listenHost: address },
      },
      rtp: { listenAddress: address, firstPort: 42_800, lastPort: 42_899 },
    });
    await gateway.app.rooms.create({ name: 'desk', sip: { hasPrompts: false } });
    const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
    server = { address, port: point?.port ?? 0 };
    link = await startLink('embedded');
    const { freeSwitch } = gateway.app.sip;
    if (freeSwitch?.problem !== undefined) await once(freeSwitch.events, 'up');
  }, 60_000);

  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  afterAll(async () => {
    await gateway.close();
    await link.close();
  });

  test('two phones hear each other, with keys and mute', async () => {
    const one = await call(700);
    const other = await call(440);
    await expect.poll(async () => toneLevel(await one.hear(400), 440, 8_000), wait).toBeGreaterThan(-35);
    await expect.poll(async () => toneLevel(await other.hear(400), 700, 8_000), wait).toBeGreaterThan(-35);
    expect(await calls()).toMatchObject([
      { codec: 'pcma', mediaServer: 'freeswitch' },
      { codec: 'pcma', mediaServer: 'freeswitch' },
    ]);
    one.press('42');
    await expect.poll(async () => (await calls()).map(({ digits }) => digits).join(''), wait).toBe('42');
    const { id } = (await calls()).find(({ digits }) => digits === '42') as SipCallResource;
    await gateway.api('PATCH', `/api/rooms/desk/sipcalls/${id}`, { isMuted: true });
    await expect.poll(async () => toneLevel(await other.hear(400), 700, 8_000), wait).toBeLessThan(-60);
  }, 60_000);

  test('a codec that the gateway has not, hold by the phone, and the call of a room', async () => {
    const phone = await LinearPhone.open(700);
    opened.push(phone);
    const dialog = await phone.call(link, `sip:desk@${address}:${server.port}`);
    const other = await call(440);
    await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);
    await expect.poll(async () => toneLevel(await other.hear(400), 700, 8_000), wait).toBeGreaterThan(-35);
    const held = await dialog.reinvite(phone.sdp('sendonly'));
    expect(held.status).toBe(200);
    await expect.poll(async () => (await calls()).some(({ isHeldByPeer }) => isHeldByPeer), wait).toBe(true);
    // Music of FreeSWITCH is not to be heard in the room.
    await expect.poll(async () => toneLevel(await other.hear(400), 700, 8_000), wait).toBeLessThan(-60);
    expect((await dialog.reinvite(phone.sdp())).status).toBe(200);
    await expect.poll(() => phone.level(440), wait).toBeGreaterThan(-35);
    await dialog.bye();
  }, 60_000);
});
