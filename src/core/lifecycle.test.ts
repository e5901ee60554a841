import { expect, test } from 'vitest';
import { type CloseReason, Owned } from './lifecycle.ts';

class Node extends Owned {
  readonly name: string;
  readonly #journal: string[];
  constructor(name: string, journal: string[]) {
    super();
    this.name = name;
    this.#journal = journal;
  }
  adopt<T extends Owned>(child: T): T {
    return this.own(child);
  }
  protected override async onClose(reason: CloseReason) {
    await Promise.resolve();
    this.#journal.push(`${this.name} ${reason}`);
  }
}

test('children go first, told that the parent has closed, and each goes once', async () => {
  const journal: string[] = [];
  const parent = new Node('parent', journal);
  const child = parent.adopt(new Node('child', journal));
  const grandchild = child.adopt(new Node('grandchild', journal));
  const reasons = await Promise.all([parent.close('timeout'), parent.close('failed')]);
  expect(reasons).toEqual(['timeout', 'timeout']);
  expect(journal).toEqual(['grandchild parent_closed', 'child parent_closed', 'parent timeout']);
  expect(grandchild.isClosed).toBe(true);
});

test('the signal aborts when closing begins, before the teardown ends', async () => {
  const node = new Node('node', []);
  const closing = node.close('kicked');
  expect(node.signal.aborted).toBe(true);
  expect(node.signal.reason).toBe('kicked');
  await closing;
});

test('a child adopted by a closed parent is closed at once', async () => {
  const journal: string[] = [];
  const parent = new Node('parent', journal);
  await parent.close();
  const late = parent.adopt(new Node('late', journal));
  expect(await late.done).toBe('parent_closed');
});

test('a teardown that throws still ends, and says so as a warning', async () => {
  class Broken extends Owned {
    protected override onClose(): never {
      throw new Error('no');
    }
  }
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  expect(await new Broken().close('failed')).toBe('failed');
  expect((await warned).message).toContain('teardown failed');
});
