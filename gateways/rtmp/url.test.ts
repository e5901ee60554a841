import { expect, test } from 'vitest';
import { parseRtmpUrl } from './url.ts';

test.each([
  ['rtmp://a.example/live/key', { host: 'a.example', port: 1935, app: 'live', streamName: 'key' }],
  ['rtmps://a.example/app/key?token=1&x=2', { scheme: 'rtmps', port: 443, streamName: 'key?token=1&x=2' }],
  ['rtmp://a.example:19350/live/instance/key', { port: 19_350, app: 'live/instance', streamName: 'key' }],
  ['rtmp://user:secret@a.example/live/key', { tcUrl: 'rtmp://a.example/live' }],
  ['rtmp://[2001:db8::1]:1936/live/key', { host: '2001:db8::1', tcUrl: 'rtmp://[2001:db8::1]:1936/live' }],
  ['rtmp://a.example/live/50%', { streamName: '50%' }],
])('%s', (url, expected) => {
  expect(parseRtmpUrl(url)).toMatchObject(expected);
});

test.each([
  '',
  'key',
  'http://a/live/key',
  'rtmp:///live/key',
  'rtmp://a.example',
  'rtmp://a.example/secret',
  'rtmp://a.example/live/',
])('"%s" is refused without being repeated', (url) => {
  expect(() => parseRtmpUrl(url)).toThrow('An RTMP URL');
  expect(() => parseRtmpUrl(url)).not.toThrow('secret');
});
