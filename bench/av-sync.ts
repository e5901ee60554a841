// How far sound and picture of a source are apart in a browser, from its first second on, and how long it keeps each.
//
//   node scripts/run.mjs node bench/av-sync.ts [rtmp | rtsp-tcp | rtsp-udp, default rtmp] [seconds, default 30] [smooth | low]
//
// ffmpeg pushes flashes and beeps to a whole gateway; Chromium plays the room by WHEP, and again when the first has been
// there for a while, since who joins later begins anew. Printed each second: beep after flash, in milliseconds.
import type { NewStreamKeyResource, ParticipantResource } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { startGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { obsEncoding, openViewerPage, testInputs } from '#test/support/test-picture.ts';

const [way = 'rtmp', secondsText = '30', latency = 'smooth'] = process.argv.slice(2);
const seconds = Number(secondsText);
const [protocol = 'rtmp', transport = 'tcp'] = way.split('-');
const room = 'demo';

const gateway = await startGateway();
const browser = await launchChromium();
const page = await openViewerPage(browser, gateway.url);
const key = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', {
  ...{ room, name: 'OBS', protocol, latency },
});
const format = protocol === 'rtsp' ? ['-f', 'rtsp', '-rtsp_transport', transport] : ['-f', 'flv'];
const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), ...format, key.url]);
for (;;) {
  const path = `/api/rooms/${room}/participants`;
  const { items } = await gateway.api<{ items: ParticipantResource[] }>('GET', path);
  if (items[0]?.streams.length === 2) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
for (const viewer of ['first', 'later']) {
  const { handle } = await page.call<{ handle: string }>('play', { url: `${gateway.url}/whep/${room}`, token });
  const seen = await page.call<{ offsetsMs: number[] }>('observeFor', { handle, seconds });
  const keptMs = await page.call<Record<string, number>>('keptMs', { handle });
  console.log(
    `${way} ${latency}, ${viewer} viewer: ${seen.offsetsMs.map(Math.round).join(' ')}; kept ${JSON.stringify(keptMs)}`,
  );
  await page.call('leave', { handle });
}
await encoder.stop('SIGKILL');
await browser.close();
await gateway.close();
process.exit();
