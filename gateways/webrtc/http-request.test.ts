import { expect, test } from 'vitest';
import { corsHeaders, iceServerLinks } from './http-headers.ts';
import { accepts, bearerOf, mediaTypeOf, readText } from './http-request.ts';

const request = (headers: Record<string, string>, body?: string | ReadableStream) =>
  new Request('http://gateway/whip/demo', {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  });

test.each([
  [{}, true],
  [{ accept: '*/*' }, true],
  [{ accept: 'application/*' }, true],
  [{ accept: 'text/html, application/sdp;q=0.5' }, true],
  [{ accept: 'application/json' }, false],
  [{ accept: 'application/sdp;q=0' }, false],
])('%j accepts application/sdp: %s', (headers, expected) => {
  expect(accepts(request(headers), 'application/sdp')).toBe(expected);
});

test.each([
  [{ authorization: 'Bearer abc.def' }, 'abc.def'],
  [{ authorization: 'bearer abc' }, 'abc'],
  [{ authorization: 'Basic abc' }, undefined],
  [{ authorization: 'Bearer a b' }, undefined],
  [{}, undefined],
])('%j carries the token %s', (headers, expected) => {
  expect(bearerOf(request(headers))).toBe(expected);
});

test('the media type stands without its parameters', () => {
  expect(mediaTypeOf(request({ 'content-type': 'Application/SDP; charset=utf-8' }))).toBe('application/sdp');
});

test('a body is read to its limit and no further, whatever its length claims', async () => {
  expect(await readText(request({}, 'x'.repeat(10)), 10)).toBe('x'.repeat(10));
  expect(await readText(request({}), 10)).toBe('');
  await expect(readText(request({ 'content-length': '11' }, 'x'), 10)).rejects.toMatchObject({ code: 'too_large' });
  let pulled = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      pulled += 1;
      controller.enqueue(new Uint8Array(5));
    },
  });
  await expect(readText(request({}, endless), 20)).rejects.toMatchObject({ code: 'too_large' });
  expect(pulled).toBeLessThan(20);
});

test('a body that does not come to an end is not waited for', async () => {
  const stuck = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([65])) });
  await expect(readText(request({}, stuck), 20, 50)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('did not arrive'),
  });
});

test('what is not UTF-8 is refused', async () => {
  const bytes = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new Uint8Array([0xff, 0xfe]));
      controller.close();
    },
  });
  await expect(readText(request({}, bytes), 20)).rejects.toMatchObject({ code: 'invalid_request' });
});

test('each ICE server URL has its link, with credentials that cannot break out of it', () => {
  expect(
    iceServerLinks([
      { urls: ['stun:stun.example.org:3478'] },
      { urls: ['turn:t.example.org?transport=udp', 'turns:t.example.org'], username: 'a"b\\', credential: 'c\r\nd' },
    ]),
  ).toEqual([
    '<stun:stun.example.org:3478>; rel="ice-server"',
    '<turn:t.example.org?transport=udp>; rel="ice-server"; username="a\\"b\\\\"; credential="cd"; credential-type="password"',
    '<turns:t.example.org>; rel="ice-server"; username="a\\"b\\\\"; credential="cd"; credential-type="password"',
  ]);
});

test.each([
  [['*'], 'https://a.example', '*'],
  [['https://a.example'], 'https://a.example', 'https://a.example'],
  [['https://a.example'], 'https://b.example', null],
])('origins %j let %s read the answer: %s', (origins, origin, expected) => {
  expect(corsHeaders(request({ origin }), origins, 'POST').get('access-control-allow-origin')).toBe(expected);
});
