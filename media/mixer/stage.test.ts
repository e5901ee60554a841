import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holdMs, Stage, type StageOptions, settleMs } from './stage.ts';

function stageOf(count: number, options: Partial<StageOptions> = {}): Stage {
  const stage = new Stage({ maxInputs: 16, isVoicePrimary: false, isShareFirst: false, ...options });
  for (let id = 1; id <= count; id++) stage.add({ id, isShared: false });
  return stage;
}

const ids = (members: readonly { id: number }[]) => members.map(({ id }) => id);

test('inputs stand in the order in which they came, and close up when one leaves', () => {
  const stage = stageOf(4);
  stage.remove(2);
  expect(ids(stage.seen(9))).toEqual([1, 3, 4]);
});

test('swap and set primary change two places and no more', () => {
  const stage = stageOf(4);
  stage.swap(2, 4);
  expect(stage.order).toEqual([1, 4, 3, 2]);
  stage.setPrimary(3);
  expect(stage.order).toEqual([3, 4, 1, 2]);
  stage.swap(3, 99);
  expect(stage.order).toEqual([3, 4, 1, 2]);
});

test('what is over the limit waits, and the first who waits comes in when somebody leaves', () => {
  const stage = stageOf(5, { maxInputs: 3 });
  expect(ids(stage.waiting(9))).toEqual([4, 5]);
  stage.remove(1);
  expect(ids(stage.seen(9))).toEqual([2, 3, 4]);
});

test('who waits and speaks takes the place of who has been silent longest, never of the primary', () => {
  const stage = stageOf(4, { maxInputs: 3 });
  stage.speak(3, 1_000);
  stage.speak(4, 2_000);
  expect(stage.step(2_000 + settleMs - 1, 9)).toBe(false);
  expect(stage.step(2_000 + settleMs, 9)).toBe(true);
  expect(stage.order).toEqual([1, 4, 3, 2]);
});

test('a cough makes nobody primary; a voice does, and is not displaced at once', () => {
  const stage = stageOf(3, { isVoicePrimary: true });
  stage.speak(2, 0);
  stage.speak(1, settleMs - 1);
  expect(stage.step(settleMs, 9)).toBe(false);
  stage.speak(2, 10_000);
  expect(stage.step(10_000 + settleMs, 9)).toBe(true);
  expect(stage.order[0]).toBe(2);
  stage.speak(3, 11_000);
  expect(stage.step(11_000 + settleMs, 9)).toBe(false);
  expect(stage.step(10_000 + settleMs + holdMs, 9)).toBe(true);
  expect(stage.order[0]).toBe(3);
});

test('who is pinned stays primary until unpinned or gone', () => {
  const stage = stageOf(3, { isVoicePrimary: true });
  stage.pin(3);
  stage.speak(2, 0);
  stage.step(holdMs * 2, 9);
  expect(stage.order[0]).toBe(3);
  stage.remove(3);
  expect(stage.pinned).toBeUndefined();
  stage.step(holdMs * 2, 9);
  expect(stage.order[0]).toBe(2);
});

test('what is shared goes first, the newest before the others, and who spoke last is seen beside it', () => {
  const stage = stageOf(3, { isShareFirst: true, maxInputs: 3 });
  stage.add({ id: 10, isShared: true });
  stage.add({ id: 11, isShared: true });
  expect(ids(stage.seen(9))).toEqual([11, 10, 1]);
  stage.speak(3, 0);
  stage.step(settleMs, 9);
  expect(ids(stage.seen(9))).toEqual([11, 10, 3]);
});

test('whatever is done, everybody is there exactly once', () => {
  const id = fc.integer({ min: 1, max: 8 });
  const action = fc.oneof(
    fc.tuple(fc.constant('add' as const), id),
    fc.tuple(fc.constant('remove' as const), id),
    fc.tuple(fc.constant('primary' as const), id),
    fc.tuple(fc.constant('pin' as const), id),
    fc.tuple(fc.constant('speak' as const), id),
    fc.tuple(fc.constant('reorder' as const), id),
  );
  fc.assert(
    fc.property(fc.array(action), fc.boolean(), fc.integer({ min: 1, max: 5 }), (actions, isShareFirst, maxInputs) => {
      const stage = new Stage({ maxInputs, isVoicePrimary: true, isShareFirst });
      const present = new Set<number>();
      actions.forEach(([what, member], index) => {
        if (what === 'add') {
          stage.add({ id: member, isShared: member > 6 });
          present.add(member);
        } else if (what === 'remove') {
          stage.remove(member);
          present.delete(member);
        } else if (what === 'primary') stage.setPrimary(member);
        else if (what === 'pin') stage.pin(member);
        else if (what === 'speak') stage.speak(member, index * 1_000);
        else stage.reorder([member, member, 99]);
        stage.step(index * 1_000 + 900, 4);
        expect([...stage.order].sort()).toEqual([...present].sort());
        const all = [...stage.seen(4), ...stage.waiting(4)];
        expect(ids(all).sort()).toEqual([...present].sort());
      });
    }),
  );
});
