// Load that is really there, against limits that it really passes: what each door answers while it is shed, in order, and
// that everything is taken again when it is over.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { EventResource, ServerInfo } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { readSdp } from '#test/support/sdp-fixtures.ts';
import { Refusal, SignallingPeer } from '#test/support/signalling-peer.ts';

let gateway: TestGateway;
let browser: Browser;
/** An operator's, who looks at the server's page all the while. */
let operator: MeetingPeer;
let isWorking = false;

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_000, lastPort: 44_099 },
    // A busy neighbour makes timers late and takes no CPU of ours: only what we do ourselves is to count here.
    overload: {
      ...{ isEnabled: true, cpuPercent: 5, eventLoopDelayMs: 1e6 },
      ...{ checkIntervalMs: 300, stepAfterMs: 600, recoverAfterMs: 600 },
    },
  });
  browser = await launchChromium();
  operator = await MeetingPeer.open(browser, `${gateway.url}/console#/server`, { name: 'Operator' });
  await operator.at('api-key').fill(adminKey);
  await operator.at('sign-in-button').click();
  await operator.at('worker-row').first().waitFor();
}, 60_000);

afterAll(async () => {
  isWorking = false;
  await operator?.close();
  await browser?.close();
  await gateway?.close();
});

/** Takes CPU until it is told to stop; the loop turns in between. */
function beginWork(): void {
  isWorking = true;
  const turn = () => {
    const endsAtMs = performance.now() + 30;
    while (performance.now() < endsAtMs);
    if (isWorking) setImmediate(turn);
  };
  turn();
}

/** The steps of the node, as the log tells them from now on. */
async function followSteps(): Promise<() => Promise<EventResource>> {
  const response = await fetch(`${gateway.url}/api/events?type=node.overloaded,node.recovered`, {
    headers: { authorization: `Bearer ${adminKey}`, accept: 'text/event-stream' },
  });
  const text = response.body?.pipeThrough(new TextDecoderStream()) ?? [];
  const events = (async function* () {
    let kept = '';
    for await (const chunk of text) {
      const frames = (kept + chunk).split('\n\n');
      kept = frames.pop() ?? '';
      for (const frame of frames) {
        const [, data] = /^data: (.*)$/m.exec(frame) ?? [];
        if (data !== undefined) yield JSON.parse(data) as EventResource;
      }
    }
  })();
  return async () => (await events.next()).value as EventResource;
}

const states = () => gateway.app.media.describeWorkers().map(({ state }) => state);

const post = (path: string, body: unknown, type = 'application/json') =>
  fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

async function assertRefused(response: Response): Promise<void> {
  const problem = (await response.json()) as { code: string; detail: string };
  assert.equal(response.status, 503, JSON.stringify(problem));
  assert.equal(problem.code, 'overloaded');
  assert.match(problem.detail, /for the moment/);
  assert.ok(Number(response.headers.get('retry-after')) >= 1);
}

/** The first final answer to a request by UDP. */
async function sipAnswer(method: 'INVITE' | 'OPTIONS'): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const target = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const text = [
    `${method} sip:demo@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${method}${port};rport`,
    `From: <sip:caller@127.0.0.1>;tag=${port}`,
    'To: <sip:demo@127.0.0.1>',
    `Call-ID: ${method}-${port}`,
    `CSeq: 1 ${method}`,
    `Contact: <sip:caller@127.0.0.1:${port}>`,
    ...['Max-Forwards: 70', 'Content-Length: 0', '', ''],
  ].join('\r\n');
  socket.send(text, target?.port, '127.0.0.1');
  for (;;) {
    const [answer] = (await once(socket, 'message')) as [Buffer];
    if (/^SIP\/2\.0 1/.test(String(answer))) continue;
    socket.close();
    return String(answer);
  }
}

test('load is shed in order, each step said with its reason, every door answers 503, and all of it passes', async () => {
  const token = await gateway.token();
  const shedding = async () => (await gateway.api<ServerInfo>('GET', '/api/server')).load.shedding;
  // The console that looks on was work too, and so is asking: once a second, or on a slow machine it is never over.
  await vi.waitFor(async () => assert.deepEqual(await shedding(), []), { timeout: 20_000, interval: 1_000 });
  const { peer: early } = await SignallingPeer.join(gateway.webSocketUrl, { token });
  const nextStep = await followSteps();
  // Its own start was work too.
  await vi.waitFor(() => assert.deepEqual(states(), ['spare']), { timeout: 20_000 });
  let { load } = await gateway.api<ServerInfo>('GET', '/api/server');
  while (load.shedding.length > 0) load = (await nextStep()).data as unknown as ServerInfo['load'];
  beginWork();

  const first = await nextStep();
  assert.equal(first.type, 'node.overloaded');
  assert.deepEqual(first.data.shedding, ['jobs']);
  assert.match(String(first.data.reason), /^CPU \d+ % of its cores \(limit 5 %\)/);
  await assertRefused(await post('/api/rooms/demo/recording/start', {}));

  const second = await nextStep();
  assert.deepEqual(second.data.shedding, ['jobs', 'joins']);
  await assert.rejects(
    SignallingPeer.join(gateway.webSocketUrl, { token }),
    (error) => error instanceof Refusal && error.code === 'overloaded',
  );
  await assertRefused(await post('/whip/demo', readSdp('obs'), 'application/sdp'));
  for (const method of ['INVITE', 'OPTIONS'] as const) {
    const answer = await sipAnswer(method);
    assert.match(answer, /^SIP\/2\.0 503 /);
    assert.match(answer, /^Retry-After: [1-9]/im);
    assert.match(answer, /^Warning: 399 switchyard ".*for the moment/im);
  }
  await assertRefused(await post('/api/rooms/demo/sipcalls', { to: 'sip:nobody@127.0.0.1' }));
  assert.equal((await fetch(`${gateway.url}/hls/demo/index.m3u8?token=${token}`)).status, 503);

  const third = await nextStep();
  assert.deepEqual(third.data.shedding, ['jobs', 'joins', 'layers']);
  // Who is in stays in, and what was said before is said by everything that operators look at.
  assert.equal(early.socket.readyState, early.socket.OPEN);
  const ready = await fetch(`${gateway.url}/ready`);
  assert.equal(ready.status, 503);
  const said = (await ready.json()) as ServerInfo;
  assert.deepEqual(said.load.shedding, ['jobs', 'joins', 'layers']);
  expect(said.problems).toContainEqual({ part: 'load', message: expect.stringContaining('takes no new jobs') });
  const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
  const text = await metrics.text();
  for (const step of ['jobs', 'joins', 'layers'])
    assert.match(text, new RegExp(`switchyard_load_shedding{step="${step}"} 1`));
  assert.match(text, /switchyard_load_refusals_total{step="joins"} [1-9]/);

  const notice = operator.at('shedding');
  await notice.getByText('sends video in its lowest layer only').waitFor();
  const words = await notice.textContent();
  for (const step of ['starts no new jobs', 'takes no new participants and calls']) expect(words).toContain(step);
  expect(words).toMatch(/CPU \d+ % of its cores \(limit 5 %\)/);

  isWorking = false;
  for (const shedding of [['jobs', 'joins'], ['jobs'], []]) {
    const last = await nextStep();
    assert.equal(last.type, 'node.recovered');
    assert.deepEqual(last.data.shedding, shedding);
  }
  const { peer: late } = await SignallingPeer.join(gateway.webSocketUrl, { token });
  late.socket.close();
  early.socket.close();
  assert.match(await sipAnswer('OPTIONS'), /^SIP\/2\.0 200 /);
  await notice.waitFor({ state: 'detached' });
  await operator.at('ready').waitFor();
}, 60_000);

test('a server that is being shut down says so in the console, which stays there', async () => {
  const drained = gateway.app.drain(1_000);
  await operator.at('not-ready').getByText('takes nobody new').waitFor();
  await operator.at('nav-rooms').click();
  await operator.at('server-notice').getByText('being drained').waitFor();
  await drained;
  expect(operator.errors).toEqual([]);
}, 60_000);
