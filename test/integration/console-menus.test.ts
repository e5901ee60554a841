// A menu of a rule in the console: made part by part, refused at the field that the API names, changed, shown as JSON and back.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DispatchRuleResource } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';

let gateway: TestGateway;
let browser: Browser;
let admin: MeetingPeer;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway({
      sip: { isEnabled: true },
      rtp: { listenAddress: '127.0.0.1', firstPort: 46_700, lastPort: 46_749 },
    }),
    launchChromium(),
  ]);
  admin = await MeetingPeer.open(browser, `${gateway.url}/console#/rules`, { name: 'Admin' });
  await admin.at('api-key').fill(adminKey);
  await admin.at('sign-in-button').click();
  await admin.at('create-rule').waitFor();
}, 60_000);

afterAll(async () => {
  await admin?.close();
  await browser?.close();
  await gateway?.close();
});

const field = (path: string) => admin.page.locator(`[data-field="${path}"]`);
const flaw = (path: string) => admin.page.locator(`[data-flaw="${path}"]`);
const part = (name: string) => admin.page.locator(`[data-testid=menu-part][data-name="${name}"]`);
const save = () => admin.at('rule-form-submit').click();
const rules = async () =>
  (await gateway.api<{ items: DispatchRuleResource[] }>('GET', '/api/sip/dispatch-rules')).items;

test('a menu is made by its form, refused where it does not fit, and is what the API keeps', async () => {
  await admin.at('create-rule').click();
  await field('number').fill('800');
  await field('action').selectOption('menu');
  await field('menu.nodes.main.say').fill('welcome\nfor_help (es)\nn1 (es)');
  // One that is left out of the rooms is refused at its field.
  await save();
  await flaw('menu.nodes.main.keys.1.room').waitFor();
  await field('menu.nodes.main.keys.1.room').fill('demo');
  await field('menu.nodes.main.keys.1.access').selectOption('open');
  await part('main').getByTestId('add-key').click();
  await field('menu.nodes.main.keys.2.deed').selectOption('dial');
  await field('menu.nodes.main.keys.2.dial.to').fill('+4930123');
  await save();
  await flaw('menu.nodes.main.keys.2.dial.trunk').getByText('a number needs the trunk').waitFor();
  await field('menu.nodes.main.keys.2.dial.trunk').fill('pbx');
  await field('menu.nodes.main.keys.2.dial.ringTimeoutMs').fill('20000');
  // Its unanswered calls go on at a part that is made from here, and called otherwise then.
  await field('menu.nodes.main.keys.2.dial.unanswered.goto').selectOption('+');
  await field('menu.nodes.part-2.name').fill('later');
  await field('menu.nodes.later.collect').selectOption('phone');
  await save();
  await flaw('menu.nodes.later.collect.dial.numbers').waitFor();
  await field('menu.nodes.later.collect.dial.numbers').fill('2??\n+4930*');
  await field('menu.nodes.later.collect.dial.trunk').fill('pbx');
  await part('later').locator('summary').click();
  await field('menu.nodes.later.tries').fill('2');
  await field('menu.nodes.later.otherwise.deed').selectOption('hangUp');
  await field('menu.nodes.later.otherwise.hangUp.reason').fill('Made no choice.');
  await field('menu.nodes.later.say').fill('our_words');
  await admin.at('add-part').click();
  await save();
  await flaw('menu.nodes.part-3').getByText('needs keys, or collect').waitFor();
  await part('part-3').getByTestId('remove-part').click();
  await save();
  await flaw('menu').getByText('there is no recording our_words').waitFor();
  await field('menu.nodes.later.say').fill('enter_number');
  await save();
  await admin.at('rule-dialog').waitFor({ state: 'detached' });
  const [made] = await rules();
  expect(made?.menu).toEqual({
    start: 'main',
    nodes: {
      main: {
        say: ['welcome', { prompt: 'for_help', language: 'es' }, { prompt: 'n1', language: 'es' }],
        keys: {
          1: { room: 'demo', access: 'open' },
          2: { dial: { to: '+4930123', trunk: 'pbx', ringTimeoutMs: 20_000, unanswered: { goto: 'later' } } },
        },
      },
      later: {
        say: ['enter_number'],
        collect: { find: 'phone', dial: { numbers: ['2??', '+4930*'], trunk: 'pbx' } },
        tries: 2,
        otherwise: { hangUp: { reason: 'Made no choice.' } },
      },
    },
  });
  await admin
    .at('rule-becomes')
    .getByText('chooses in a menu: 1 the room demo, 2 a call to +4930123 (2 parts)')
    .waitFor();
}, 90_000);

test('a menu that is opened and saved is as it was; what is changed is changed; as JSON it is the same', async () => {
  const [before] = await rules();
  await admin.at('edit-rule').click();
  await part('later').waitFor();
  await save();
  await admin.at('rule-dialog').waitFor({ state: 'detached' });
  expect((await rules())[0]?.menu).toEqual(before?.menu);

  await admin.at('edit-rule').click();
  await field('menu.nodes.main.keys.1.language').selectOption('zh');
  await part('main').locator('[data-key="2"]').getByTestId('remove-key').click();
  await part('main').getByTestId('add-key').click();
  await field('menu.nodes.main.keys.2.key').selectOption('9');
  await field('menu.nodes.main.keys.9.deed').selectOption('menu');
  await field('menu.nodes.main.keys.9.menu').selectOption('later');
  await admin.at('turn-menu').click();
  const text = field('menu');
  const shown = JSON.parse(await text.inputValue());
  expect(shown.nodes.main.keys).toEqual({ 1: { language: 'zh', room: 'demo', access: 'open' }, 9: { menu: 'later' } });
  await text.fill('{"start": ');
  await admin.at('turn-menu').click();
  await admin.at('turn-flaw').getByText('no JSON').waitFor();
  shown.maxGotos = 4;
  await text.fill(JSON.stringify(shown));
  await admin.at('turn-menu').click();
  expect(await field('menu.maxGotos').inputValue()).toBe('4');
  await save();
  await admin.at('rule-dialog').waitFor({ state: 'detached' });
  expect((await rules())[0]?.menu).toEqual(shown);
  expect(admin.errors).toEqual([]);
}, 60_000);
