// Phones in the console and on the meeting page: how to join by one, calling one, what can be done to it, its messages.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BridgeResource, RoomDialIn } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { freePort } from '#test/support/ports.ts';
import { recvRequest, response, startSipp } from '#test/support/sipp.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway({
      sip: { isEnabled: true },
      rtp: { listenAddress: '127.0.0.1', firstPort: 43_600, lastPort: 43_699 },
    }),
    launchChromium(),
  ]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rooms/demo`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('dial-in').waitFor();
}, 60_000);

afterAll(async () => {
  await admin?.close();
  await browser?.close();
  await gateway?.close();
});

const dialIn = () => gateway.api<RoomDialIn>('GET', '/api/rooms/demo/dial-in');
const digitsOf = (text: string | null) => (text ?? '').replaceAll(/\D/g, '');
const sdpAt = (port: number, direction = 'sendrecv') =>
  `v=0\no=phone 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=${direction}\n`;

test('the console tells the PIN, and makes another', async () => {
  const { pin, addresses } = await dialIn();
  expect(digitsOf(await admin.at('pin').textContent())).toBe(pin);
  expect(await admin.at('dial-address').first().textContent()).toContain(addresses[0]);
  await admin.at('new-pin').click();
  await admin.at('confirm-deed').click();
  await expect.poll(async () => digitsOf(await admin.at('pin').textContent()), { timeout: 40_000 }).not.toBe(pin);
  expect(digitsOf(await admin.at('pin').textContent())).toBe((await dialIn()).pin);
  await admin.at('sip-access').selectOption('open');
  await admin.at('pin').waitFor({ state: 'detached' });
  await admin.at('sip-access').selectOption('pin');
  await admin.at('pin').waitFor();
}, 60_000);

test('a phone that is called from the console is muted, held and hung up there, and its messages can be read', async () => {
  const localPort = await freePort();
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 440 });
  const { remotePort } = phone.parameters();
  const scenario = [
    recvRequest('INVITE', { rrs: true }),
    response('180 Ringing'),
    response('200 OK', { body: sdpAt(remotePort) }),
    recvRequest('ACK'),
    recvRequest('INVITE', { expect: { body: 'a=sendonly' } }),
    response('200 OK', { body: sdpAt(remotePort, 'recvonly'), tag: false }),
    recvRequest('ACK'),
    recvRequest('BYE'),
    response('200 OK', { tag: false }),
  ];
  const run = startSipp({ scenario: scenario.join('\n'), localPort, timeoutSec: 90 });
  await admin.at('dial-out').click();
  await admin.at('dial-form').locator('[data-field="to"]').fill('nonsense');
  await admin.at('dial-form-submit').click();
  await admin.at('dial-out-dialog').getByText('is no SIP address').first().waitFor();
  await admin.at('dial-form').locator('[data-field="to"]').fill(`sip:+4930123@127.0.0.1:${localPort}`);
  await admin.at('dial-form-submit').click();
  const row = admin.page.locator('[data-testid=call-row][data-state=connected]');
  await row.waitFor();
  phone.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);

  const guest = await MeetingPeer.join(browser, gateway, { room: 'demo', name: 'Guest', role: 'moderator' });
  const tile = guest.page.locator('[data-testid=tile][data-name="+4930123"]');
  await tile.getByTestId('tile-number').getByText('+4930123').waitFor();
  await guest.at('people').click();
  await guest.at('by-phone').waitFor();
  expect(digitsOf(await guest.at('phone-pin').textContent())).toBe((await dialIn()).pin);

  await row.getByTestId('mute-call').click();
  await row.getByText('muted').waitFor();
  await row.getByTestId('hold-call').click();
  await row.getByText('on hold').waitFor();
  await row.getByTestId('show-call').click();
  await admin.at('ladder-message').first().waitFor();
  await admin.at('ladder-message').first().getByRole('button').click();
  await admin.at('call-dialog').getByText('INVITE sip:+4930123@127.0.0.1').first().waitFor();
  const keys = admin.at('keys-form');
  await keys.locator('[data-field=dtmf]').fill('12x');
  await admin.at('keys-form-submit').click();
  await keys.locator('[data-flaw=dtmf]').waitFor();
  await keys.locator('[data-field=dtmf]').fill('12#');
  await admin.at('keys-form-submit').click();
  await admin.page.getByText('The keys are pressed.').waitFor();
  await admin.at('move-form').locator('[data-field=room]').fill('nowhere');
  await admin.at('move-form-submit').click();
  await admin.at('move-form').getByTestId('problem').waitFor();
  expect(await admin.at('call-facts').textContent()).toContain('Quality (MOS');
  await admin.at('call-dialog').getByRole('button', { name: 'Close' }).click();
  await row.getByTestId('hang-up').click();
  await run.done;
  await guest.close();
  phone.close();

  await admin.at('nav-calls').click();
  await admin.page
    .locator('[data-testid=call-row][data-state=ended]')
    .first()
    .getByText('Hung up by the API.')
    .waitFor();
  // What is known of it stays known after its end.
  await admin.at('show-call').first().click();
  await admin.at('call-facts').getByText('this server (').waitFor();
  await admin.at('ladder-message').last().waitFor();
  await admin.at('call-dialog').getByRole('button', { name: 'Close' }).click();
  await admin.at('calls-search').fill('no such number');
  await admin.at('empty').waitFor();
  expect(admin.errors).toEqual([]);
}, 120_000);

test('two rooms are bridged in the console, one way is shut, and they are parted', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'annex' });
  await admin.page.goto(`${gateway.url}/console#/rooms/demo`);
  await admin.at('bridge-to').fill('demo');
  await admin.at('create-bridge').click();
  await admin.page.getByText('would hear its own echo').first().waitFor();
  await admin.at('bridge-to').fill('annex');
  await admin.at('create-bridge').click();
  const row = admin.page.locator('[data-testid=bridge-row][data-room=annex]');
  await row.getByTestId('bridge-isHeard').uncheck();
  const bridges = async () => (await gateway.api<{ items: BridgeResource[] }>('GET', '/api/rooms/annex/bridges')).items;
  await expect.poll(async () => (await bridges())[0]).toMatchObject({ hears: false, isHeard: true, sees: false });
  await row.getByTestId('delete-bridge').click();
  await row.waitFor({ state: 'detached' });
  expect(await bridges()).toEqual([]);
}, 60_000);
