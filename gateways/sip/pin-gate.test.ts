import assert from 'node:assert/strict';
import { test } from 'vitest';
import type { PromptName } from '#core/leg-media.ts';
import { PinGate, type PinGateOptions } from './pin-gate.ts';

/** A leg that plays until it is stopped, or at once to the end. */
function someLeg(isPatient = false) {
  const played: PromptName[][] = [];
  const events = new EventTarget();
  let stop: (isWhole: boolean) => void = () => undefined;
  return {
    played,
    /** Settles when the next prompts begin. */
    asked: () => new Promise<void>((resolve) => events.addEventListener('play', () => resolve(), { once: true })),
    leg: {
      play: (prompts: readonly PromptName[]) => {
        played.push([...prompts]);
        queueMicrotask(() => events.dispatchEvent(new Event('play')));
        return isPatient ? new Promise<boolean>((resolve) => (stop = resolve)) : Promise.resolve(true);
      },
      stopPlaying: () => stop(false),
    },
  };
}

function gateWith(options: Partial<PinGateOptions> = {}, isPatient = false) {
  const { leg, played, asked } = someLeg(isPatient);
  const guesses: string[] = [];
  const gate = new PinGate({
    leg,
    pin: '4711',
    guess: (typed) => {
      guesses.push(typed);
      return typed === '4711';
    },
    signal: new AbortController().signal,
    ...options,
  });
  const type = (keys: string) => {
    for (const key of keys) gate.press(key);
  };
  return { gate, played, asked, guesses, type };
}

test('the whole PIN opens it at once, typed into the question, and with # as well', async () => {
  for (const keys of ['4711', '4711#', '99*4711']) {
    const { gate, type, played, guesses, asked } = gateWith({}, true);
    const outcome = gate.run();
    await asked();
    type(keys);
    assert.equal(await outcome, 'right', keys);
    assert.deepEqual(played, [['welcome', 'enter_pin']]);
    assert.deepEqual(guesses, ['4711']);
  }
});

test('three wrong ones end it, each told; a pause ends one as # does', async () => {
  const { gate, type, played, guesses, asked } = gateWith({ nextKeyMs: 20 });
  const outcome = gate.run();
  await asked();
  type('12#');
  await asked();
  type('34');
  await asked();
  type('00000000000000000000000#');
  assert.equal(await outcome, 'wrong');
  assert.deepEqual(guesses, ['12', '34', '0'.repeat(17)]);
  assert.deepEqual(played, [['welcome', 'enter_pin'], ['wrong_pin'], ['wrong_pin'], ['wrong_pin']]);
});

test('silence is asked again, then let go, and is told from wrong keys', async () => {
  const { gate, played, guesses } = gateWith({ firstKeyMs: 5 });
  assert.equal(await gate.run(), 'silent');
  assert.deepEqual(played, [['welcome', 'enter_pin'], ['enter_pin'], ['enter_pin']]);
  assert.deepEqual(guesses, []);
});

test('# alone and letters are nothing', async () => {
  const { gate, type, guesses, asked } = gateWith({ firstKeyMs: 30 });
  const outcome = gate.run();
  await asked();
  type('##AB#4711');
  assert.equal(await outcome, 'right');
  assert.deepEqual(guesses, ['4711']);
});

test('who is locked out in the middle is told no more than that it was wrong', async () => {
  const { gate, type, asked, played } = gateWith({
    guess: () => {
      throw new Error('locked out');
    },
  });
  const outcome = gate.run();
  await asked();
  type('4711');
  assert.equal(await outcome, 'locked_out');
  assert.deepEqual(played.at(-1), ['wrong_pin']);
});

test('a caller that hangs up ends it whatever it was doing', async () => {
  for (const isPatient of [true, false]) {
    const controller = new AbortController();
    const { gate, asked } = gateWith({ signal: controller.signal }, isPatient);
    const outcome = gate.run();
    await asked();
    controller.abort();
    assert.equal(await outcome, 'left');
  }
});
