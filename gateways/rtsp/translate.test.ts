import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isRtcp, isRtp, parseRtspUrl, parseSession, parseTransport } from './translate.ts';

test.each([
  ['rtsp://a.example/live', { host: 'a.example', port: 554, uri: 'rtsp://a.example/live', credentials: undefined }],
  ['RTSPS://a.example:8322/x?y=1', { scheme: 'rtsps', port: 8_322, uri: 'rtsps://a.example:8322/x?y=1' }],
  [
    'rtsp://u:p@w%40@a.example/live',
    { credentials: { username: 'u', password: 'p@w@' }, uri: 'rtsp://a.example/live' },
  ],
  ['rtsp://user@a.example', { credentials: { username: 'user', password: '' } }],
  ['rtsp://[2001:db8::1]:8554/x', { host: '2001:db8::1', port: 8_554, uri: 'rtsp://[2001:db8::1]:8554/x' }],
  ['rtsps://a/', { port: 322 }],
])('%s', (url, expected) => {
  expect(parseRtspUrl(url)).toMatchObject(expected);
});

test.each([
  '',
  'secret',
  'http://secret/',
  'rtsp://',
  'rtsp://a:99999/secret',
  'rtsp://a/secret\r\nX: y',
  'rtsp://a b/secret',
])('%j is refused without being repeated', (url) => {
  expect(() => parseRtspUrl(url)).toThrow('An RTSP URL');
});

test('transports are read with all that matters', () => {
  expect(
    parseTransport(
      'RTP/AVP/TCP;unicast;interleaved=0-1;mode="record", RTP/AVP;unicast;client_port=5000-5001;ssrc=0000AB',
    ),
  ).toMatchObject([
    { isTcp: true, isRecord: true, interleaved: [0, 1] },
    { isTcp: false, isRecord: false, clientPorts: [5_000, 5_001], ssrc: 0xab },
  ]);
  expect(parseTransport('RTP/AVP/UDP;multicast;client_port=5000')).toMatchObject([
    { isMulticast: true, clientPorts: [5_000, 5_001] },
  ]);
  expect(parseTransport('RAW/RAW/UDP;client_port=70000-70001')).toEqual([]);
  expect(parseTransport('RTP/AVP;client_port=70000-70001;interleaved=300-301')).toMatchObject([
    { clientPorts: undefined, interleaved: undefined },
  ]);
});

test('sessions have a time-out of a minute unless they say so', () => {
  expect(parseSession('abc')).toEqual({ id: 'abc', timeoutMs: 60_000 });
  expect(parseSession('abc; Timeout = 30')).toEqual({ id: 'abc', timeoutMs: 30_000 });
  expect(parseSession('abc;timeout=0')).toEqual({ id: 'abc', timeoutMs: 1_000 });
});

test('packets are told from noise', () => {
  const rtp = Buffer.from('80600001000000000000000b', 'hex');
  expect(isRtp(rtp)).toBe(true);
  expect(isRtp(rtp.subarray(0, 11))).toBe(false);
  expect(isRtp(Buffer.concat([Buffer.of(0x40), rtp.subarray(1)]))).toBe(false);
  expect(isRtp(Buffer.concat([Buffer.of(0x8f), rtp.subarray(1)]))).toBe(false);
  expect(isRtp(Buffer.concat([Buffer.of(0x90), rtp.subarray(1), Buffer.from('bede0001', 'hex')]))).toBe(false);
  expect(isRtp(Buffer.concat([Buffer.of(0x90), rtp.subarray(1), Buffer.from('bede000100000000', 'hex')]))).toBe(true);
  expect(isRtcp(Buffer.from('80c800060000000b', 'hex'))).toBe(true);
  expect(isRtcp(rtp)).toBe(false);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void [isRtp(bytes), isRtcp(bytes)]));
  fc.assert(fc.property(fc.string(), (text) => void [parseTransport(text), parseSession(text)]));
});
