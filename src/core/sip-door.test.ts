import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { someSecrets } from '#test/support/some-secrets.ts';
import { type DispatchRuleInput, DispatchRules } from './dispatch-rules.ts';
import { GatewayError } from './errors.ts';
import { RoomPins } from './room-pins.ts';
import { type AskHook, SipDoor } from './sip-door.ts';

const address = '192.0.2.1';
const trunk = { id: 'TK_1', name: 'carrier' };
const secret = `whsec_${'a'.repeat(32)}`;

async function someDoor(inputs: DispatchRuleInput[], askHook?: AskHook) {
  const { rooms, store } = someRooms();
  const secrets = someSecrets();
  const rules = await DispatchRules.create({ store, secrets, configured: [] });
  for (const [order, input] of inputs.entries()) await rules.create({ order, ...input });
  await rooms.create({ name: 'demo', sip: { access: 'open' } });
  const defaults = { access: 'pin', language: 'en' } as const;
  const pins = new RoomPins(secrets);
  return { rooms, rules, store, pins, door: new SipDoor({ rooms, rules, pins, defaults, askHook }) };
}

test('the explanation has each rule that was tried before, with the point in which the call does not fit', async () => {
  const { door } = await someDoor([
    { number: '611', room: 'x' },
    { number: '1', trunk: 'carrier', room: 'x' },
    { from: '+49*', room: 'demo' },
  ]);
  const { outcome, rejectedRules, steps } = await door.explain('sip:1@host', { from: '+4930' });
  assert.deepEqual(
    rejectedRules.map(({ reason }) => reason),
    ['"1" is not the number "611"', 'it came by no trunk'],
  );
  assert.equal(outcome, 'enter');
  assert.match(steps.join(' '), /\(caller \+49\*\) takes it and sends it to the room "demo"/);
});

test("a room of the caller's own is made with its first call, for callers that are known, and others stay outside", async () => {
  const { door, rooms } = await someDoor([{ number: '7', personalRoom: { prefix: 'my-' } }]);
  await assert.rejects(door.admit('sip:7@host', address, { from: '+4930' }), /for callers of a trunk or an account/);
  const before = await door.explain('sip:7@host', { from: '+4930', trunk });
  assert.deepEqual([before.outcome, before.room, await rooms.find('my-4930')], ['enter', undefined, undefined]);
  const { room, pin } = await door.admit('sip:7@host', address, { from: '+4930', trunk });
  assert.deepEqual([room.name, pin], ['my-4930', undefined]);
  assert.equal((await door.admit('sip:7@host', address, { account: 'alice' })).room.name, 'my-alice');
  await assert.rejects(door.admit('sip:my-4930@host', address), /has no PIN for phones yet/);
  // They are many, and would meet each other there.
  for (const from of ['anonymous', 'Restricted', 'unavailable', ''])
    await assert.rejects(door.admit('sip:7@host', address, { from, trunk }), /shows no number/);
});

test('a webhook decides; when it does not, the fallback does, or the call is refused', async () => {
  const hook = { url: 'http://hook.example/', secret };
  const asked: unknown[] = [];
  const { door, rules, store } = await someDoor([{ number: '8', webhook: hook }], async (...question) => {
    asked.push(question);
    return { room: 'demo' };
  });
  const { outcome } = await door.explain('sip:8@host');
  assert.deepEqual([outcome, asked.length], ['ask_webhook', 0]);
  assert.equal((await door.admit('sip:8@host', address, { from: '+4930' })).room.name, 'demo');
  assert.deepEqual(asked, [
    [hook, { dialled: '8', from: '+4930', divertedFrom: [], trunk: undefined, account: undefined, address }],
  ]);
  assert.equal(rules.all[0]?.webhook?.secret, secret);
  assert.ok(!JSON.stringify(await store.list('dispatch-rules')).includes(secret));

  const failing: AskHook = () => Promise.reject(new Error('down'));
  const alone = await someDoor([{ number: '8', webhook: hook }], failing);
  await assert.rejects(alone.door.admit('sip:8@host', address), { sipStatus: 480, message: /does not decide/ });
  const inside = new GatewayError('upstream_failed', '10.1.2.3:8080 could not be reached (ECONNREFUSED).');
  const telling = await someDoor([{ number: '8', webhook: hook }], () => Promise.reject(inside));
  await assert.rejects(telling.door.admit('sip:8@host', address), {
    message: /10\.1\.2\.3:8080/,
    told: 'The webhook of the rule does not decide.',
  });
  const backed = await someDoor([{ number: '8', webhook: { ...hook, fallbackRoom: 'demo' } }], failing);
  assert.equal((await backed.door.admit('sip:8@host', address)).room.name, 'demo');
});

test.each<[DispatchRuleInput, RegExp]>([
  [{ room: 'demo' }, /something has to be asked/],
  [{ number: '1' }, /one of room, personalRoom/],
  [{ number: '1', room: 'demo', reject: { status: 603, reason: 'x' } }, /one of room, personalRoom/],
  [{ fromPattern: '(a+)+', room: 'demo' }, /"fromPattern": repeats a group/],
  [{ time: { timeZone: 'Mars/Base' }, room: 'demo' }, /is no time zone/],
])('a rule %j is refused', async (input, message) => {
  await assert.rejects(someDoor([input]), message);
});

const menu = {
  start: 'main',
  nodes: { main: { say: ['welcome'], keys: { 1: { room: 'demo' } }, otherwise: { room: 'gone' } } },
};

test('a menu is shown with what its rooms are now, and has to be called: nobody is sent into one', async () => {
  const { door } = await someDoor([{ number: '800', menu }]);
  const { outcome, steps, rule } = await door.explain('sip:800@host');
  assert.deepEqual([outcome, rule?.menu], ['menu', menu]);
  assert.match(steps.join(' '), /lets the caller choose by a menu.*1 leads into the room "demo".*no room "gone" now/);
  await assert.rejects(door.admit('sip:800@host', address), { sipStatus: 403 });
  const arrival = await door.arrive('sip:800@host', address);
  assert.ok('menu' in arrival);
  const choice = { rule: arrival.rule, room: 'demo' };
  assert.equal((await door.arrive('sip:800@host', address, {}, choice)).room?.name, 'demo');
  await assert.rejects(door.arrive('sip:800@host', address, {}, { ...choice, room: 'gone' }), { sipStatus: 404 });
});

test('menus that do not hold together, or say what nobody has recorded, are refused with the place', async () => {
  const { rules, store } = await someDoor([]);
  await assert.rejects(rules.create({ number: '1', menu: { ...menu, start: 'x' } }), /"menu.start"/);
  await assert.rejects(rules.create({ number: '1', menu, room: 'demo' }), /one of room, personalRoom, menu/);
  await assert.rejects(rules.create({ number: '1', menu, pin: '4711' }), /its rooms say who may come in/);
  const prompts = async () => new Set(['goodbye']);
  const strict = await DispatchRules.create({ store, secrets: someSecrets(), configured: [], prompts });
  await assert.rejects(strict.create({ number: '1', menu }), /no recording welcome; put one into mix.promptsFolder/);
});

test('a PIN finds its room of those that a menu names; who guesses wrongly waits, and other callers of a trunk do not', async () => {
  const { door, rooms, pins } = await someDoor([]);
  await rooms.create({ name: 'vip', sip: { sealedPin: pins.seal('135790') } });
  const where = { rule: 'DR_1', rooms: ['gone', 'demo', 'vip'] };
  assert.equal((await door.findByPin('135790', where, 'TK_1/+49301'))?.name, 'vip');
  for (const typed of ['1', '12', '123']) assert.equal(await door.findByPin(typed, where, 'TK_1/+49301'), undefined);
  await assert.rejects(door.findByPin('135790', where, 'TK_1/+49301'), { code: 'rate_limited' });
  assert.equal((await door.findByPin('135790', where, 'TK_1/+49302'))?.name, 'vip');
  for (let i = 0; i < 10; i++) door.noteNumber(address, false);
  assert.throws(() => door.assertMayTry(address), /Too many wrong conference numbers/);
});
