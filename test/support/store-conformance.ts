// Owns: what every StorePort does, whatever keeps the documents. SQLite runs it, and so does any that comes after.
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { StorePort } from '#core/store-port.ts';

export interface StoreUnderTest {
  /** An empty store. */
  open(): Promise<StorePort>;
}

const failsWith = (code: string) => (thrown: unknown) => thrown instanceof GatewayError && thrown.code === code;

export function storeConformance(name: string, { open }: StoreUnderTest): void {
  describe(`${name} keeps to StorePort`, () => {
    let store: StorePort;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    test('a document comes back as it was put, with revision 1 and the time', async () => {
      const value = { text: 'Zoë \u{1F600}\n"\\', list: [1, 2.5, null, { deep: true }], none: null, big: 2 ** 53 - 1 };
      const before = Date.now();
      const put = await store.put('things', 'a', value);
      const got = await store.get('things', 'a');
      assert.deepEqual(got, put);
      assert.deepEqual(got?.value, value);
      assert.equal(got?.id, 'a');
      assert.equal(got?.revision, 1);
      assert.ok(got.updatedAtMs >= before && got.updatedAtMs <= Date.now());
    });

    test('documents that are put together are all there, over what was, and none of them when one cannot be', async () => {
      await store.put('things', 'b', 'old');
      await store.putAll('things', [
        { id: 'a', value: 1 },
        { id: 'b', value: 'new' },
      ]);
      assert.deepEqual(
        (await store.list('things')).map(({ id, value, revision }) => [id, value, revision]),
        [
          ['a', 1, 1],
          ['b', 'new', 2],
        ],
      );
      const some = [
        { id: 'c', value: 1 },
        { id: 'd', value: undefined },
      ];
      await assert.rejects(store.putAll('things', some), failsWith('invalid_request'));
      assert.equal(await store.count('things'), 2);
    });

    test('what was never put is undefined, in its collection and in others', async () => {
      await store.put('things', 'a', 1);
      assert.equal(await store.get('things', 'b'), undefined);
      assert.equal(await store.get('others', 'a'), undefined);
    });

    test('each write raises the revision', async () => {
      const revisions: number[] = [];
      for (const value of ['x', 'y', 'z']) revisions.push((await store.put('things', 'a', value)).revision);
      assert.ok(revisions.every((revision, i) => i === 0 || revision > (revisions[i - 1] ?? 0)));
      assert.equal((await store.get('things', 'a'))?.value, 'z');
    });

    test('expectedRevision 0 creates, and conflicts when there is one', async () => {
      await store.put('things', 'a', 'first', 0);
      await assert.rejects(store.put('things', 'a', 'second', 0), failsWith('conflict'));
      assert.equal((await store.get('things', 'a'))?.value, 'first');
    });

    test('expectedRevision n writes at n, and conflicts at any other or when there is none', async () => {
      const first = await store.put('things', 'a', 'first');
      const second = await store.put('things', 'a', 'second', first.revision);
      assert.ok(second.revision > first.revision);
      await assert.rejects(store.put('things', 'a', 'late', first.revision), failsWith('conflict'));
      await assert.rejects(store.put('things', 'absent', 'late', 1), failsWith('conflict'));
      assert.equal((await store.get('things', 'a'))?.value, 'second');
      assert.equal(await store.get('things', 'absent'), undefined);
    });

    test('of many writers at one revision one wins', async () => {
      const { revision } = await store.put('things', 'a', -1);
      const writers = Array.from({ length: 20 }, (_, i) => store.put('things', 'a', i, revision));
      const settled = await Promise.allSettled(writers);
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const result of settled) if (result.status === 'rejected') assert.ok(failsWith('conflict')(result.reason));
    });

    test('of many that create one id one wins', async () => {
      const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => store.put('things', 'a', i, 0)));
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
    });

    test('delete says whether there was one, and the id can be made again', async () => {
      await store.put('things', 'a', 1);
      assert.equal(await store.delete('things', 'a'), true);
      assert.equal(await store.delete('things', 'a'), false);
      assert.equal(await store.get('things', 'a'), undefined);
      assert.equal((await store.put('things', 'a', 2, 0)).value, 2);
    });

    test('list is in order of id, bounded, and goes on after a cursor without gap or repeat', async () => {
      const ids = Array.from({ length: 25 }, (_, i) => `id-${String(i).padStart(2, '0')}`);
      for (const id of ids.toReversed()) await store.put('things', id, { id });
      await store.put('others', 'id-00', 'elsewhere');
      assert.deepEqual(
        (await store.list('things')).map(({ id }) => id),
        ids,
      );
      const paged: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await store.list<{ id: string }>('things', { after, limit: 10 });
        assert.ok(page.length <= 10);
        paged.push(...page.map(({ value }) => value.id));
        after = page.at(-1)?.id;
        if (after === undefined) break;
      }
      assert.deepEqual(paged, ids);
      assert.deepEqual(await store.list('things', { limit: 0 }), []);
      assert.deepEqual(await store.list('things', { after: 'id-99' }), []);
    });

    test('a cursor whose document is gone still has a place', async () => {
      for (const id of ['a', 'b', 'c']) await store.put('things', id, id);
      await store.delete('things', 'b');
      assert.deepEqual(
        (await store.list('things', { after: 'b' })).map(({ id }) => id),
        ['c'],
      );
    });

    test('count counts one collection', async () => {
      assert.equal(await store.count('things'), 0);
      await store.put('things', 'a', 1);
      await store.put('things', 'a', 2);
      await store.put('things', 'b', 1);
      await store.put('others', 'c', 1);
      assert.equal(await store.count('things'), 2);
    });

    test('what was put is not changed by changing the object afterwards', async () => {
      const value = { list: [1] };
      const put = await store.put('things', 'a', value);
      value.list.push(2);
      assert.deepEqual((await store.get('things', 'a'))?.value, { list: [1] });
      assert.deepEqual(put.value, { list: [1] });
    });

    test('hostile names are only names', async () => {
      const names = ["'; DROP TABLE documents; --", '../../etc/passwd', '%', '_', '__proto__', 'ключ', ''];
      for (const id of names) await store.put('things', id, { id }, 0);
      for (const id of names) assert.deepEqual((await store.get<{ id: string }>('things', id))?.value, { id });
    });

    test('a value that JSON cannot carry is refused', async () => {
      await assert.rejects(store.put('things', 'a', undefined), failsWith('invalid_request'));
      assert.equal(await store.get('things', 'a'), undefined);
    });

    test('after close() everything answers closed, and closing again is fine', async () => {
      await store.put('things', 'a', 1);
      await store.close();
      await store.close();
      await assert.rejects(store.get('things', 'a'), failsWith('closed'));
      await assert.rejects(store.put('things', 'a', 2), failsWith('closed'));
      await assert.rejects(store.delete('things', 'a'), failsWith('closed'));
      await assert.rejects(store.list('things'), failsWith('closed'));
      await assert.rejects(store.count('things'), failsWith('closed'));
    });
  });
}
