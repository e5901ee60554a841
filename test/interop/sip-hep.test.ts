// What can be seen of a call's messages: copies of them at a HEP collector, and the ladder of the API, on a whole gateway.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, test } from 'vitest';
import type { SipCallMessages, SipCallResource } from '#api/contract.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { readHep } from '#test/support/hep.ts';
import { ack, bye, invite, pause, recv, sipp } from '#test/support/sipp.ts';

const captureId = 4_711;
const password = 'collect-me';
let gateway: TestGateway;
let collector: Socket;
const packets: Buffer[] = [];

/** HEPv3 as a collector reads it. */
interface Copy {
  readonly source: string;
  readonly target: string;
  readonly chunks: ReadonlyMap<number, Buffer>;
  readonly text: string;
}

function read(packet: Buffer): Copy {
  const chunks = readHep(packet);
  const end = (address: number, port: number) =>
    `${[...(chunks.get(address) ?? [])].join('.')}:${chunks.get(port)?.readUInt16BE()}`;
  return { source: end(3, 7), target: end(4, 8), chunks, text: chunks.get(15)?.toString() ?? '' };
}

beforeAll(async () => {
  collector = createSocket('udp4');
  collector.on('message', (packet) => packets.push(packet));
  collector.bind(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', hep: { host: '127.0.0.1', port, captureId, password } },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_700, lastPort: 43_799 },
  });
  await gateway.app.phones.mixOf(await gateway.app.rooms.open('demo'));
}, 150_000);
afterAll(async () => {
  await gateway.close();
  collector.close();
});

test('a call arrives at the collector message by message, and its ladder in the API says the same', async () => {
  const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const here = `127.0.0.1:${point?.port}`;
  const startedAtSec = Math.floor(Date.now() / 1_000);
  const trying = [recv(100, { optional: true }), recv(180, { optional: true })];
  const scenario = [invite(), ...trying, recv(200, { rrs: true }), ack(), pause(100), bye(), recv(200)].join('\n');
  await sipp({ target: here, service: 'demo', scenario });

  const expected = ['INVITE', '200', 'ACK', 'BYE', '200'];
  const titleOf = (text: string) => /^(?:SIP\/2\.0 )?(\S+)/.exec(text)?.[1] ?? '';
  // Where the machine is busy the phone is told meanwhile that it is tried, and that it rings.
  const isMeanwhile = (title: string) => title === '100' || title === '180';
  const titles = () => packets.map((packet) => titleOf(read(packet).text));
  const final = () => titles().filter((title) => !isMeanwhile(title));
  while (final().length < expected.length) await once(collector, 'message');
  const copies = packets.map(read);
  assert.deepEqual(final(), expected);
  for (const { source, target, chunks, text } of copies) {
    const isOurs = text.startsWith('SIP/2.0');
    assert.equal(isOurs ? source : target, here);
    assert.notEqual(isOurs ? target : source, here);
    assert.deepEqual([chunks.get(1)?.[0], chunks.get(2)?.[0], chunks.get(11)?.[0]], [2, 17, 1]);
    assert.equal(chunks.get(12)?.readUInt32BE(), captureId);
    assert.equal(chunks.get(14)?.toString(), password);
    const atSec = chunks.get(9)?.readUInt32BE() ?? 0;
    assert.ok(atSec >= startedAtSec && atSec <= Date.now() / 1_000, `${atSec} from ${startedAtSec}`);
  }
  // Whole messages: the offer and our answer are in them.
  assert.match(copies[0]?.text ?? '', /\r\n\r\nv=0[\s\S]*m=audio \d+ RTP\/AVP 0/);
  const answer = copies.find(({ text }) => titleOf(text) === '200');
  assert.match(answer?.text ?? '', /\r\n\r\nv=0[\s\S]*m=audio 43[67]\d\d RTP\/AVP 0/);

  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?room=demo');
  const ladder = await gateway.api<SipCallMessages>('GET', `/api/sip/calls/${items[0]?.id}/messages`);
  assert.deepEqual(
    ladder.messages.map(({ title }) => titleOf(title)),
    titles(),
  );
  assert.deepEqual(
    ladder.messages.map(({ direction }) => direction),
    copies.map(({ text }) => (text.startsWith('SIP/2.0') ? 'out' : 'in')),
  );
  assert.ok(ladder.messages.every(({ local }) => local === here));
  assert.match(ladder.messages[0]?.text ?? '', /m=audio \d+ RTP\/AVP 0/);
});
