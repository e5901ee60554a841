import { expect, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

test.each([
  [{ width: 333 }, 'width'],
  [{ height: 177 }, 'height'],
])(
  'a size that no encoder of H264 takes, %j, is refused before anything waits for its pictures',
  async (json, path) => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    const { status, json: problem } = await call('POST', '/api/rooms/demo/recordings', { as: admin, json });
    expect([status, problem.errors]).toEqual([400, [expect.objectContaining({ path })]]);
  },
);
