import assert from 'node:assert/strict';
import { afterEach, test } from 'vitest';
import { defaultSipServerOptions } from '#gateways/sip/server/index.ts';
import { type DnsRecord, DnsServer } from '#test/support/dns-server.ts';
import { freePort, whenListening } from '#test/support/ports.ts';
import { recvRequest, response, type SippTransport, sdpOf, startSipp } from '#test/support/sipp.ts';
import { type AppUnderTest, sdp, startApp } from '#test/support/sipp-app.ts';

const answered = [
  recvRequest('INVITE'),
  response('200 OK', { body: sdpOf(), retransMs: 500 }),
  recvRequest('ACK'),
  recvRequest('BYE'),
  response('200 OK', { tag: false }),
].join('\n');
const unavailable = [
  recvRequest('INVITE'),
  response('503 Service Unavailable', { retransMs: 500 }),
  recvRequest('ACK'),
].join('\n');
const here: DnsRecord = { type: 'A', address: '127.0.0.1' };
const srv = (priority: number, port: number, target = 'host.test'): DnsRecord => ({
  type: 'SRV',
  priority,
  weight: 1,
  port,
  target,
});

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  cleanups = [];
});

async function peer(
  scenario: string,
  transport: SippTransport = 'udp',
): Promise<{ port: number; done: Promise<void> }> {
  const port = await freePort();
  const run = startSipp({ scenario, localPort: port, transport });
  cleanups.push(run.stop);
  if (transport === 'tcp') await whenListening(port);
  return { port, done: run.done };
}

async function appWith(records: Record<string, DnsRecord[]>): Promise<{ app: AppUnderTest; dns: DnsServer }> {
  const dns = await DnsServer.create({ 'host.test': [here], ...records });
  const locator = { ...defaultSipServerOptions.locator, dnsServers: [dns.address] };
  const app = await startApp('embedded', { locator, failoverMs: 700 });
  cleanups.push(
    () => app.close(),
    () => dns.close(),
  );
  return { app, dns };
}

test('SRV decides host and port, in the order of priority', async () => {
  const { port, done } = await peer(answered);
  const { app, dns } = await appWith({ 'example.test': [], '_sip._udp.example.test': [srv(10, port), srv(20, 1)] });
  const dialog = await app.srf.createUAC('sip:x@example.test', { localSdp: sdp });
  await dialog.destroy();
  await done;
  assert.ok(dns.asked.includes('NAPTR example.test'));
});

test('NAPTR decides the transport', async () => {
  const { port, done } = await peer(answered, 'tcp');
  const naptr = (order: number, service: string, replacement: string): DnsRecord => ({
    type: 'NAPTR',
    order,
    preference: 1,
    service,
    replacement,
  });
  const { app } = await appWith({
    'example.test': [naptr(20, 'SIP+D2U', '_sip._udp.example.test'), naptr(10, 'SIP+D2T', '_sip._tcp.example.test')],
    '_sip._tcp.example.test': [srv(1, port)],
  });
  const dialog = await app.srf.createUAC('sip:x@example.test', { localSdp: sdp });
  assert.equal(dialog.res.protocol, 'tcp');
  await dialog.destroy();
  await done;
});

test('a target that says 503, one that is silent and one that refuses are followed by the next', async () => {
  const busy = await peer(unavailable);
  const good = await peer(answered);
  const silent = await freePort();
  const { app } = await appWith({
    '_sip._udp.example.test': [srv(1, busy.port), srv(2, silent), srv(3, good.port)],
  });
  const dialog = await app.srf.createUAC('sip:x@example.test', { localSdp: sdp });
  await dialog.destroy();
  await Promise.all([busy.done, good.done]);

  const refused = await freePort();
  const next = await peer(answered, 'tcp');
  const other = await appWith({ '_sip._tcp.other.test': [srv(1, refused), srv(2, next.port)] });
  const second = await other.app.srf.createUAC('sip:x@other.test;transport=tcp', { localSdp: sdp });
  await second.destroy();
  await next.done;
});

test('a port in the URI asks for addresses only; a name that nobody knows is 503', async () => {
  const { port, done } = await peer(answered);
  const { app, dns } = await appWith({});
  const dialog = await app.srf.createUAC(`sip:x@host.test:${port}`, { localSdp: sdp });
  await dialog.destroy();
  await done;
  assert.ok(!dns.asked.some((each) => each.startsWith('SRV') || each.startsWith('NAPTR')));
  await assert.rejects(app.srf.createUAC('sip:x@nowhere.test', { localSdp: sdp }), { status: 503 });
});
