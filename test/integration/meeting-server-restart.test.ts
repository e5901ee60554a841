import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { App } from '../../src/app.ts';
import { launchChromium } from '../support/chromium.ts';
import { adminKey } from '../support/gateway.ts';
import { KeepingLog } from '../support/keeping-log.ts';
import { MeetingPeer } from '../support/meeting-peer.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

test('a server that drains and starts again gets its guests back by themselves', async () => {
  const data = await mkdtemp(join(tmpdir(), 'switchyard-restart-'));
  const config = configSchema.parse({
    data,
    http: { host: '127.0.0.1', port: 0 },
    https: { isEnabled: false },
    metrics: { isEnabled: false },
    auth: { adminKey },
    sip: { isEnabled: false },
    sfu: { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] },
  });
  const start = async () => {
    const app = await App.create(config, new KeepingLog());
    return { app, url: app.addresses.http ?? '' };
  };
  const token = async (url: string, user: string) => {
    const response = await fetch(`${url}/api/rooms/demo/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user, role: 'presenter' }),
    });
    return ((await response.json()) as { token: string }).token;
  };
  let gateway = await start();
  const proxy = await TcpProxy.start(gateway.url);
  const browser = await launchChromium();
  try {
    const peers = await Promise.all(
      ['Ada', 'Grace'].map(async (name) => {
        const link = `${proxy.url}/r/demo#token=${await token(gateway.url, name)}`;
        const peer = await MeetingPeer.open(browser, link, { name });
        await peer.at('join').click();
        await peer.at('room').waitFor();
        return peer;
      }),
    );
    const [ada, grace] = peers as [MeetingPeer, MeetingPeer];
    await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
    await gateway.app.drain(100);
    await gateway.app.close('drained');
    proxy.cut();
    await Promise.all(peers.map((peer) => peer.at('reconnect-banner').waitFor()));
    gateway = await start();
    proxy.mend(gateway.url);
    await Promise.all(peers.map((peer) => peer.at('reconnect-banner').waitFor({ state: 'detached' })));
    await Promise.all([ada.seesFrames('Grace'), grace.seesFrames('Ada')]);
    await Promise.all([ada.hears('Grace'), grace.hears('Ada')]);
    expect(peers.flatMap(({ errors }) => errors)).toEqual([]);
  } finally {
    await browser.close();
    await proxy.close();
    await gateway.app.close();
    await rm(data, { recursive: true, force: true });
  }
});
