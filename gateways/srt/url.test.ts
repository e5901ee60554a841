import { expect, test } from 'vitest';
import { parseStreamId } from './stream-id.ts';
import { parseSrtUrl } from './url.ts';

test.each([
  [
    'srt://live.example:8890?streamid=abc&latency=250',
    { host: 'live.example', port: 8890, streamId: 'abc', latencyMs: 250, passphrase: undefined, keyLength: 16 },
  ],
  [
    'srt://[2001:db8::1]:9000/?streamid=%23!%3A%3Ar%3Dx%2Cm%3Drequest&passphrase=0123456789&pbkeylen=32',
    { host: '2001:db8::1', streamId: '#!::r=x,m=request', passphrase: '0123456789', keyLength: 32 },
  ],
  ['srt://10.0.0.1:9000?streamid=#!::r=cam/1,m=request&mode=caller', { streamId: '#!::r=cam/1,m=request' }],
  ['srt://10.0.0.1:9000?latency=120000', { latencyMs: 120, streamId: '' }],
  ['SRT://host:1', { host: 'host', port: 1, latencyMs: undefined }],
  ['srt://host:1?passphrase=', { passphrase: undefined }],
])('%s is understood', (url, parts) => {
  expect(parseSrtUrl(url)).toMatchObject(parts);
});

test.each([
  'srt://host',
  'srt://host:0',
  'srt://host:70000',
  'srt://:8890',
  'http://host:1',
  'srt://host:1?mode=listener',
  'srt://host:1?mode=rendezvous',
  'srt://host:1?transtype=file',
  'srt://host:1?passphrase=short',
  'srt://host:1?pbkeylen=20',
  'srt://host:1?latency=soon',
  'srt://host:1?latency=99999999',
  `srt://host:1?streamid=${'x'.repeat(513)}`,
])('%s is refused, without its secrets in the words', (url) => {
  let message = '';
  try {
    parseSrtUrl(url);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'invalid_request' });
    message = (thrown as Error).message;
  }
  expect(message).toContain('SRT URL');
  expect(message).not.toContain('passphrase=short');
});

test.each([
  ['key', { resource: 'key', mode: undefined, user: undefined }],
  ['#!::r=key,m=publish,u=obs', { resource: 'key', mode: 'publish', user: 'obs' }],
  ['#!::m=request,r=a=b', { resource: 'a=b', mode: 'request' }],
  ['#!::u=me', { resource: '', mode: undefined, user: 'me' }],
  ['', { resource: '' }],
])('stream id "%s" is understood', (text, parts) => {
  expect(parseStreamId(text)).toMatchObject(parts);
});

test.each([
  ['#!:{r=key}', 'invalid_request'],
  ['#!::r=x,m=steal', 'invalid_request'],
  ['#!::r=x,t=file', 'unsupported_media_type'],
  ['x'.repeat(600), 'invalid_request'],
])('stream id "%s" is refused', (text, code) => {
  expect(() => parseStreamId(text)).toThrow(expect.objectContaining({ code }));
});
