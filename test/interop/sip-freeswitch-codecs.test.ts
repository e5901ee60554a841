// What a real FreeSWITCH does for calls, where FREESWITCH_HOST names one (see sip-freeswitch-real.test.ts): phones of codecs
// that the gateway has not, which FreeSWITCH plays itself; its conference between rooms; its loss and return.
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { EventSocket } from '#test/support/event-socket.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { TcpProxy } from '#test/support/tcp-proxy.ts';
import { toneLevel } from '#test/support/tone.ts';

const { FREESWITCH_HOST: host = '', FREESWITCH_ESL_PORT: port = '8021', FREESWITCH_ESL_PASSWORD } = process.env;
const { FREESWITCH_GATEWAY_HOST: address = '127.0.0.1', FREESWITCH_SIP_PORT: sipPort = '5080' } = process.env;
const password = FREESWITCH_ESL_PASSWORD ?? 'ClueCon';
const wait = { timeout: 30_000, interval: 100 };

if (host === '') {
  console.info('SIP: codecs, conference and loss of a real FreeSWITCH are left out; set FREESWITCH_HOST for them.');
}

describe.skipIf(host === '')('a real FreeSWITCH', () => {
  let gateway: TestGateway;
  let line: EventSocket;
  let proxy: TcpProxy;
  let server: { address: string; port: number };
  const opened: { close(): unknown }[] = [];

  const callsIn = async (room: string) => {
    const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', `/api/rooms/${room}/sipcalls`);
    return items.filter(({ state }) => state !== 'ended');
  };
  const call = async (room: string, toneHz: number) => {
    const phone = await SipCaller.call({ server, room, codec: 'pcma', toneHz });
    opened.push(phone);
    return phone.phone;
  };
  type Phone = Awaited<ReturnType<typeof call>>;
  const hears = (phone: Phone, toneHz: number) =>
    expect.poll(async () => toneLevel(await phone.hear(400), toneHz, 8_000), wait);

  beforeAll(async () => {
    line = await EventSocket.open({ host, port: Number(port), password });
    proxy = await TcpProxy.start(`http://${host}:${port}`);
    gateway = await startGateway({
      sip: {
        ...{ isEnabled: true, access: 'open', media: 'freeswitch', hosts: [address] },
        freeswitch: { host: '127.0.0.1', port: Number(new URL(proxy.url).port), password, listenHost: address },
      },
      rtp: { listenAddress: address, firstPort: 42_600, lastPort: 42_699 },
    });
    for (const name of ['desk', 'other']) await gateway.app.rooms.create({ name, sip: { hasPrompts: false } });
    server = {
      address,
      port: gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp')?.port ?? 0,
    };
    const { freeSwitch } = gateway.app.sip;
    if (freeSwitch?.problem !== undefined) await once(freeSwitch.events, 'up');
  }, 60_000);

  afterEach(async () => {
    await line.api('hupall NORMAL_CLEARING');
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  afterAll(async () => {
    await gateway?.close();
    await proxy?.close();
    line?.close();
  });

  test.for([
    { name: 'G722', codec: 'g722', module: 'g.722' },
    { name: 'iLBC', codec: 'ilbc', module: 'ilbc' },
    { name: 'AMR', codec: 'amr', module: 'amr' },
    { name: 'AMR-WB', codec: 'amr-wb', module: 'amr-wb' },
    { name: 'G729', codec: 'g729', module: 'g.729' },
    { name: 'GSM', codec: 'gsm', module: 'gsm' },
    { name: 'OPUS', codec: 'opus', module: 'opus' },
  ])(
    'a phone that speaks $name and sends back what it hears is heard by one that speaks PCMA',
    { timeout: 60_000 },
    async (spoken, context) => {
      const { name, codec, module } = spoken;
      if (!(await line.codecs()).split('\n').some((row) => row.startsWith('codec,') && row.includes(module))) {
        context.skip(`this FreeSWITCH has no ${name}`);
      }
      const phone = await call('desk', 700);
      await hears(phone, 700).toBeLessThan(-60);
      // Both ways at once: its voice is the room's, in its own codec, and the room's is coded anew.
      await line.api(
        `originate {absolute_codec_string=${name},origination_caller_id_number=100}sofia/drachtio_mrf/sip:desk@${server.address}:${server.port} &echo`,
      );
      await hears(phone, 700).toBeGreaterThan(-30);
      expect(await callsIn('desk')).toEqual(
        expect.arrayContaining([expect.objectContaining({ codec, mediaServer: 'freeswitch', state: 'connected' })]),
      );
    },
  );

  test('a conference of its own is joined by two rooms with one leg each, and who is in them hears the others', async () => {
    const here = await call('desk', 700);
    const there = await call('other', 440);
    for (const room of ['desk', 'other']) {
      await gateway.api('POST', `/api/rooms/${room}/sipcalls?wait=20`, {
        ...{ to: `sip:conference-3000@${host}:${sipPort}`, displayName: 'Conference 3000' },
      });
    }
    await hears(here, 440).toBeGreaterThan(-35);
    await hears(there, 700).toBeGreaterThan(-35);
    expect((await line.api('conference 3000 list count')).trim()).toBe('2');
    // Nobody hears himself: the leg hears the room without itself, and the conference does as well.
    await hears(here, 700).toBeLessThan(-50);
    const bridged = (await callsIn('desk')).find(({ direction }) => direction === 'outbound');
    await gateway.api('DELETE', `/api/rooms/desk/sipcalls/${bridged?.id}`);
    await hears(here, 440).toBeLessThan(-60);
    await expect.poll(async () => (await line.api('conference 3000 list count')).trim(), wait).toBe('1');
  }, 90_000);

  test('its event socket that is lost ends the calls on it with the reason, refuses others, and is found again', async () => {
    const one = await SipCaller.call({ server, room: 'desk', codec: 'pcma', toneHz: 700 });
    opened.push({ close: () => one.phone.close() });
    const [{ id } = {}] = await callsIn('desk');
    const { freeSwitch } = gateway.app.sip;
    if (!freeSwitch) throw new Error('no FreeSWITCH');
    const down = once(freeSwitch.events, 'down');
    proxy.cut();
    await down;
    const read = () => gateway.api<SipCallResource>('GET', `/api/sip/calls/${id}`);
    await expect.poll(async () => (await read()).end?.reason, wait).toBe('media_lost');
    await expect(SipCaller.call({ server, room: 'desk', codec: 'pcma', toneHz: 440 })).rejects.toThrow(/503/);
    const up = once(freeSwitch.events, 'up', { signal: AbortSignal.timeout(30_000) });
    proxy.mend();
    await up;
    const phones = [await call('desk', 700), await call('desk', 440)] as const;
    await hears(phones[0], 440).toBeGreaterThan(-35);
    await hears(phones[1], 700).toBeGreaterThan(-35);
    // What the lost line had is not left behind in FreeSWITCH: two channels for each call.
    await expect.poll(async () => /(\d+) total/.exec(await line.api('show channels count'))?.[1], wait).toBe('4');
  }, 90_000);
});
