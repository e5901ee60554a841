// The console's pages of telephony: trunks, accounts and bans are made, refused in the API's words at the field that it names,
// changed and taken away.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SipAccount, SipTrunk } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { freePort } from '#test/support/ports.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway({
      sip: { isEnabled: true },
      rtp: { listenAddress: '127.0.0.1', firstPort: 45_300, lastPort: 45_349 },
    }),
    launchChromium(),
  ]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console#/trunks`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('create-trunk').waitFor();
}, 60_000);

afterAll(async () => {
  await admin?.close();
  await browser?.close();
  await gateway?.close();
});

afterEach(() => expect(admin.errors).toEqual([]));

const field = (path: string) => admin.page.locator(`[data-field="${path}"]`);
const flaw = (path: string) => admin.page.locator(`[data-flaw="${path}"]`);
const rowOf = (kind: string, name: string) => admin.page.locator(`[data-testid=${kind}-row][data-name="${name}"]`);
const trunk = () => gateway.api<SipTrunk>('GET', '/api/sip/trunks/carrier');

test('a trunk is refused at the field that the API names, made, seen down with the reason, changed and deleted', async () => {
  const deadPort = await freePort();
  await admin.at('create-trunk').click();
  await field('preset').selectOption('asterisk-address');
  await admin.at('preset-advice').waitFor();
  await field('name').fill('carrier');
  await field('inbound.addresses').fill('192.0.2.0/24\nnot an address');
  await field('outbound.hosts').fill(`127.0.0.1:${deadPort}`);
  await field('outbound.transport').selectOption('tcp');
  await admin.page.getByText('Sound and headers').click();
  await field('media.codecs').fill('g722, speex');
  await admin.at('trunk-form-submit').click();
  // The first that does not fit has the keyboard.
  await flaw('media.codecs').waitFor();
  expect(await admin.page.evaluate('document.activeElement.dataset.field')).toBe('media.codecs');
  await field('media.codecs').fill('g722, pcma');
  await admin.at('trunk-form-submit').click();
  expect(await flaw('inbound.addresses').textContent()).toMatch(/not an address/);
  await field('inbound.addresses').fill('192.0.2.0/24');
  await field('inbound.username').fill('carrier');
  await field('inbound.password').fill('very secret');
  await field('inbound.maxCalls').fill('30');
  await admin.page.keyboard.press('Enter');

  const row = rowOf('trunk', 'carrier');
  await row.and(admin.page.locator('[data-state=down]')).waitFor();
  expect(await row.getByTestId('trunk-error').textContent()).toContain(`127.0.0.1:${deadPort}`);
  expect(await trunk()).toMatchObject({
    inbound: { addresses: ['192.0.2.0/24'], username: 'carrier', maxCalls: 30, hasPassword: true },
    outbound: { hosts: [`127.0.0.1:${deadPort}`], transport: 'tcp' },
    media: { codecs: ['g722', 'pcma'], srtp: null },
  });

  await row.getByTestId('edit-trunk').click();
  expect(await field('inbound.password').inputValue()).toBe('');
  await field('inbound.maxCalls').fill('');
  await field('outbound.callerId.number').fill('+4930123000');
  await admin.at('trunk-form-submit').click();
  await admin.at('trunk-dialog').waitFor({ state: 'detached' });
  const changed = await trunk();
  expect(changed.outbound).toMatchObject({ transport: 'tcp', callerId: { number: '+4930123000' } });
  expect(changed.inbound).toMatchObject({ hasPassword: true });
  expect(changed.inbound).not.toHaveProperty('maxCalls');

  await row.getByTestId('turn-trunk').click();
  await row.and(admin.page.locator('[data-state=disabled]')).waitFor();
  await row.getByTestId('delete-trunk').click();
  await admin.at('confirm-deed').click();
  await row.waitFor({ state: 'detached' });
}, 60_000);

test('an account shows the password that was made for it once, and who is online', async () => {
  await admin.at('nav-accounts').click();
  await admin.at('create-account').click();
  await field('username').fill('not a name');
  await admin.at('account-form-submit').click();
  expect(await flaw('username').textContent()).toMatch(/letters, digits/);
  await field('username').fill('alice');
  await admin.at('account-form-submit').click();
  const password = (await admin.at('account-password').textContent()) ?? '';
  expect(password).toMatch(/^([a-z2-9]{4}-){4}[a-z2-9]{4}$/);
  await admin.at('account-done').click();
  const row = rowOf('account', 'alice');
  await row.and(admin.page.locator('[data-online=false]')).waitFor();
  expect(await admin.page.locator('body').textContent()).not.toContain(password);

  await row.getByTestId('edit-account').click();
  await field('isEnabled').click();
  await admin.at('account-form-submit').click();
  await row.getByText('Turned off').waitFor();
  expect(await gateway.api<SipAccount>('GET', '/api/sip/accounts/alice')).toMatchObject({ isEnabled: false });
  await row.getByTestId('delete-account').click();
  await admin.at('confirm-deed').click();
  await admin.at('empty').waitFor();
}, 60_000);

test('an address is banned and listened to again', async () => {
  await admin.at('nav-bans').click();
  await admin.at('create-ban').click();
  await field('address').fill('300.1.1.1');
  await admin.at('ban-form-submit').click();
  await flaw('address').waitFor();
  await field('address').fill('198.51.100.0/24');
  await field('durationSec').selectOption('3600');
  await field('reason').fill('Scans for days.');
  await admin.at('ban-form-submit').click();
  const row = admin.page.locator('[data-testid=ban-row][data-address="198.51.100.0/24"]');
  await row.getByText('Scans for days.').waitFor();
  await row.getByTestId('lift-ban').click();
  await admin.at('confirm-deed').click();
  await admin.at('empty').waitFor();
  expect(await gateway.api('GET', '/api/sip/bans')).toMatchObject({ items: [] });
}, 60_000);

test('rules are made, moved by keys, keep what the console has no words for, and the simulator says why not', async () => {
  const { id: menu } = await gateway.api<{ id: string }>('POST', '/api/sip/dispatch-rules', {
    ...{ order: 5, number: '+4930999', headers: { 'X-Gold': 'yes', 'X-Site': 'a|b' }, room: 'demo' },
  });
  await admin.at('nav-rules').click();
  await admin.at('create-rule').click();
  await admin.at('rule-form-submit').click();
  await flaw('room').waitFor();
  await field('number').fill('+4930123');
  await field('action').selectOption('reject');
  await field('reject.reason').fill('Nobody is there.');
  await admin.at('rule-form-submit').click();
  await admin.at('rule-dialog').waitFor({ state: 'detached' });
  const rows = admin.at('rule-row');
  await expect.poll(() => rows.allTextContents()).toHaveLength(2);

  // One header goes, the other stays.
  await rows.first().getByTestId('edit-rule').click();
  await admin.at('rule-form').locator('[data-field=headers]').fill('X-Site: a|b');
  await admin.at('rule-form-submit').click();
  await admin.at('rule-dialog').waitFor({ state: 'detached' });
  expect(await gateway.api('GET', `/api/sip/dispatch-rules/${menu}`)).toMatchObject({ headers: { 'X-Site': 'a|b' } });

  const ask = async () => {
    await admin.page.getByTestId('simulate-form').locator('[data-field=to]').fill('+4930123');
    await admin.at('simulate-form-submit').click();
    return admin.at('verdict');
  };
  const verdict = await ask();
  await verdict.getByTestId('verdict-words').getByText('refused').waitFor();
  expect(await verdict.textContent()).toContain('with 603: Nobody is there.');
  expect(await verdict.getByTestId('rejected-rules').textContent()).toContain(
    '"+4930123" is not the number "+4930999"',
  );

  await rows.last().getByTestId('rule-up').focus();
  await admin.page.keyboard.press('Enter');
  await expect.poll(() => rows.first().textContent()).toContain('to +4930123');
  await (await ask()).getByTestId('verdict-words').getByText('refused').waitFor();
  await admin.at('rejected-rules').waitFor({ state: 'detached' });

  await rows.first().getByTestId('delete-rule').click();
  await admin.at('confirm-deed').click();
  await expect.poll(() => rows.allTextContents()).toHaveLength(1);
}, 60_000);
