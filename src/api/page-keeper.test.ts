import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';
import { PageKeeper } from './page-keeper.ts';

describe('a kept page', () => {
  test('is made once for each query and stamp', async () => {
    let stamp = 'a';
    let made = 0;
    const keeper = new PageKeeper<{ n: number }>(() => stamp);
    const ask = (query: object) => keeper.page(query, async () => ({ n: ++made }));
    assert.deepEqual([(await ask({})).n, (await ask({})).n, (await ask({ limit: 2 })).n], [1, 1, 2]);
    stamp = 'b';
    assert.deepEqual([(await ask({})).n, (await ask({})).n], [3, 3]);
  });

  test('is not kept when something changed while it was made', async () => {
    let stamp = 'a';
    const keeper = new PageKeeper<{ n: number }>(() => stamp);
    const late = Promise.withResolvers<{ n: number }>();
    const slow = keeper.page({}, () => late.promise);
    stamp = 'b';
    assert.equal((await keeper.page({}, async () => ({ n: 2 }))).n, 2);
    late.resolve({ n: 1 });
    assert.equal((await slow).n, 1);
    assert.equal((await keeper.page({}, async () => ({ n: 3 }))).n, 2);
  });

  test('goes when another hundred queries came', async () => {
    const keeper = new PageKeeper<{ n: number }>(() => '');
    for (let n = 0; n < 100; n++) await keeper.page({ n }, async () => ({ n }));
    assert.equal((await keeper.page({ n: 0 }, async () => ({ n: -1 }))).n, -1);
  });
});

test('the list of rooms is what is so now: made, renamed, joined, left, deleted', async () => {
  const { call, admin, rooms } = await someApi();
  const list = async () => call('GET', '/api/rooms', { as: admin });
  const shown = async () =>
    (await list()).json.items.map(
      ({ name, isActive, participantCount }: { name: string; isActive: boolean; participantCount: number }) =>
        [name, isActive, participantCount].join(' '),
    );
  assert.deepEqual(await shown(), []);
  await rooms.create({ name: 'demo' });
  assert.deepEqual(await shown(), ['demo false 0']);
  const room = await rooms.open('demo');
  const { participant } = await joinAndPublish(room, 'alice');
  assert.deepEqual(await shown(), ['demo true 1']);
  const [one, two] = [await list(), await list()];
  assert.deepEqual([one.headers.get('etag'), one.text], [two.headers.get('etag'), two.text]);
  await participant.close('peer_left');
  assert.deepEqual(await shown(), ['demo true 0']);
  await rooms.update('demo', { name: 'other' });
  assert.deepEqual(await shown(), ['other true 0']);
  assert.notEqual((await list()).headers.get('etag'), one.headers.get('etag'));
  await rooms.delete('other');
  assert.deepEqual(await shown(), []);
});
