import { expect, test } from 'vitest';
import { changedFormat, formatChangeOf } from './play-format.ts';

const past = { codec: 'h264', resolution: 'x1/2', framerate: 10 } as const;

test.each([
  ['{"bitrate": "x0.8"}', { ...past, bitrate: 'x0.8' }],
  ['{"resolution": "x1/4", "framerate": "5"}', { codec: 'h264', resolution: 'x1/4', framerate: 5 }],
  ['{"framerate": null}', { codec: 'h264', resolution: 'x1/2' }],
  ['{}', past],
  ['null', null],
])('of a format that was asked for %s changes what it names and nothing else', (body, wanted) => {
  expect(changedFormat(past, formatChangeOf(body))).toEqual(wanted);
});

test.each(['{', '[]', '"x1/2"', '{"size": "x1/2"}', '{"framerate": "fast"}'])('%s is refused', (body) => {
  expect(() => formatChangeOf(body)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});
