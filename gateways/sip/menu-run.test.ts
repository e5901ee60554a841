import assert from 'node:assert/strict';
import { test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { SpokenPrompt } from '#core/leg-media.ts';
import type { MenuStep } from '#core/menu-walk.ts';
import type { PhoneMenu } from '#core/phone-menu.ts';
import { someRooms } from '#test/support/some-room.ts';
import { type MenuDialOutcome, MenuRun, type MenuRunOptions } from './menu-run.ts';

const menu: PhoneMenu = {
  start: 'main',
  nodes: {
    main: {
      say: ['welcome'],
      firstKeyMs: 30,
      keys: {
        1: { menu: 'number', language: 'zh' },
        2: { room: 'demo', access: 'open' },
        3: { dial: { to: 'alice' } },
        4: { menu: 'phone' },
      },
    },
    number: { say: ['enter_number'], collect: { find: 'number' }, firstKeyMs: 30, nextKeyMs: 5_000 },
    phone: { collect: { find: 'phone', dial: { numbers: ['2??'], trunk: 'pbx' } } },
  },
};

async function runOf(options: Partial<MenuRunOptions> = {}, ways: Partial<MenuRunOptions['menu']> = {}) {
  const room = await someRooms().rooms.open('demo', { mayCreate: true });
  const played: string[][] = [];
  const tried: string[] = [];
  const events = new EventTarget();
  let stop: (isWhole: boolean) => void = () => undefined;
  const run = new MenuRun({
    leg: {
      play: (prompts: readonly SpokenPrompt[]) => {
        stop(false);
        played.push(prompts.map(({ name }) => name));
        queueMicrotask(() => events.dispatchEvent(new Event('play')));
        return new Promise<boolean>((resolve) => (stop = resolve));
      },
      stopPlaying: () => stop(false),
      setLanguage: (language) => void tried.push(language),
    },
    menu: {
      ...{ menu, language: undefined },
      enter: async (name, access) => {
        tried.push(`${name} ${access}`);
        return { room };
      },
      findByNumber: async (typed) => {
        tried.push(typed);
        return typed === '4711' ? { room, language: 'en' } : undefined;
      },
      findByPin: async () => undefined,
      dial: async () => undefined,
      ...ways,
    },
    callId: 'CL_caller',
    signal: new AbortController().signal,
    listenIn: async () => async () => undefined,
    onStep: () => undefined,
    ...options,
  });
  const asked = () => new Promise<void>((resolve) => events.addEventListener('play', () => resolve(), { once: true }));
  const press = (keys: string) => {
    for (const key of keys) run.press(key);
  };
  return { run, played, tried, asked, press, room, saidAll: () => stop(true) };
}

test('keys pressed into what is said stop it and lead on; what is typed ahead is not asked for any more', async () => {
  const { run, played, tried, asked, press, room } = await runOf();
  const outcome = run.run();
  await asked();
  press('14711#55');
  assert.deepEqual(await outcome, { kind: 'in', admittance: { room, language: 'zh' } });
  assert.deepEqual([played, tried.at(-1), run.waitingKeys], [[['welcome']], '4711', ['5', '5']]);
});

test('a caller that presses nothing hears it three times, and is let go', async () => {
  const { run, played, asked, saidAll } = await runOf();
  const outcome = run.run();
  for (let i = 0; i < 3; i++) {
    await asked();
    saidAll();
  }
  assert.deepEqual((await outcome).kind === 'end' && (await outcome), {
    ...{ kind: 'end', why: 'no_key', reason: 'No key was pressed.', say: [] },
  });
  assert.equal(played.length, 3);
});

test('a number that is nobody’s is asked again; a guard that has had enough ends it', async () => {
  let count = 0;
  const findByNumber = async () => {
    if (++count > 1) throw new GatewayError('rate_limited', 'Too many wrong conference numbers.');
    return undefined;
  };
  const { run, played, asked, press, saidAll } = await runOf({}, { findByNumber });
  const outcome = run.run();
  await asked();
  press('18#');
  await asked();
  press('9#');
  await asked();
  saidAll();
  const end = await outcome;
  assert.equal(end.kind === 'end' && end.why, 'locked_out');
  assert.deepEqual(played, [['welcome'], ['wrong_number'], ['wrong_number']]);
});

test('a room that refuses is told as it refuses; who hangs up, and who is too slow, has left', async () => {
  const refuses = await runOf({}, { enter: () => Promise.reject(new GatewayError('room_full', 'Full.')) });
  const refused = refuses.run.run();
  await refuses.asked();
  refuses.press('2');
  await assert.rejects(refused, { code: 'room_full' });
  const controller = new AbortController();
  const leaves = await runOf({ signal: controller.signal });
  const outcome = leaves.run.run();
  await leaves.asked();
  controller.abort();
  assert.equal((await outcome).kind === 'end' && ((await outcome) as { why: string }).why, 'left');
});

test('a caller hears it ring, is told that it is busy, and is asked again; who answers ends the menu', async () => {
  const asked: unknown[] = [];
  const outcomes: MenuDialOutcome[] = [{ kind: 'busy', reason: 'The other side answered 486 Busy Here.' }];
  const steps: (readonly MenuStep[])[] = [];
  const run = await runOf(
    { onStep: (way) => steps.push([...way]) },
    {
      dial: async ({ dial, typed, callId, onCalling }) => {
        asked.push([dial, typed, callId]);
        onCalling('alice', `CL_${asked.length}`);
        return outcomes.shift() ?? { kind: 'answered', admittance: { room: run.room, hasPrompts: false } };
      },
    },
  );
  const outcome = run.run.run();
  await run.asked();
  run.press('3');
  await run.asked();
  await run.asked();
  run.press('3');
  assert.deepEqual(await outcome, {
    kind: 'in',
    admittance: { room: run.room, hasPrompts: false, language: undefined },
  });
  assert.deepEqual(run.played, [['welcome'], ['ringing'], ['line_busy', 'welcome'], ['ringing']]);
  assert.deepEqual(asked[0], [{ to: 'alice' }, undefined, 'CL_caller']);
  const busy = 'call alice: busy: The other side answered 486 Busy Here.';
  assert.deepEqual(steps.at(-1), [
    { node: 'main', pressed: '3', led: busy, call: 'CL_1' },
    { node: 'main', pressed: '3', led: 'call alice: answered', call: 'CL_2' },
  ]);
});

test('while it rings * gives up and other keys do nothing; a number that the rule does not allow is a wrong one', async () => {
  const allowed: (string | undefined)[] = [];
  const run = await runOf(
    {},
    {
      dial: async ({ typed, signal, onCalling }) => {
        allowed.push(typed);
        if (typed !== undefined) return undefined;
        onCalling('alice', 'CL_1');
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        return { kind: 'given_up', reason: '' };
      },
    },
  );
  const outcome = run.run.run();
  await run.asked();
  run.press('3');
  await run.asked();
  run.press('12');
  run.press('*');
  await run.asked();
  assert.deepEqual([run.played.at(-1), run.run.waitingKeys], [['welcome'], []]);
  run.press('4900#');
  // The ringing that is cut short, and what is said then.
  await run.asked();
  await run.asked();
  assert.deepEqual([allowed, run.played.at(-1)], [[undefined, '900'], ['not_reached']]);
  for (const _ of [1, 2]) {
    run.press('900#');
    await run.asked();
    await run.asked();
  }
  run.saidAll();
  assert.equal((await outcome).kind, 'end');
});
