// What Chromium shows and plays of encoders and cameras, watched for a while: whether sound and picture are in step, and
// what of the sound it makes up.
//
//   node scripts/run.mjs node bench/ingress-watch.ts [seconds, default 60] [sources, default all: rtmp,camera-h264-udp …]
//
// A whole gateway in this process; each source encodes in real time, two at a time, each in a room of its own: more are too
// much for two cores, and the machine must have nothing else to do. Ends with 1 when one of them is out of step. What of it
// does not depend on the machine is a test: test/integration/ingress-in-step.test.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { launchChromium } from '#test/support/chromium.ts';
import { startGateway } from '#test/support/gateway.ts';
import { IngressSources, type SourceName, sourceNames } from '#test/support/ingress-sources.ts';
import { disorders, openViewerPage, watchFor } from '#test/support/test-picture.ts';

const seconds = Number(process.argv[2] ?? 60);
/** From the start of a source until its sound and picture are in the room. */
const startMs = 30_000;
const wanted = process.argv[3]?.split(',') ?? sourceNames;
const names = sourceNames.filter((name) => wanted.includes(name));

const gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] } });
const sources = new IngressSources(gateway);
const browser = await launchChromium();
const page = await openViewerPage(browser, gateway.url);

/** @returns what is wrong with it */
async function watch(room: SourceName): Promise<string[]> {
  await gateway.api('POST', '/api/rooms', { name: room });
  await sources.start(room);
  const streams = () => gateway.api<{ items: unknown[] }>('GET', `/api/rooms/${room}/streams`);
  for (const endsAtMs = Date.now() + startMs; (await streams()).items.length < 2; await sleep(50)) {
    if (Date.now() > endsAtMs) return [`${room}: not in its room after ${startMs / 1_000} s`];
  }
  const token = await gateway.token({ room, user: 'viewer', role: 'viewer' });
  const { handle } = await page.call<{ handle: string }>('play', { url: `${gateway.url}/whep/${room}`, token });
  await page.call('sees', { handle, color: 'green' });
  await page.call('hears', { handle, hz: 440 });
  const { numbers, medianOffsetMs, concealedShare } = await watchFor(seconds, page, handle, room);
  await page.call('leave', { handle });
  return [
    ...(Math.abs(medianOffsetMs) < 60 ? [] : [`${room}: beep after flash by ${Math.round(medianOffsetMs)} ms`]),
    ...(concealedShare < 0.1 ? [] : [`${room}: ${Math.round(100 * concealedShare)} % of the sound made up`]),
    ...(disorders(numbers) === 0 ? [] : [`${room}: pictures out of order`]),
    ...(numbers.length > 10 * seconds ? [] : [`${room}: ${numbers.length} pictures only`]),
  ];
}

const faults: string[] = [];
for (let n = 0; n < names.length; n += 2) {
  const pair = names.slice(n, n + 2);
  faults.push(...(await Promise.all(pair.map(watch))).flat());
  await sources.stop();
  for (const name of pair) await gateway.api('DELETE', `/api/rooms/${name}`);
}
await browser.close();
await gateway.close();
console.log(faults.length === 0 ? `${names.length} sources in step` : faults.join('\n'));
process.exit(faults.length === 0 ? 0 : 1);
