import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { defaultTransportLimits } from '#gateways/sip/server/index.ts';
import { rfc4475, rfc5118 } from '#test/support/sip-torture.ts';
import { ack, bye, invite, recv, sipp } from '#test/support/sipp.ts';
import { type AppUnderTest, installBehaviours, startApp } from '#test/support/sipp-app.ts';

let app: AppUnderTest;
const warnings: string[] = [];
const note = (warning: Error): void => void warnings.push(warning.message);

beforeAll(async () => {
  process.on('warning', note);
  app = await startApp('embedded', { limits: { ...defaultTransportLimits, messagesPerSecond: 0 } });
  installBehaviours(app, () => 'sip:127.0.0.1:1');
});
afterAll(async () => {
  await app.close();
  process.off('warning', note);
});

const seeds = [...rfc4475, ...rfc5118].map(({ bytes }) => bytes);
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.integer({ min: 0, max: 9999 }),
    fc.integer({ min: 0, max: 30 }),
    fc.string({ unit: 'binary', maxLength: 6 }),
  )
  .map(([seed, at, remove, insert]) => {
    const start = Math.floor((at / 10_000) * seed.length);
    return Buffer.concat([seed.subarray(0, start), Buffer.from(insert), seed.subarray(start + remove)]);
  });

async function stillAnswers(): Promise<void> {
  const scenario = [invite(), recv(100, { optional: true }), recv(200, { rrs: true }), ack(), bye(), recv(200)].join(
    '\n',
  );
  await sipp({ target: app.sip, service: 'answer', scenario });
  assert.equal(app.server?.stats.internalErrors, 0);
  assert.deepEqual(
    warnings.filter((each) => /SIP|teardown/.test(each)),
    [],
  );
}

test('2000 mutated torture messages over UDP leave server and application answering', async () => {
  const [host = '', port = ''] = app.sip.split(':');
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let refused = 0;
  socket.on('message', () => refused++);
  for (const bytes of fc.sample(mutated, 2000)) {
    await new Promise((resolve) => socket.send(bytes.subarray(0, 60_000), Number(port), host, resolve));
  }
  await stillAnswers();
  assert.ok(refused > 500, `${refused} were answered`);
  socket.close();
});

test('300 mutated streams over TCP leave no connection behind', async () => {
  const [host = '', port = ''] = app.sip.split(':');
  for (const bytes of fc.sample(mutated, 300)) {
    const socket = connect(Number(port), host);
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(bytes);
    await once(socket, 'close');
  }
  await stillAnswers();
  assert.equal(app.server?.stats.connections, 0);
});
