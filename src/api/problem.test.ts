import { strict as assert } from 'node:assert';
import { HTTPException } from 'hono/http-exception';
import { describe, test } from 'vitest';
import { type ErrorCode, errorTable, GatewayError } from '#core/errors.ts';
import { errorOfRequest, invalidFields, problemResponse, titleOf } from './problem.ts';

describe('a problem', () => {
  test.each(Object.keys(errorTable) as ErrorCode[])('of %s has the status and name of the table', async (code) => {
    const response = problemResponse(new GatewayError(code, 'Do this.'), 'id-1');
    assert.equal(response.status, errorTable[code].http);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const { title, ...body } = (await response.json()) as { title: string };
    assert.match(title, /^[A-Z]/);
    const expected = { status: errorTable[code].http, detail: 'Do this.', code, requestId: 'id-1' };
    assert.deepEqual(body, { type: `urn:switchyard:problem:${code}`, ...expected });
  });

  test.each([
    [1, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [60_000, '60'],
  ])('to be retried after %i ms says %s s', (retryAfterMs, seconds) => {
    const response = problemResponse(new GatewayError('rate_limited', 'Wait.', { retryAfterMs }), undefined);
    assert.equal(response.headers.get('retry-after'), seconds);
  });

  test('of very many unknown keys costs no more than that of twenty', () => {
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    let asked = 0;
    const watched = new Proxy(keys, {
      get(target, name, self) {
        if (typeof name === 'string' && /^\d+$/.test(name)) asked += 1;
        return Reflect.get(target, name, self);
      },
    });
    const error = invalidFields('body', [{ path: [], message: '', code: 'unrecognized_keys', keys: watched }]);
    assert.deepEqual([error.fields.length, asked], [20, 20]);
  });

  test('lists fields, twenty at the most, and is not endless', async () => {
    const issues = Array.from({ length: 100 }, (_, i) => ({
      path: ['x'.repeat(1_000), i],
      message: 'y'.repeat(1_000),
    }));
    const error = invalidFields('body', issues);
    assert.equal(error.fields.length, 20);
    assert.ok(error.message.length <= 1_000 && error.fields.every(({ path }) => path.length <= 128));
  });
});

test.each<[unknown, ErrorCode]>([
  [new HTTPException(400), 'invalid_request'],
  [new HTTPException(415), 'unsupported_media_type'],
  [new HTTPException(418 as 400), 'internal'],
  [Object.assign(new Error('aborted'), { name: 'AbortError' }), 'invalid_request'],
  [new GatewayError('room_full', 'Full.'), 'room_full'],
  [new TypeError('x is undefined'), 'internal'],
  ['a text', 'internal'],
  [undefined, 'internal'],
])('%s becomes %s', (thrown, code) => {
  assert.equal(errorOfRequest(thrown).code, code);
});

test('titles read like words', () => {
  assert.deepEqual([titleOf('room_full'), titleOf('invalid_sdp')], ['Room full', 'Invalid SDP']);
});
